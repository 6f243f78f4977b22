/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cbor.h"

#define NULL_ITEM 0xf6u

void mflt_cbor_byte(struct mflt_cbor *cbor, uint32_t byte)
{
	if (cbor->at++ >= cbor->from && cbor->used < cbor->size) {
		cbor->to[cbor->used++] = (uint8_t)byte;
	}
}

void mflt_cbor_head(struct mflt_cbor *cbor, enum mflt_cbor_major major, uint32_t value)
{
	uint32_t bytes = value < 24 ? 0 : value < 0x100 ? 1 : value < 0x10000 ? 2 : 4;
	uint32_t code = bytes == 0 ? value : bytes == 1 ? 24 : bytes == 2 ? 25 : 26;

	mflt_cbor_byte(cbor, (uint32_t)major << 5 | code);
	while (bytes-- > 0) {
		mflt_cbor_byte(cbor, value >> (8 * bytes));
	}
}

void mflt_cbor_signed(struct mflt_cbor *cbor, int32_t value)
{
	if (value < 0) {
		/* -1 - value. */
		mflt_cbor_head(cbor, MFLT_CBOR_NEGATIVE, ~(uint32_t)value);
	} else {
		mflt_cbor_head(cbor, MFLT_CBOR_UNSIGNED, (uint32_t)value);
	}
}

void mflt_cbor_null(struct mflt_cbor *cbor)
{
	mflt_cbor_byte(cbor, NULL_ITEM);
}

void mflt_cbor_bytes(struct mflt_cbor *cbor, enum mflt_cbor_major major, const void *from,
		     uint32_t size)
{
	const uint8_t *bytes = from;

	mflt_cbor_head(cbor, major, size);
	for (uint32_t i = 0; i < size; i++) {
		mflt_cbor_byte(cbor, bytes[i]);
	}
}

void mflt_cbor_text(struct mflt_cbor *cbor, const char *text)
{
	uint32_t size = 0;

	while (text[size] != '\0') {
		size++;
	}
	mflt_cbor_bytes(cbor, MFLT_CBOR_TEXT, text, size);
}

void mflt_cbor_pair(struct mflt_cbor *cbor, uint32_t key, uint32_t value)
{
	mflt_cbor_head(cbor, MFLT_CBOR_UNSIGNED, key);
	mflt_cbor_head(cbor, MFLT_CBOR_UNSIGNED, value);
}
