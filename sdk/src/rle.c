/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "rle.h"

/* Bytes of the longest literal record, and of the longest run: numbers of one and of two bytes. */
#define MOST_LITERALS 63u
#define MOST_RUN 8191u
/* A run of so many ends a literal record. */
#define RUN_IN_LITERALS 3u

void mflt_rle_begin(struct mflt_rle *rle, mflt_source *source)
{
	*rle = (struct mflt_rle){.source = source};
}

/* The byte at `at`, -1 behind the end. */
static int byte_at(struct mflt_rle *rle, uint32_t at)
{
	if (rle->error < 0) {
		return -1;
	}
	if (at < rle->piece_at || at - rle->piece_at >= rle->piece_size) {
		int read = rle->source(at, rle->piece, sizeof(rle->piece));

		rle->piece_at = at;
		rle->piece_size = (uint8_t)(read > 0 ? read : 0);
		rle->error = read < 0 ? read : 0;
		if (read <= 0) {
			return -1;
		}
	}
	return rle->piece[at - rle->piece_at];
}

/* How often the byte at `at` stands there in a row, at most `most` times. */
static uint32_t run_at(struct mflt_rle *rle, uint32_t at, uint32_t most)
{
	int byte = byte_at(rle, at);
	uint32_t run = 0;

	while (byte >= 0 && run < most && byte_at(rle, at + run) == byte) {
		run++;
	}
	return run;
}

/* Codes the record at `at`; 0 at the end. */
static int begin_record(struct mflt_rle *rle)
{
	uint32_t run = run_at(rle, rle->at, MOST_RUN);

	if (run == 0) {
		return 0;
	}
	rle->head_used = 0;
	if (run > 1) {
		/* 2 n, seven bits a byte, and the byte itself. */
		uint32_t number = 2 * run;
		uint8_t size = 0;

		if (number > 0x7f) {
			rle->head[size++] = (uint8_t)(number | 0x80u);
			number >>= 7;
		}
		rle->head[size++] = (uint8_t)number;
		rle->head[size++] = (uint8_t)byte_at(rle, rle->at);
		rle->head_size = size;
		rle->at += run;
		return 1;
	}
	uint32_t count = 1;

	while (count < MOST_LITERALS && byte_at(rle, rle->at + count) >= 0 &&
	       run_at(rle, rle->at + count, RUN_IN_LITERALS) < RUN_IN_LITERALS) {
		count++;
	}
	/* 2 n - 1 stands for n bytes as they are. */
	rle->head[0] = (uint8_t)(2 * count - 1);
	rle->head_size = 1;
	rle->literals = (uint8_t)count;
	return 1;
}

int mflt_rle_next(struct mflt_rle *rle)
{
	if (rle->head_used == rle->head_size && rle->literals == 0 && !begin_record(rle)) {
		return -1;
	}
	if (rle->head_used < rle->head_size) {
		return rle->head[rle->head_used++];
	}
	rle->literals--;
	return byte_at(rle, rle->at++);
}
