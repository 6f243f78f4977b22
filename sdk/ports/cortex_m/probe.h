/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reading memory that may not be there. */
#ifndef MFLT_PROBE_H
#define MFLT_PROBE_H

#include <stdint.h>

/* To be called first in the fault handler. */
void mflt_probe_init(void);

/* How many of `size` bytes at `address` can be read, from the first one on. */
uint32_t mflt_probe(uint32_t address, uint32_t size);

/* Copies what can be read; zeros stand for the rest, and the result is 0. */
int mflt_probe_copy(void *to, uintptr_t from, uint32_t size);

/* A fault while the handler was at work; `frame` is that of the exception. Gives 1 when it was a
 * read of this file, which then goes on behind the load. */
int mflt_probe_faulted(uint32_t *frame);

#endif
