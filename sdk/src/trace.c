/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "mflt/trace.h"
#include "event_store.h"

#include <stddef.h>

/* Keys of SPEC.md. */
enum { TRACE_PC = 2, TRACE_LR = 3, TRACE_REASON = 6, TRACE_STATUS = 7, TRACE_TEXT = 8 };

#define TEXT_MOST (MFLT_EVENT_MAX / 2u)
/* The keys, and five numbers. */
#define REST 40u

int mflt_trace_add(enum mflt_trace reason, const void *pc, const void *lr, const int32_t *status,
		   const char *text)
{
	uint8_t bytes[TEXT_MOST + REST];
	struct mflt_cbor item = {.to = bytes, .size = sizeof(bytes)};
	uint32_t pairs = 1u + (pc != NULL) + (lr != NULL) + (status != NULL) + (text != NULL);

	mflt_event_store_begin(&item);
	mflt_cbor_head(&item, MFLT_CBOR_MAP, pairs);
	mflt_cbor_pair(&item, TRACE_REASON, (uint32_t)reason);
	if (pc != NULL) {
		mflt_cbor_pair(&item, TRACE_PC, (uint32_t)(uintptr_t)pc);
	}
	if (lr != NULL) {
		mflt_cbor_pair(&item, TRACE_LR, (uint32_t)(uintptr_t)lr);
	}
	if (status != NULL) {
		mflt_cbor_head(&item, MFLT_CBOR_UNSIGNED, TRACE_STATUS);
		mflt_cbor_signed(&item, *status);
	}
	if (text != NULL) {
		uint32_t size = 0;

		while (size < TEXT_MOST && text[size] != '\0') {
			size++;
		}
		mflt_cbor_head(&item, MFLT_CBOR_UNSIGNED, TRACE_TEXT);
		mflt_cbor_bytes(&item, MFLT_CBOR_BYTES, text, size);
	}
	return mflt_event_store_add(MFLT_EVENT_TRACE, &item);
}
