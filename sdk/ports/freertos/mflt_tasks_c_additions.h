/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What only the kernel's tasks.c can see. No include guard: it is part of that file. */
#include "freertos_kernel.h"

#include <stddef.h>

#define MFLT_VARIABLE_(name) {(const void *)&(name), sizeof(name)}

static const struct mflt_region mflt_variables[] = {
#if defined(configNUMBER_OF_CORES) && configNUMBER_OF_CORES > 1
	MFLT_VARIABLE_(pxCurrentTCBs),
#else
	MFLT_VARIABLE_(pxCurrentTCB),
#endif
	MFLT_VARIABLE_(uxCurrentNumberOfTasks),
	MFLT_VARIABLE_(xTickCount),
	MFLT_VARIABLE_(xSchedulerRunning),
	MFLT_VARIABLE_(pxDelayedTaskList),
	MFLT_VARIABLE_(pxOverflowDelayedTaskList),
};

static const struct mflt_region mflt_lists[] = {
	MFLT_VARIABLE_(pxReadyTasksLists),
	MFLT_VARIABLE_(xDelayedTaskList1),
	MFLT_VARIABLE_(xDelayedTaskList2),
	MFLT_VARIABLE_(xPendingReadyList),
#if INCLUDE_vTaskSuspend == 1
	MFLT_VARIABLE_(xSuspendedTaskList),
#endif
#if INCLUDE_vTaskDelete == 1
	MFLT_VARIABLE_(xTasksWaitingTermination),
#endif
};

const struct mflt_freertos_kernel mflt_freertos_kernel = {
	.variables = mflt_variables,
	.variable_count = sizeof(mflt_variables) / sizeof(mflt_variables[0]),
	.lists = mflt_lists,
	.list_count = sizeof(mflt_lists) / sizeof(mflt_lists[0]),
	.task_size = sizeof(TCB_t),
	.stack_start = offsetof(TCB_t, pxStack),
#if portSTACK_GROWTH > 0 || configRECORD_STACK_HIGH_ADDRESS == 1
	.stack_end = offsetof(TCB_t, pxEndOfStack),
#endif
};

#undef MFLT_VARIABLE_

uint32_t mflt_freertos_ticks(void)
{
	return (uint32_t)xTickCount;
}
