/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The options that tests/it/sdk/flash.rs changes while the program runs. */
#include <stdint.h>

extern uint32_t clears, keep_last, burst;

/* As the flash of an STM32H7; other tests have units of 16. */
#define MFLT_STORAGE_UNIT 32u
#define MFLT_FLASH_SIZE 1024
#define MFLT_FLASH_PAGE_SIZE 256
#define MFLT_FLASH_CLEARS (clears != 0)
#define MFLT_COREDUMP_KEEP_LAST (keep_last != 0)
#define MFLT_COREDUMP_BURST burst
#define MFLT_COREDUMP_INTERVAL_S 60
