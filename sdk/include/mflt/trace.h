/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Traces: errors that the firmware survives, with the place, a reason, and a number or a text. Reasons
 * stand in the file MFLT_TRACES_FILE:
 *
 *	MFLT_TRACE_REASON(flash_write_failed)
 *
 * May be called from threads and interrupts.
 */
#ifndef MFLT_TRACE_H
#define MFLT_TRACE_H

#include "mflt/config.h"
#include "mflt/error.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mflt_trace {
	MFLT_TRACE_unknown = 0,
#ifdef MFLT_TRACES_FILE
#define MFLT_TRACE_REASON(name) MFLT_TRACE_##name,
#include MFLT_TRACES_FILE
#undef MFLT_TRACE_REASON
#endif
};

/* Called by the macros below. */
int mflt_trace_add(enum mflt_trace reason, const void *pc, const void *lr, const int32_t *status,
		   const char *text);

#ifdef __cplusplus
}
#endif

#ifdef __arm__
#define MFLT_PC_                                                                                 \
	__extension__({                                                                          \
		const void *pc_;                                                                 \
		__asm volatile("mov %0, pc" : "=r"(pc_));                                        \
		pc_;                                                                             \
	})
#else
#define MFLT_PC_ ((const void *)0)
#endif

/* Results are MFLT_OK, or MFLT_ETOOLARGE when there is no room: it is dropped and counted. */
#define MFLT_TRACE(reason)                                                                       \
	mflt_trace_add(MFLT_TRACE_##reason, MFLT_PC_, __builtin_return_address(0), 0, 0)
#define MFLT_TRACE_STATUS(reason, status)                                                        \
	__extension__({                                                                          \
		const int32_t status_ = (status);                                                \
		mflt_trace_add(MFLT_TRACE_##reason, MFLT_PC_, __builtin_return_address(0),       \
			       &status_, 0);                                                     \
	})
/* At most half of MFLT_EVENT_MAX bytes of text. */
#define MFLT_TRACE_TEXT(reason, text)                                                            \
	mflt_trace_add(MFLT_TRACE_##reason, MFLT_PC_, __builtin_return_address(0), 0, text)

#endif
