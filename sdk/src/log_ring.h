/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A ring of records in memory that a reset may leave at any store; bytes in SPEC.md. */
#ifndef MFLT_LOG_RING_H
#define MFLT_LOG_RING_H

#include <stdint.h>

#define MFLT_LOG_RING_MAGIC 0x524c664du
#define MFLT_LOG_RING_VERSION 1u
#define MFLT_LOG_RECORD_HEADER 8u
/* Sizes at which a ring and a record end. */
#define MFLT_LOG_RING_MAX 0x1000000u
#define MFLT_LOG_RECORD_MAX 0xfff8u

/* Bits of a record's kind, beside its level. */
#define MFLT_LOG_KIND_LEVEL 0x07u
#define MFLT_LOG_KIND_COMPACT 0x08u
#define MFLT_LOG_KIND_RESET 0x10u

/* Volatile, so that stores reach memory in the order of the source. */
struct mflt_log_ring {
	volatile uint32_t magic;
	volatile uint32_t version;
	/* Bytes of `data`. */
	volatile uint32_t size;
	/* Of the words before. */
	volatile uint32_t check;
	/* Where the oldest record begins. */
	volatile uint32_t oldest;
	/* Where the next one will; the same as `oldest` when there is none. */
	volatile uint32_t next;
	volatile uint32_t lost;
	volatile uint8_t data[];
};

/* Keeps the records of a ring with `size` bytes of data, as far as they are whole, or makes a new
 * one. Gives 1 or 0. */
int mflt_log_ring_open(struct mflt_log_ring *ring, uint32_t size);

/* Adds a record; drops the oldest while there is no room for it. */
int mflt_log_ring_add(struct mflt_log_ring *ring, uint8_t kind, uint32_t time_ms,
		      const void *payload, uint32_t size);

/* Bytes of content for which there is room without dropping a record; negative for none. */
int32_t mflt_log_ring_room(const struct mflt_log_ring *ring);

/* Bytes of the oldest record's content, and its kind; negative when there is no record. */
int32_t mflt_log_ring_oldest(const struct mflt_log_ring *ring, uint8_t *kind);

/* Reads the oldest record's content, of which the bytes have to be there. */
void mflt_log_ring_read(const struct mflt_log_ring *ring, uint32_t at, void *to, uint32_t size);

/* Removes the oldest record, without counting it as lost. */
void mflt_log_ring_remove(struct mflt_log_ring *ring);

#endif
