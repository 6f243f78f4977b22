/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the kernel needs of a C library; ../../qemu/board.c has it. */
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
