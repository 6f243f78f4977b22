/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The stored coredump. There is room for one: the first crash is kept until it is discarded,
 * unless MFLT_COREDUMP_KEEP_LAST says otherwise. */
#ifndef MFLT_COREDUMP_H
#define MFLT_COREDUMP_H

#include "mflt/error.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Looks at the storage. Gives 1 when it holds a whole coredump, else 0. */
int mflt_coredump_init(void);

/* Bytes of the coredump; 0 when there is none. */
uint32_t mflt_coredump_size(void);

/* Reads `size` bytes at `at`; gives how many there were. */
int mflt_coredump_read(uint32_t at, void *to, uint32_t size);

/* Makes room for another. */
int mflt_coredump_discard(void);

#ifdef __cplusplus
}
#endif

#endif
