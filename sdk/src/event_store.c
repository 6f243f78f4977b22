/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "event_store.h"
#include "crc16.h"
#include "log_ring.h"
#include "mflt/config.h"
#include "mflt/error.h"
#include "mflt/port.h"

#include <stddef.h>

/* In front of an event: which build it is of. */
#define BUILD_SIZE 2u

static union {
	struct mflt_log_ring ring;
	uint8_t bytes[sizeof(struct mflt_log_ring) + MFLT_EVENT_SIZE];
} memory MFLT_NOINIT;

static uint32_t dropped;
static uint8_t is_ready;

/* Metrics and reasons are numbers that mean something in one build only. */
static uint16_t build(void)
{
	const uint32_t *note = mflt_port_device()->build_id_note;

	return note == NULL ? 0 : mflt_crc16(0, note, 12 + ((note[0] + 3u) & ~3u) + note[1]);
}

int mflt_event_store_init(void)
{
	int kept = mflt_log_ring_open(&memory.ring, MFLT_EVENT_SIZE);
	uint16_t expected = build(), found;
	uint8_t kind;

	if (kept < 0) {
		return kept;
	}
	while (mflt_log_ring_oldest(&memory.ring, &kind) >= (int32_t)BUILD_SIZE) {
		mflt_log_ring_read(&memory.ring, 0, &found, BUILD_SIZE);
		if (found == expected) {
			break;
		}
		mflt_log_ring_remove(&memory.ring);
		dropped++;
	}
	is_ready = 1;
	return kept;
}

int mflt_event_store_add(enum mflt_event_type type, const struct mflt_cbor *item)
{
	int result = MFLT_ETOOLARGE;

	if (!is_ready) {
		return MFLT_ENOTREADY;
	}
	uint32_t state = mflt_port_lock();

	/* What did not fit into the window was only counted. */
	if (item->at == item->used &&
	    mflt_log_ring_room(&memory.ring) >= (int32_t)(item->used)) {
		result = mflt_log_ring_add(&memory.ring, (uint8_t)type, mflt_port_uptime_ms(),
					   item->to, item->used);
	}
	if (result < 0) {
		dropped++;
	}
	mflt_port_unlock(state);
	return result;
}

void mflt_event_store_begin(struct mflt_cbor *item)
{
	uint16_t number = build();

	mflt_cbor_byte(item, number & 0xffu);
	mflt_cbor_byte(item, (uint32_t)number >> 8);
}

uint32_t mflt_event_store_dropped(void)
{
	return dropped;
}

void mflt_event_store_reported(uint32_t count)
{
	uint32_t state = mflt_port_lock();

	dropped -= count;
	mflt_port_unlock(state);
}

int mflt_event_store_has_any(void)
{
	uint8_t kind;

	return is_ready && mflt_log_ring_oldest(&memory.ring, &kind) >= 0;
}

int mflt_event_store_read(uint32_t at, uint8_t *byte)
{
	struct mflt_cbor head = {.from = at, .to = byte, .size = 1};
	uint8_t kind = 0;
	int32_t size = mflt_log_ring_oldest(&memory.ring, &kind);

	mflt_event_begin(&head, (enum mflt_event_type)kind);
	if (head.used == 1) {
		return 1;
	}
	uint32_t place = at - head.at + BUILD_SIZE;

	if (size < 0 || place >= (uint32_t)size) {
		return 0;
	}
	mflt_log_ring_read(&memory.ring, place, byte, 1);
	return 1;
}

void mflt_event_store_told(void)
{
	uint32_t state = mflt_port_lock();

	mflt_log_ring_remove(&memory.ring);
	mflt_port_unlock(state);
}
