/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the SDK asks of the application: who the device is, its memory, where coredumps go. */
#include "mflt/port.h"
#include "mflt/storage.h"

#include <stddef.h>

/* 1: what a careless application would list. */
#ifndef BAD_REGIONS
#define BAD_REGIONS 0
#endif

/* Nothing, as the port to the operating system keeps what it needs. */
#ifdef FREERTOS
#define DATA_SIZE 0u
#else
#define DATA_SIZE ((uint32_t)(bss_end - data_start))
#endif

/* 1: 64 KiB of flash instead of the data. */
#ifndef MEASURE
#define MEASURE 0
#endif

/* The linker script's. */
extern const uint8_t flash_start[], flash_size[], ram_start[], ram_size[], build_id_note[];
extern uint8_t data_start[], bss_end[];

const struct mflt_device *mflt_port_device(void)
{
	static const struct mflt_device device = {
		.serial = "QEMU-1",
		.software_type = "demo",
		.software_version = "1.0.0",
		.hardware_version = BOARD,
		.build_id_note = build_id_note,
	};

	return &device;
}

const struct mflt_storage *mflt_port_storage(void)
{
	return &mflt_storage_ram;
}

const struct mflt_region *mflt_port_memory(uint32_t *count)
{
	static struct mflt_region memory[3];

	memory[0] = (struct mflt_region){flash_start, (uint32_t)flash_size};
	memory[1] = (struct mflt_region){ram_start, (uint32_t)ram_size};
	/* For tests, a mistake: nothing is there. */
	memory[2] = (struct mflt_region){(void *)NOTHING_AT, BAD_REGIONS * 0x1000};
	*count = 3;
	return memory;
}

const struct mflt_region *mflt_port_regions(uint32_t *count)
{
	static struct mflt_region regions[6] = {
		{NULL, 0},
		{(void *)0xfffffff0, 0x100},
		{(void *)NOTHING_AT, 0x100},
	};

	/* Twice, and far beyond the end of RAM. */
	regions[3] = (struct mflt_region){data_start, DATA_SIZE};
	regions[4] = (struct mflt_region){data_start + 4, 16};
	regions[5] = (struct mflt_region){ram_start + (uint32_t)ram_size - 16, 0xf0000000};
	*count = 6;
	if (MEASURE) {
		regions[3] = (struct mflt_region){flash_start, 0x10000};
	}
	if (!BAD_REGIONS) {
		*count = 1;
		return &regions[3];
	}
	return regions;
}
