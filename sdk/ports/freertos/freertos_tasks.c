/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The kernel's tasks, found from its lists. In a crash these may be broken: what they point to is probed,
 * each list is followed for a while only, and from its other end too when it does not end.
 */
#include "FreeRTOS.h"
#include "freertos_kernel.h"
#include "list.h"
#include "mflt_freertos.h"
#include "probe.h"

#include <stddef.h>

/* What the kernel fills a new stack with. */
#define FILL 0xa5u
/* Of the task that runs only what the kernel has saved last, with the FPU's registers: the stack that is
 * in use is in the coredump already. */
#define CONTEXT_SIZE 208u
/* The stack's end as recorded is that of the first frame, which is aligned. */
#define END_ALIGNMENT 8u

/* The word at `at`; 0 when it cannot be read. */
static uint32_t word_at(uint32_t at)
{
	uint32_t word = 0;

	if (at % 4 != 0 || mflt_probe(at, 4) != 4) {
		return 0;
	}
	return mflt_probe_copy(&word, at, 4) ? word : 0;
}

/* Follows a list by the pointers at offset `link` of its items: the owner of the item with this number,
 * which counts down; 0 when there are not so many. `is_whole` tells whether the list ended. */
static uint32_t owner_in(const List_t *list, uint32_t link, uint32_t *number, int *is_whole)
{
	uint32_t end = (uint32_t)&list->xListEnd, item = word_at(end + link);

	for (uint32_t i = 0; i < MFLT_FREERTOS_TASKS && item != 0 && item != end; i++) {
		uint32_t owner = word_at(item + (uint32_t)offsetof(ListItem_t, pvOwner));

		if (owner != 0 && (*number)-- == 0) {
			return owner;
		}
		item = word_at(item + link);
	}
	*is_whole = item == end;
	return 0;
}

/* The address of the task with this number; 0 when there are not so many. */
static uint32_t task_at(uint32_t number)
{
	for (uint32_t i = 0; i < mflt_freertos_kernel.list_count; i++) {
		const struct mflt_region *lists = &mflt_freertos_kernel.lists[i];
		const List_t *list = lists->start;

		for (uint32_t left = lists->size; left > 0; left -= (uint32_t)sizeof(*list), list++) {
			int is_whole;
			uint32_t task = owner_in(list, offsetof(ListItem_t, pxNext), &number, &is_whole);

			if (task == 0 && !is_whole) {
				task = owner_in(list, offsetof(ListItem_t, pxPrevious), &number,
						&is_whole);
			}
			if (task != 0) {
				return task;
			}
		}
	}
	return 0;
}

/* Where the stack of a task ends, as far as that is known. */
static uint32_t stack_end(uint32_t task)
{
	uint32_t at = mflt_freertos_kernel.stack_end, end = at != 0 ? word_at(task + at) : 0;

	return end != 0 ? (end + END_ALIGNMENT) & ~(END_ALIGNMENT - 1u) : 0xffffffffu;
}

/* What is in use of a task's stack. */
static void put_stack(uint32_t task, struct mflt_region *region)
{
	uint32_t start = word_at(task + mflt_freertos_kernel.stack_start), end = stack_end(task);
	/* The first word of a task. */
	uint32_t sp = word_at(task);
	uint32_t running = *(const uint32_t *)mflt_freertos_kernel.variables[0].start;
	uint32_t most = task == running ? CONTEXT_SIZE : MFLT_FREERTOS_STACK_SIZE;

	sp = sp < start || sp > end ? start : sp;
	region->start = (const void *)sp;
	region->size = end - sp < most ? end - sp : most;
}

/* The kernel's variables and lists, all tasks, all stacks: what names the tasks comes first. */
int mflt_port_rtos_region(uint32_t number, struct mflt_region *region)
{
	const struct mflt_freertos_kernel *kernel = &mflt_freertos_kernel;

	if (number < kernel->variable_count) {
		*region = kernel->variables[number];
		return 1;
	}
	number -= kernel->variable_count;
	if (number < kernel->list_count) {
		*region = kernel->lists[number];
		return 1;
	}
	number -= kernel->list_count;
	uint32_t task = task_at(number / 2);

	if (task == 0) {
		return 0;
	}
	if (number % 2 == 0) {
		*region = (struct mflt_region){(const void *)task, kernel->task_size};
	} else {
		put_stack(task, region);
	}
	return 1;
}

uint32_t mflt_freertos_stack_free(void)
{
	uint32_t least = 0xffffffffu, task;

	for (uint32_t i = 0; (task = task_at(i)) != 0; i++) {
		uint32_t start = word_at(task + mflt_freertos_kernel.stack_start), sp = word_at(task);
		uint32_t at = start;

		while (at != 0 && at < sp && *(const uint8_t *)at == FILL) {
			at++;
		}
		least = at - start < least ? at - start : least;
	}
	return least;
}
