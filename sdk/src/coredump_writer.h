/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A coredump on its way into storage; bytes in SPEC.md. */
#ifndef MFLT_COREDUMP_WRITER_H
#define MFLT_COREDUMP_WRITER_H

#include "mflt/storage.h"

#include <stdint.h>

enum mflt_block {
	MFLT_BLOCK_REGISTERS = 0,
	MFLT_BLOCK_MEMORY = 1,
	MFLT_BLOCK_DEVICE_SERIAL = 2,
	MFLT_BLOCK_HARDWARE_VERSION = 4,
	MFLT_BLOCK_REASON = 5,
	MFLT_BLOCK_PADDING = 6,
	MFLT_BLOCK_MACHINE = 7,
	MFLT_BLOCK_MPU = 9,
	MFLT_BLOCK_SOFTWARE_VERSION = 10,
	MFLT_BLOCK_SOFTWARE_TYPE = 11,
	MFLT_BLOCK_BUILD_ID = 12,
	/* Ours. */
	MFLT_BLOCK_FURTHER_REGISTERS = 0x80,
};

/* Copies memory that may not be readable; gives false then, and `to` holds zeros there. */
typedef int mflt_copy(void *to, uintptr_t from, uint32_t size);

struct mflt_coredump_writer {
	const struct mflt_storage *storage;
	/* Bytes of the coredump so far. */
	uint32_t size;
	uint16_t crc;
	uint8_t is_truncated;
	int8_t error;
	/* Bytes at the end that do not fill a unit of the storage yet. */
	uint8_t unit[MFLT_STORAGE_UNIT];
};

/* Erases the storage. MFLT_EEXIST when it holds a coredump that is to be kept, MFLT_ELIMIT when too many
 * were written lately. */
int mflt_coredump_begin(struct mflt_coredump_writer *writer, const struct mflt_storage *storage);

/* Adds a block that the coredump is worth nothing without: no room is an error. */
void mflt_coredump_add(struct mflt_coredump_writer *writer, enum mflt_block kind, uint32_t address,
		       const void *from, uint32_t size);

/* The same in parts: begins a block of `size` bytes, which are then put. Gives an error when there is no
 * room for all of it. */
int mflt_coredump_open(struct mflt_coredump_writer *writer, enum mflt_block kind, uint32_t address,
		       uint32_t size);
void mflt_coredump_put(struct mflt_coredump_writer *writer, const void *from, uint32_t size);

/* Adds memory, as much as there is room for; behind one that was cut nothing follows. */
void mflt_coredump_add_memory(struct mflt_coredump_writer *writer, uint32_t address, uint32_t size,
			      mflt_copy *copy);

/* Ends the coredump; from then on it is there. */
int mflt_coredump_end(struct mflt_coredump_writer *writer);

#endif
