/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Coredumps in flash: mflt_storage_flash, over three functions of the device. They are called with
 * interrupts off, from the fault handler, and wait by polling. Results are MFLT_OK or negative.
 */
#ifndef MFLT_FLASH_H
#define MFLT_FLASH_H

#include "mflt/storage.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Erases the page of MFLT_FLASH_PAGE_SIZE bytes at `at`. */
int mflt_flash_erase(uint32_t at);

/* Programs `size` bytes that are erased; `at` and `size` are multiples of MFLT_STORAGE_UNIT. */
int mflt_flash_program(uint32_t at, const void *from, uint32_t size);

int mflt_flash_read(uint32_t at, void *to, uint32_t size);

/* Of MFLT_FLASH_SIZE bytes. */
extern const struct mflt_storage mflt_storage_flash;

#ifdef __cplusplus
}
#endif

#endif
