/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Coredumps in flash that the test simulates (tests/it/sdk/flash.rs): commands in, through pipes, all
 * numbers little endian. What the flash is asked for comes out before the answer:
 *
 *	E u32 at               erase: i32 result comes in
 *	P u32 at, 32 bytes     program: likewise
 *	R u32 at u32 size      read: i32 result, then the bytes
 *	A                      the answer follows
 *
 * Commands:
 *	o u32 clears u32 keep_last u32 burst
 *	                       options
 *	w u32 uptime_ms u32 size bytes
 *	                       crash with a region of that size: i32 result
 *	b                      boot: i32 bytes of the coredump that is found
 *	r                      read the coredump: u32 size, bytes
 *	d                      discard: i32 result
 */
#include "coredump_writer.h"
#include "mflt/coredump.h"
#include "mflt/error.h"
#include "mflt/flash.h"
#include "mflt/port.h"
#include "pipe.h"
#include "reboot.h"

#include <string.h>

uint32_t clears, keep_last, burst;

static uint32_t uptime_ms, region_size;
static uint8_t region[2048];

static void ask(uint8_t what, uint32_t at)
{
	fwrite(&what, 1, 1, stdout);
	fwrite(&at, sizeof(at), 1, stdout);
}

static int result_of_flash(void)
{
	fflush(stdout);
	return (int)take_u32();
}

int mflt_flash_erase(uint32_t at)
{
	ask('E', at);
	return result_of_flash();
}

int mflt_flash_program(uint32_t at, const void *from, uint32_t size)
{
	if (size != MFLT_STORAGE_UNIT) {
		abort();
	}
	ask('P', at);
	fwrite(from, 1, size, stdout);
	return result_of_flash();
}

int mflt_flash_read(uint32_t at, void *to, uint32_t size)
{
	ask('R', at);
	fwrite(&size, sizeof(size), 1, stdout);
	int result = result_of_flash();

	take(to, size);
	return result;
}

const struct mflt_storage *mflt_port_storage(void)
{
	return &mflt_storage_flash;
}

uint32_t mflt_port_uptime_ms(void)
{
	return uptime_ms;
}

static int copy(void *to, uintptr_t from, uint32_t size)
{
	memcpy(to, &region[from - 0x20000000u], size);
	return 1;
}

static int crash(void)
{
	struct mflt_coredump_writer writer;
	uint32_t registers[19] = {0}, machine = 40;

	(void)mflt_coredump_begin(&writer, &mflt_storage_flash);
	mflt_coredump_add(&writer, MFLT_BLOCK_REGISTERS, 0, registers, sizeof(registers));
	mflt_coredump_add(&writer, MFLT_BLOCK_MACHINE, 0, &machine, sizeof(machine));
	mflt_coredump_add_memory(&writer, 0x20000000u, region_size, copy);
	return mflt_coredump_end(&writer);
}

static void answer(int result)
{
	fputc('A', stdout);
	give_result(result);
}

static void run(uint8_t command)
{
	switch (command) {
	case 'o':
		clears = take_u32();
		keep_last = take_u32();
		burst = take_u32();
		mflt_reboot_init(0, 0);
		break;
	case 'w':
		uptime_ms = take_u32();
		region_size = take_u32();
		take(region, region_size);
		answer(crash());
		break;
	case 'b':
		(void)mflt_coredump_init();
		answer((int)mflt_coredump_size());
		break;
	case 'r': {
		static uint8_t bytes[4096];
		int size = mflt_coredump_read(0, bytes, sizeof(bytes));

		fputc('A', stdout);
		give(bytes, (uint32_t)size);
		break;
	}
	case 'd':
		answer(mflt_coredump_discard());
		break;
	default:
		exit(2);
	}
}

#include "commands.h"
