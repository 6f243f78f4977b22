/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Coredumps in the flash partition with the node label `mflt_partition`, by Zephyr's flash driver. It is
 * called from the fault handler: a driver that waits for an interrupt or for a lock which the crash left
 * taken does not come back, and a watchdog has to end that. The reason of the crash is kept before.
 */
#include "kernel.h"
#include "mflt/config.h"
#include "mflt/error.h"
#include "mflt/flash.h"

#if __has_include(<zephyr/drivers/flash.h>)
#include <zephyr/drivers/flash.h>
#include <zephyr/storage/flash_map.h>
#else
#include <drivers/flash.h>
#include <storage/flash_map.h>
#endif

#define PARTITION DT_NODELABEL(mflt_partition)
#define OFFSET DT_REG_ADDR(PARTITION)

static const struct device *const flash = DEVICE_DT_GET(DT_MTD_FROM_FIXED_PARTITION(PARTITION));

static int result_of(int error)
{
	return error == 0 ? MFLT_OK : MFLT_EIO;
}

int mflt_flash_erase(uint32_t at)
{
	return result_of(flash_erase(flash, (off_t)(OFFSET + at), MFLT_FLASH_PAGE_SIZE));
}

int mflt_flash_program(uint32_t at, const void *from, uint32_t size)
{
	return result_of(flash_write(flash, (off_t)(OFFSET + at), from, size));
}

int mflt_flash_read(uint32_t at, void *to, uint32_t size)
{
	return result_of(flash_read(flash, (off_t)(OFFSET + at), to, size));
}
