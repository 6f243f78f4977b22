/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where a coredump is kept. The functions are called with interrupts off, from a handler that runs
 * because something is broken: they must neither wait for an interrupt nor take a lock. */
#ifndef MFLT_STORAGE_H
#define MFLT_STORAGE_H

#include "mflt/config.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Results are MFLT_OK or negative. */
struct mflt_storage {
	/* Bytes: a multiple of MFLT_STORAGE_UNIT, as offsets and sizes of writes are. */
	uint32_t size;
	/* Prepares all of it for writing. */
	int (*erase)(void);
	/* Each unit is written once after an erase, in any order. */
	int (*write)(uint32_t at, const void *from, uint32_t size);
	int (*read)(uint32_t at, void *to, uint32_t size);
	/* Makes the first unit unreadable or anything but what was written there. */
	int (*invalidate)(void);
};

/* RAM that is not cleared at boot, of MFLT_COREDUMP_RAM_SIZE bytes. */
extern const struct mflt_storage mflt_storage_ram;

#ifdef __cplusplus
}
#endif

#endif
