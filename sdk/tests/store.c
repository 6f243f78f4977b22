/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Coredumps, reboots and chunks on the host, driven by tests/it/sdk/store.rs through pipes: commands
 * in, answers out, all numbers little endian.
 *
 *	s u32 size u32 writes  a storage of that size, full of noise, whose power fails behind so many
 *	                       writes (0: never)
 *	w u32 regions, each u32 address u32 size bytes
 *	                       write a coredump: i32 result
 *	b                      boot: i32 bytes of the coredump that is found
 *	r                      read the coredump: u32 size, bytes
 *	f u32 unit byte        overwrite a byte of the storage
 *	p u32 reason u32 pc u32 lr
 *	                       a reboot
 *	n u32 size             next chunk: i32 result, then so many bytes
 *	a                      abort
 *	d                      delivered: i32 result
 *	m                      print: i32 result, u32 size, text
 */
#include "coredump_writer.h"
#include "give_chunk.h"
#include "mflt/chunk.h"
#include "mflt/coredump.h"
#include "mflt/port.h"
#include "pipe.h"
#include "reboot.h"

#include <string.h>

static uint8_t *memory;
static uint32_t writes_left;
static int is_dead;
static struct mflt_storage storage;

static int erase(void)
{
	memset(memory, 0xff, storage.size);
	return MFLT_OK;
}

static int write(uint32_t at, const void *from, uint32_t size)
{
	if (at % MFLT_STORAGE_UNIT != 0 || size % MFLT_STORAGE_UNIT != 0 || at > storage.size ||
	    size > storage.size - at) {
		abort();
	}
	if (is_dead) {
		return MFLT_EIO;
	}
	if (writes_left != 0 && --writes_left == 0) {
		/* The power fails half-way. */
		size /= 2;
		is_dead = 1;
	}
	for (uint32_t i = 0; i < size; i++) {
		/* As flash: bits are only cleared. */
		memory[at + i] &= ((const uint8_t *)from)[i];
	}
	return is_dead ? MFLT_EIO : MFLT_OK;
}

static int read(uint32_t at, void *to, uint32_t size)
{
	if (at > storage.size || size > storage.size - at) {
		abort();
	}
	memcpy(to, &memory[at], size);
	return MFLT_OK;
}

static int invalidate(void)
{
	memset(memory, 0, MFLT_STORAGE_UNIT);
	return MFLT_OK;
}

const struct mflt_storage *mflt_port_storage(void)
{
	return &storage;
}

const struct mflt_device *mflt_port_device(void)
{
	static const uint32_t note[] = {4, 20, 3, 0x00554e47, 0x03020100, 0x07060504, 0, 0, 0};
	static const struct mflt_device device = {
		.serial = "HOST-1",
		.software_type = "test",
		.software_version = "1.2.3",
		.hardware_version = "pc",
		.build_id_note = note,
	};

	return &device;
}

uint32_t mflt_port_uptime_ms(void)
{
	return 99;
}

/* The region that is being copied, and its address on the device. */
static const uint8_t *region;
static uint32_t region_address;

static int copy(void *to, uintptr_t from, uint32_t size)
{
	memcpy(to, &region[(uint32_t)from - region_address], size);
	return 1;
}

static void write_coredump(void)
{
	struct mflt_coredump_writer writer;
	uint32_t registers[19];
	uint32_t machine = 40, reason = 0x9100, count = take_u32();

	for (uint32_t i = 0; i < 19; i++) {
		registers[i] = 0x100 + i;
	}
	(void)mflt_coredump_begin(&writer, &storage);
	mflt_coredump_add(&writer, MFLT_BLOCK_REGISTERS, 0, registers, sizeof(registers));
	mflt_coredump_add(&writer, MFLT_BLOCK_SOFTWARE_TYPE, 0, "test", 4);
	mflt_coredump_add(&writer, MFLT_BLOCK_SOFTWARE_VERSION, 0, "1.2.3", 5);
	mflt_coredump_add(&writer, MFLT_BLOCK_MACHINE, 0, &machine, sizeof(machine));
	mflt_coredump_add(&writer, MFLT_BLOCK_REASON, 0, &reason, sizeof(reason));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t address = take_u32(), size = take_u32();
		uint8_t *bytes = malloc(size + 1u);

		take(bytes, size);
		region = bytes;
		region_address = address;
		mflt_coredump_add_memory(&writer, address, size, copy);
		free(bytes);
	}
	give_result(mflt_coredump_end(&writer));
}

static char printed[1 << 20];
static uint32_t printed_size;

static void print(const char *line)
{
	size_t size = strlen(line);

	memcpy(&printed[printed_size], line, size);
	printed_size += (uint32_t)size;
	printed[printed_size++] = '\n';
}

static void run(uint8_t command)
{
	switch (command) {
	case 's':
		storage = (struct mflt_storage){take_u32(), erase, write, read, invalidate};
		writes_left = take_u32();
		is_dead = 0;
		free(memory);
		memory = malloc(storage.size + 1u);
		memset(memory, 0xa5, storage.size);
		(void)mflt_coredump_init();
		break;
	case 'w':
		write_coredump();
		break;
	case 'b':
		is_dead = 0;
		writes_left = 0;
		(void)mflt_coredump_init();
		mflt_chunk_abort();
		give_result((int32_t)mflt_coredump_size());
		break;
	case 'r': {
		uint32_t size = mflt_coredump_size();
		uint8_t *bytes = malloc(size + 1u);

		/* In pieces of odd sizes. */
		for (uint32_t at = 0, piece = 1; at < size; at += piece, piece = piece % 37 + 5) {
			(void)mflt_coredump_read(at, &bytes[at], piece < size - at ? piece : size - at);
		}
		give(bytes, size);
		free(bytes);
		break;
	}
	case 'f': {
		uint32_t at = take_u32();

		take(&memory[at], 1);
		break;
	}
	case 'p': {
		uint32_t reason = take_u32(), pc = take_u32(), lr = take_u32();

		mflt_reboot_leave(reason, pc, lr);
		mflt_reboot_init(0, 0x14);
		break;
	}
	case 'n':
		give_chunk();
		break;
	case 'a':
		mflt_chunk_abort();
		break;
	case 'd':
		give_result(mflt_chunk_delivered());
		break;
	case 'm':
		printed_size = 0;
		give_result(mflt_chunk_print(print));
		give(printed, printed_size);
		break;
	default:
		exit(2);
	}
}

#include "commands.h"
