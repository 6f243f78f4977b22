/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Run-length coding of something that can be read at any place; bytes in SPEC.md. */
#ifndef MFLT_RLE_H
#define MFLT_RLE_H

#include <stdint.h>

/* Reads `size` bytes at `at`; gives how many there were, negative when reading fails. */
typedef int mflt_source(uint32_t at, void *to, uint32_t size);

struct mflt_rle {
	mflt_source *source;
	/* The next byte that is not coded yet. */
	uint32_t at;
	/* Coded bytes that wait to be taken: the head of a record. */
	uint8_t head[3];
	uint8_t head_used;
	uint8_t head_size;
	/* Bytes that are copied behind the head. */
	uint8_t literals;
	/* A piece of the source, read at `piece_at`. */
	uint32_t piece_at;
	uint8_t piece_size;
	uint8_t piece[32];
	int error;
};

void mflt_rle_begin(struct mflt_rle *rle, mflt_source *source);

/* The next coded byte; -1 at the end, or when reading has failed (`error`). */
int mflt_rle_next(struct mflt_rle *rle);

#endif
