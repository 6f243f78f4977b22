/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "coredump_writer.h"
#include "coredump_slot.h"
#include "crc16.h"
#include "mflt/config.h"
#include "mflt/coredump.h"
#include "reboot.h"

#define BLOCK_HEADER 12u
#define FOOTER 16u
#define FOOTER_MAGIC 0x504d5544u
#define FLAG_TRUNCATED 1u

static void put_word(uint8_t *to, uint32_t word)
{
	for (uint32_t i = 0; i < 4; i++) {
		to[i] = (uint8_t)(word >> (8 * i));
	}
}

/* Where byte `at` of the coredump stands in the storage: the first unit is the slot's header. */
static uint32_t place(uint32_t at)
{
	return at - MFLT_COREDUMP_HEADER + MFLT_STORAGE_UNIT;
}

/* Bytes that are left beside the footer. */
static uint32_t room(const struct mflt_coredump_writer *writer)
{
	uint32_t used = place(writer->size) + FOOTER, size = writer->storage->size;

	return used < size ? size - used : 0;
}

static inline void flush(struct mflt_coredump_writer *writer, uint32_t at)
{
	if (writer->error == MFLT_OK &&
	    writer->storage->write(at, writer->unit, MFLT_STORAGE_UNIT) < 0) {
		writer->error = MFLT_EIO;
	}
}

/* Adds bytes as `copy` gives them, straight into the unit that is being filled. */
static void put_copied(struct mflt_coredump_writer *writer, uintptr_t from, uint32_t size,
		       mflt_copy *copy)
{
	while (size > 0) {
		uint8_t *to = &writer->unit[place(writer->size) % MFLT_STORAGE_UNIT];
		uint32_t part = (uint32_t)(&writer->unit[MFLT_STORAGE_UNIT] - to);

		part = part < size ? part : size;
		/* What cannot be read is zeros: its length is already written. */
		(void)copy(to, from, part);
		writer->crc = mflt_crc16(writer->crc, to, part);
		writer->size += part;
		from += part;
		size -= part;
		if (place(writer->size) % MFLT_STORAGE_UNIT == 0) {
			flush(writer, place(writer->size) - MFLT_STORAGE_UNIT);
		}
	}
}

static int copy_bytes(void *to, uintptr_t from, uint32_t size)
{
	const uint8_t *source = (const uint8_t *)from;
	uint8_t *bytes = to;

	for (uint32_t i = 0; i < size; i++) {
		bytes[i] = source[i];
	}
	return 1;
}

void mflt_coredump_put(struct mflt_coredump_writer *writer, const void *from, uint32_t size)
{
	put_copied(writer, (uintptr_t)from, size, copy_bytes);
}

int mflt_coredump_begin(struct mflt_coredump_writer *writer, const struct mflt_storage *storage)
{
	*writer = (struct mflt_coredump_writer){.storage = storage, .size = MFLT_COREDUMP_HEADER};
	if (!MFLT_COREDUMP_KEEP_LAST && mflt_coredump_size() != 0) {
		writer->error = MFLT_EEXIST;
	} else if (storage->size < place(MFLT_COREDUMP_HEADER) + FOOTER) {
		writer->error = MFLT_ETOOLARGE;
	} else if (!mflt_reboot_allows_coredump()) {
		writer->error = MFLT_ELIMIT;
	} else if (storage->erase() < 0) {
		writer->error = MFLT_EIO;
	}
	return writer->error;
}

int mflt_coredump_open(struct mflt_coredump_writer *writer, enum mflt_block kind, uint32_t address,
		       uint32_t size)
{
	if (writer->error == MFLT_OK &&
	    (room(writer) < BLOCK_HEADER || room(writer) - BLOCK_HEADER < size)) {
		writer->error = MFLT_ETOOLARGE;
	}
	if (writer->error == MFLT_OK) {
		uint8_t header[BLOCK_HEADER] = {(uint8_t)kind};

		put_word(&header[4], address);
		put_word(&header[8], size);
		mflt_coredump_put(writer, header, sizeof(header));
	}
	return writer->error;
}

void mflt_coredump_add(struct mflt_coredump_writer *writer, enum mflt_block kind, uint32_t address,
		       const void *from, uint32_t size)
{
	if (size > 0 && mflt_coredump_open(writer, kind, address, size) == MFLT_OK) {
		mflt_coredump_put(writer, from, size);
	}
}

void mflt_coredump_add_memory(struct mflt_coredump_writer *writer, uint32_t address, uint32_t size,
			      mflt_copy *copy)
{
	static const uint8_t zeros[4];
	uint32_t padding = (0u - writer->size) & 3u;

	if (writer->error != MFLT_OK || writer->is_truncated || size == 0) {
		return;
	}
	uint32_t headers = BLOCK_HEADER + (padding != 0 ? BLOCK_HEADER + padding : 0);

	if (room(writer) < headers || room(writer) - headers < size) {
		writer->is_truncated = 1;
		size = room(writer) > headers ? (room(writer) - headers) & ~3u : 0;
		if (size == 0) {
			return;
		}
	}
	if (padding != 0) {
		mflt_coredump_add(writer, MFLT_BLOCK_PADDING, 0, zeros, padding);
	}
	(void)mflt_coredump_open(writer, MFLT_BLOCK_MEMORY, address, size);
	put_copied(writer, address, size, copy);
}

int mflt_coredump_end(struct mflt_coredump_writer *writer)
{
	uint8_t footer[FOOTER] = {0};

	if (writer->error != MFLT_OK) {
		return writer->error;
	}
	put_word(&footer[0], FOOTER_MAGIC);
	put_word(&footer[4], writer->is_truncated ? FLAG_TRUNCATED : 0);
	mflt_coredump_put(writer, footer, sizeof(footer));
	uint32_t end = place(writer->size), left = end % MFLT_STORAGE_UNIT;

	if (left != 0) {
		for (uint32_t i = left; i < MFLT_STORAGE_UNIT; i++) {
			writer->unit[i] = 0;
		}
		flush(writer, end - left);
	}
	/* Last, as this is what makes it valid. */
	mflt_coredump_slot_header(writer->unit, writer->size, writer->crc);
	flush(writer, 0);
	return writer->error == MFLT_OK && mflt_coredump_init() != 1 ? MFLT_EIO : writer->error;
}
