/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * For FreeRTOSConfig.h, which includes this file: assertions of the kernel become crashes, and the port
 * learns where the kernel keeps its tasks. Kernels from V10.0 on.
 *
 * Besides, it should define:
 *	configRECORD_STACK_HIGH_ADDRESS 1	stacks end where they end, not after a fixed size
 *	configCHECK_FOR_STACK_OVERFLOW 2	overflows crash; the free stack is measured
 *	configUSE_MALLOC_FAILED_HOOK 1		an allocation that fails crashes
 *
 * Finding the tasks takes as much of MFLT_FAULT_STACK_SIZE as the rest of the handler, and 40 bytes more
 * when a list leads to memory that mflt_port_memory names and that is not there.
 */
#ifndef MFLT_FREERTOS_H
#define MFLT_FREERTOS_H

#include "mflt/crash.h"

#define configASSERT(condition) MFLT_ASSERT(condition)

/* At its end tasks.c includes freertos_tasks_c_additions.h. */
#define configINCLUDE_FREERTOS_TASK_C_ADDITIONS_H 1

/* Most tasks that are looked for, in each list of the kernel: what keeps a broken list from being
 * followed for ever. */
#ifndef MFLT_FREERTOS_TASKS
#define MFLT_FREERTOS_TASKS 64
#endif

/* Most bytes of each task's stack in a coredump, from its stack pointer on. Of the stack of the task that
 * runs, MFLT_COREDUMP_STACK_SIZE bytes are there already. */
#ifndef MFLT_FREERTOS_STACK_SIZE
#define MFLT_FREERTOS_STACK_SIZE 512
#endif

/* Sets the metrics stack_free_bytes, of the task with the least, and heap_free_bytes. An application with
 * a mflt_port_metrics of its own calls it there. */
void mflt_freertos_metrics(void);

#endif
