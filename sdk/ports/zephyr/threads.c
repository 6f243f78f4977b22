/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a coredump keeps of the kernel: its own state, and of each thread the object, the stack in use and
 * what it waits for. Lists and objects may be broken: nothing is read but by mflt_probe_copy.
 */
#include "kernel.h"
#include "mflt/port.h"
#include "probe.h"

#include <stddef.h>

#if __has_include(<zephyr/kernel_structs.h>)
#include <zephyr/kernel_structs.h>
#else
#include <kernel_structs.h>
#endif

/* Regions before those of threads, and for each thread. */
enum { REGION_KERNEL, REGIONS_OF_KERNEL };
enum { REGION_THREAD, REGION_STACK, REGION_WAIT, REGIONS_OF_THREAD };

/* Of what a thread waits for: a k_mutex with its owner, the beginning of larger ones. */
#define OBJECT_SIZE 32u

static uint32_t word_at(const void *address)
{
	uint32_t word = 0;

	(void)mflt_probe_copy(&word, (uintptr_t)address, sizeof(word));
	return word;
}

/* The stack of a thread that does not run, from its stack pointer on. */
static void find_stack(const struct k_thread *thread, struct mflt_region *region)
{
	uint32_t sp = word_at(&thread->callee_saved.psp), size = CONFIG_MFLT_COREDUMP_THREAD_STACK_SIZE;

#ifdef CONFIG_THREAD_STACK_INFO
	uint32_t start = word_at(&thread->stack_info.start);
	uint32_t left = start + word_at(&thread->stack_info.size) - sp;

	/* Outside of its stack it may have overflowed, or be a system call's. */
	if (sp >= start && left < size) {
		size = left;
	}
#endif
	/* The thread that crashed runs: its stack is kept already. */
	if ((uint32_t)thread != word_at(&_kernel.cpus[0].current)) {
		*region = (struct mflt_region){(const void *)sp, size};
	}
}

int mflt_port_rtos_region(uint32_t number, struct mflt_region *region)
{
	*region = (struct mflt_region){&_kernel, sizeof(_kernel)};
	if (number < REGIONS_OF_KERNEL) {
		return 1;
	}
	number -= REGIONS_OF_KERNEL;
	uint32_t index = number / REGIONS_OF_THREAD;
	const struct k_thread *thread = (const struct k_thread *)word_at(&_kernel.threads);

	for (uint32_t i = 0; i < index && thread != NULL; i++) {
		thread = (const struct k_thread *)word_at(&thread->next_thread);
	}
	if (thread == NULL || index >= CONFIG_MFLT_COREDUMP_THREADS) {
		return 0;
	}
	*region = (struct mflt_region){NULL, 0};
	switch (number % REGIONS_OF_THREAD) {
	case REGION_THREAD:
		*region = (struct mflt_region){thread, sizeof(*thread)};
		break;
	case REGION_STACK:
		find_stack(thread, region);
		break;
	default:
		/* Null when it does not wait. */
		region->start = (const void *)word_at(&thread->base.pended_on);
		region->size = region->start != NULL ? OBJECT_SIZE : 0;
		break;
	}
	return 1;
}
