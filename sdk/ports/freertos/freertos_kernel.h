/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the port is told by mflt_tasks_c_additions.h, as part of the kernel's tasks.c. */
#ifndef MFLT_FREERTOS_KERNEL_H
#define MFLT_FREERTOS_KERNEL_H

#include "mflt/port.h"

#include <stdint.h>

struct mflt_freertos_kernel {
	const struct mflt_region *variables;
	uint32_t variable_count;
	/* Each a List_t, or an array of them. */
	const struct mflt_region *lists;
	uint32_t list_count;
	/* The size of a task's control block, and offsets in it; `stack_end` is 0 when it has none. */
	uint16_t task_size;
	uint16_t stack_start;
	uint16_t stack_end;
};

extern const struct mflt_freertos_kernel mflt_freertos_kernel;

/* The kernel's tick count, from any context. */
uint32_t mflt_freertos_ticks(void);

/* The least stack that any task has had left, in bytes; 0 when the kernel does not fill stacks. */
uint32_t mflt_freertos_stack_free(void);

#endif
