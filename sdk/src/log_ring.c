/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "log_ring.h"
#include "mflt/error.h"

#include <stddef.h>

/* For tests, which end the program behind any store. */
#ifndef MFLT_LOG_RING_STORED
#define MFLT_LOG_RING_STORED() ((void)0)
#endif

/* So that a record of zeros is none. */
#define SUM_SEED 0x5au

static void store(volatile uint32_t *word, uint32_t value)
{
	*word = value;
	MFLT_LOG_RING_STORED();
}

/* `at` and `by` are below and at most the size. */
static uint32_t ahead(const struct mflt_log_ring *ring, uint32_t at, uint32_t by)
{
	uint32_t left = ring->size - at;

	return by < left ? at + by : by - left;
}

static uint32_t used(const struct mflt_log_ring *ring)
{
	uint32_t oldest = ring->oldest, next = ring->next;

	return next >= oldest ? next - oldest : ring->size - oldest + next;
}

static uint32_t check_of(uint32_t size)
{
	return ~(MFLT_LOG_RING_MAGIC + MFLT_LOG_RING_VERSION + size);
}

/* Bytes of the record at `at`, 0 if none can be there that is `room` bytes long at most. */
static uint32_t record_size(const struct mflt_log_ring *ring, uint32_t at, uint32_t room)
{
	if (room < MFLT_LOG_RECORD_HEADER) {
		return 0;
	}
	uint32_t low = ring->data[at], high = ring->data[ahead(ring, at, 1)];
	uint32_t size = MFLT_LOG_RECORD_HEADER + (low | high << 8);

	return size <= room ? size : 0;
}

/* The sum over a record, with the byte in which it is kept: 0 when the record is whole. */
static uint8_t sum_of(const struct mflt_log_ring *ring, uint32_t at, uint32_t size)
{
	uint32_t sum = SUM_SEED;

	for (uint32_t i = 0; i < size; i++) {
		sum += ring->data[at];
		at = ahead(ring, at, 1);
	}
	return (uint8_t)sum;
}

static int is_sound(const struct mflt_log_ring *ring, uint32_t size)
{
	return ring->magic == MFLT_LOG_RING_MAGIC && ring->version == MFLT_LOG_RING_VERSION &&
	       ring->size == size && ring->check == check_of(size) && ring->oldest < size &&
	       ring->next < size;
}

int mflt_log_ring_open(struct mflt_log_ring *ring, uint32_t size)
{
	if (ring == NULL || size > MFLT_LOG_RING_MAX) {
		return MFLT_EINVAL;
	}
	if (!is_sound(ring, size)) {
		store(&ring->magic, 0);
		store(&ring->version, MFLT_LOG_RING_VERSION);
		store(&ring->size, size);
		store(&ring->check, check_of(size));
		store(&ring->oldest, 0);
		store(&ring->next, 0);
		store(&ring->lost, 0);
		store(&ring->magic, MFLT_LOG_RING_MAGIC);
		return 0;
	}
	uint32_t at = ring->oldest, left = used(ring);

	while (left > 0) {
		uint32_t record = record_size(ring, at, left);

		if (record == 0 || sum_of(ring, at, record) != 0) {
			/* RAM that has faded: what is older is good. */
			store(&ring->next, at);
			break;
		}
		at = ahead(ring, at, record);
		left -= record;
	}
	return 1;
}

/* Moves `oldest` on until `need` bytes are free beside the one that tells full from empty. */
static void make_room(struct mflt_log_ring *ring, uint32_t need)
{
	for (;;) {
		uint32_t taken = used(ring);

		if (ring->size - 1u - taken >= need) {
			return;
		}
		uint32_t record = record_size(ring, ring->oldest, taken);

		store(&ring->lost, ring->lost + 1u);
		store(&ring->oldest, record == 0 ? ring->next : ahead(ring, ring->oldest, record));
	}
}

static uint32_t put(struct mflt_log_ring *ring, uint32_t at, const uint8_t *bytes, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++) {
		ring->data[at] = bytes[i];
		MFLT_LOG_RING_STORED();
		at = ahead(ring, at, 1);
	}
	return at;
}

int mflt_log_ring_add(struct mflt_log_ring *ring, uint8_t kind, uint32_t time_ms,
		      const void *payload, uint32_t size)
{
	if (size > MFLT_LOG_RECORD_MAX - MFLT_LOG_RECORD_HEADER ||
	    size + MFLT_LOG_RECORD_HEADER >= ring->size) {
		return MFLT_ETOOLARGE;
	}
	const uint8_t *bytes = payload;
	uint8_t header[MFLT_LOG_RECORD_HEADER] = {
		(uint8_t)size,
		(uint8_t)(size >> 8),
		kind,
		0,
		(uint8_t)time_ms,
		(uint8_t)(time_ms >> 8),
		(uint8_t)(time_ms >> 16),
		(uint8_t)(time_ms >> 24),
	};
	uint32_t sum = SUM_SEED;

	for (uint32_t i = 0; i < sizeof(header); i++) {
		sum += header[i];
	}
	for (uint32_t i = 0; i < size; i++) {
		sum += bytes[i];
	}
	header[3] = (uint8_t)(0u - sum);

	make_room(ring, size + MFLT_LOG_RECORD_HEADER);
	uint32_t at = put(ring, ring->next, header, sizeof(header));

	at = put(ring, at, bytes, size);
	/* Only now does the record exist: a reset before leaves the ring without it. */
	store(&ring->next, at);
	return MFLT_OK;
}

int32_t mflt_log_ring_room(const struct mflt_log_ring *ring)
{
	return (int32_t)(ring->size - 1u - used(ring)) - (int32_t)MFLT_LOG_RECORD_HEADER;
}

int32_t mflt_log_ring_oldest(const struct mflt_log_ring *ring, uint8_t *kind)
{
	uint32_t size = record_size(ring, ring->oldest, used(ring));

	if (size == 0) {
		return -1;
	}
	*kind = ring->data[ahead(ring, ring->oldest, 2)];
	return (int32_t)(size - MFLT_LOG_RECORD_HEADER);
}

void mflt_log_ring_read(const struct mflt_log_ring *ring, uint32_t at, void *to, uint32_t size)
{
	uint32_t from = ahead(ring, ring->oldest, MFLT_LOG_RECORD_HEADER + at);
	uint8_t *bytes = to;

	for (uint32_t i = 0; i < size; i++) {
		bytes[i] = ring->data[from];
		from = ahead(ring, from, 1);
	}
}

void mflt_log_ring_remove(struct mflt_log_ring *ring)
{
	uint32_t size = record_size(ring, ring->oldest, used(ring));

	if (size != 0) {
		store(&ring->oldest, ahead(ring, ring->oldest, size));
	}
}
