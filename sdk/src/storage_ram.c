/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "mflt/config.h"
#include "mflt/error.h"
#include "mflt/storage.h"

#if MFLT_COREDUMP_RAM_SIZE % MFLT_STORAGE_UNIT != 0
#error "MFLT_COREDUMP_RAM_SIZE is not a multiple of MFLT_STORAGE_UNIT"
#endif

MFLT_NOINIT static volatile uint8_t memory[MFLT_COREDUMP_RAM_SIZE];

static int is_within(uint32_t at, uint32_t size)
{
	return at <= sizeof(memory) && size <= sizeof(memory) - at;
}

static int invalidate(void)
{
	for (uint32_t i = 0; i < MFLT_STORAGE_UNIT; i++) {
		memory[i] = 0;
	}
	return MFLT_OK;
}

static int write(uint32_t at, const void *from, uint32_t size)
{
	const uint8_t *bytes = from;

	if (!is_within(at, size)) {
		return MFLT_EINVAL;
	}
	for (uint32_t i = 0; i < size; i++) {
		memory[at + i] = bytes[i];
	}
	return MFLT_OK;
}

static int read(uint32_t at, void *to, uint32_t size)
{
	uint8_t *bytes = to;

	if (!is_within(at, size)) {
		return MFLT_EINVAL;
	}
	for (uint32_t i = 0; i < size; i++) {
		bytes[i] = memory[at + i];
	}
	return MFLT_OK;
}

const struct mflt_storage mflt_storage_ram = {
	.size = sizeof(memory),
	.erase = invalidate,
	.write = write,
	.read = read,
	.invalidate = invalidate,
};
