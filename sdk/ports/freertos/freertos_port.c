/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the SDK asks of the RTOS, and what the kernel asks of the application. */
#include "FreeRTOS.h"
#include "freertos_kernel.h"
#include "mflt/crash.h"
#include "task.h"

/* The kernel's own lock: it holds off interrupts up to configMAX_SYSCALL_INTERRUPT_PRIORITY, and those
 * above it may neither call the kernel nor log. */
uint32_t mflt_port_lock(void)
{
	return (uint32_t)portSET_INTERRUPT_MASK_FROM_ISR();
}

void mflt_port_unlock(uint32_t state)
{
	portCLEAR_INTERRUPT_MASK_FROM_ISR(state);
}

uint32_t mflt_port_uptime_ms(void)
{
	const uint32_t rate = (uint32_t)configTICK_RATE_HZ;

	return 1000u % rate == 0 ? mflt_freertos_ticks() * (1000u / rate)
				 : (uint32_t)((uint64_t)mflt_freertos_ticks() * 1000u / rate);
}

#if configCHECK_FOR_STACK_OVERFLOW > 0
/* Called while the kernel switches tasks: `task` has been saved. */
__attribute__((weak)) void vApplicationStackOverflowHook(TaskHandle_t task, char *name)
{
	(void)task;
	(void)name;
	MFLT_CRASH(MFLT_REASON_STACK_OVERFLOW);
}
#endif

#if configUSE_MALLOC_FAILED_HOOK == 1
__attribute__((weak)) void vApplicationMallocFailedHook(void)
{
	MFLT_CRASH(MFLT_REASON_OUT_OF_MEMORY);
}
#endif
