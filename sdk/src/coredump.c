/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "mflt/coredump.h"
#include "coredump_slot.h"
#include "crc16.h"
#include "mflt/port.h"
#include "mflt/storage.h"

#include <stddef.h>

/* "CORE" in memory. */
#define MAGIC 0x45524f43u
#define VERSION 2u

#if MFLT_STORAGE_UNIT < 16 || (MFLT_STORAGE_UNIT & (MFLT_STORAGE_UNIT - 1)) != 0
#error "MFLT_STORAGE_UNIT is not a power of two from 16 on"
#endif

/* The checksums are the last bytes of the first unit: one that was written in part has none. */
#define SUMS (MFLT_STORAGE_UNIT - 4u)

/* Bytes of the coredump that is stored. */
static uint32_t stored_size;

static uint32_t word_at(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

void mflt_coredump_slot_header(uint8_t to[MFLT_STORAGE_UNIT], uint32_t size, uint16_t crc)
{
	uint32_t words[3] = {MAGIC, VERSION, size};

	for (uint32_t i = 0; i < 12; i++) {
		to[i] = (uint8_t)(words[i / 4] >> (8 * (i % 4)));
	}
	for (uint32_t i = 12; i < SUMS; i++) {
		to[i] = 0;
	}
	to[SUMS] = (uint8_t)crc;
	to[SUMS + 1] = (uint8_t)(crc >> 8);
	uint16_t check = mflt_crc16(0, to, SUMS + 2);

	to[SUMS + 2] = (uint8_t)check;
	to[SUMS + 3] = (uint8_t)(check >> 8);
}

/* The size of a coredump that is whole, else 0. */
static uint32_t find(const struct mflt_storage *storage)
{
	/* The header, then the rest. */
	uint8_t unit[MFLT_STORAGE_UNIT];

	if (storage == NULL || storage->size < MFLT_STORAGE_UNIT ||
	    storage->read(0, unit, sizeof(unit)) < 0) {
		return 0;
	}
	uint32_t size = word_at(&unit[8]), sums = word_at(&unit[SUMS]);

	if (word_at(&unit[0]) != MAGIC || word_at(&unit[4]) != VERSION ||
	    sums >> 16 != mflt_crc16(0, unit, SUMS + 2) || size < MFLT_COREDUMP_HEADER ||
	    size - MFLT_COREDUMP_HEADER > storage->size - MFLT_STORAGE_UNIT) {
		return 0;
	}
	uint32_t end = MFLT_STORAGE_UNIT + size - MFLT_COREDUMP_HEADER;
	uint16_t crc = 0;

	for (uint32_t at = MFLT_STORAGE_UNIT; at < end; at += MFLT_STORAGE_UNIT) {
		uint32_t part = end - at < sizeof(unit) ? end - at : (uint32_t)sizeof(unit);

		if (storage->read(at, unit, part) < 0) {
			return 0;
		}
		crc = mflt_crc16(crc, unit, part);
	}
	return crc == (sums & 0xffffu) ? size : 0;
}

int mflt_coredump_init(void)
{
	stored_size = find(mflt_port_storage());
	return stored_size != 0;
}

uint32_t mflt_coredump_size(void)
{
	return stored_size;
}

int mflt_coredump_read(uint32_t at, void *to, uint32_t size)
{
	const struct mflt_storage *storage = mflt_port_storage();
	uint8_t *bytes = to;

	if (at >= stored_size) {
		return 0;
	}
	if (size > stored_size - at) {
		size = stored_size - at;
	}
	/* Between the header and the rest stand the checksums. */
	uint32_t part = at >= MFLT_COREDUMP_HEADER ? 0 : MFLT_COREDUMP_HEADER - at;

	part = part < size ? part : size;
	if (part > 0 && storage->read(at, bytes, part) < 0) {
		return MFLT_EIO;
	}
	uint32_t place = at + part - MFLT_COREDUMP_HEADER + MFLT_STORAGE_UNIT;

	if (size > part && storage->read(place, &bytes[part], size - part) < 0) {
		return MFLT_EIO;
	}
	return (int)size;
}

int mflt_coredump_discard(void)
{
	if (stored_size != 0 && mflt_port_storage()->invalidate() < 0) {
		return MFLT_EIO;
	}
	stored_size = 0;
	return MFLT_OK;
}
