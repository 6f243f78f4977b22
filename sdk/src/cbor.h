/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writing CBOR (RFC 8949) into a window: what is before and behind it is only counted. */
#ifndef MFLT_CBOR_H
#define MFLT_CBOR_H

#include <stdint.h>

enum mflt_cbor_major {
	MFLT_CBOR_UNSIGNED = 0,
	MFLT_CBOR_NEGATIVE = 1,
	MFLT_CBOR_BYTES = 2,
	MFLT_CBOR_TEXT = 3,
	MFLT_CBOR_ARRAY = 4,
	MFLT_CBOR_MAP = 5,
};

struct mflt_cbor {
	uint32_t from;
	uint8_t *to;
	uint32_t size;
	uint32_t used;
	/* Bytes so far. */
	uint32_t at;
};

/* A byte as it is. */
void mflt_cbor_byte(struct mflt_cbor *cbor, uint32_t byte);

/* The head of an item: its sort, and its value or its size, as short as can be. */
void mflt_cbor_head(struct mflt_cbor *cbor, enum mflt_cbor_major major, uint32_t value);

void mflt_cbor_signed(struct mflt_cbor *cbor, int32_t value);

void mflt_cbor_null(struct mflt_cbor *cbor);

void mflt_cbor_bytes(struct mflt_cbor *cbor, enum mflt_cbor_major major, const void *from,
		     uint32_t size);

/* Text up to its NUL. */
void mflt_cbor_text(struct mflt_cbor *cbor, const char *text);

/* A key and a number. */
void mflt_cbor_pair(struct mflt_cbor *cbor, uint32_t key, uint32_t value);

#endif
