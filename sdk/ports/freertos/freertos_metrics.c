/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Low-water marks for the heartbeat, measured when it ends. */
#include "FreeRTOS.h"
#include "freertos_kernel.h"
#include "mflt/metrics.h"
#include "mflt_freertos.h"
#include "task.h"

/* Of heap_4 and heap_5; the others do not know. */
extern size_t xPortGetMinimumEverFreeHeapSize(void) __attribute__((weak));

void mflt_freertos_metrics(void)
{
	vTaskSuspendAll();
	uint32_t stack = mflt_freertos_stack_free();

	(void)xTaskResumeAll();
	(void)mflt_metric_set(MFLT_METRIC(heartbeat, stack_free_bytes), (int32_t)stack);
	if (xPortGetMinimumEverFreeHeapSize != NULL) {
		(void)mflt_metric_set(MFLT_METRIC(heartbeat, heap_free_bytes),
				      (int32_t)xPortGetMinimumEverFreeHeapSize());
	}
}

__attribute__((weak)) void mflt_port_metrics(void)
{
	mflt_freertos_metrics();
}
