/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kernel of the demo. CPU_HZ is given by build.sh. */
#ifndef FREERTOS_CONFIG_H
#define FREERTOS_CONFIG_H

#include "mflt_freertos.h"

#define configRECORD_STACK_HIGH_ADDRESS 1
#define configCHECK_FOR_STACK_OVERFLOW 2
#define configUSE_MALLOC_FAILED_HOOK 1

#define configUSE_PREEMPTION 1
#define configUSE_IDLE_HOOK 0
#define configUSE_TICK_HOOK 1
#define configCPU_CLOCK_HZ CPU_HZ
#define configTICK_RATE_HZ 1000
#define configTICK_TYPE_WIDTH_IN_BITS TICK_TYPE_WIDTH_32_BITS
#define configMAX_PRIORITIES 4
#define configMINIMAL_STACK_SIZE 96
#define configMAX_TASK_NAME_LEN 12
#define configTOTAL_HEAP_SIZE 12288
#define configUSE_TIMERS 0
#define configKERNEL_INTERRUPT_PRIORITY 0xff
#define configMAX_SYSCALL_INTERRUPT_PRIORITY 0x60
#define INCLUDE_vTaskDelay 1
#define INCLUDE_vTaskSuspend 1

/* Of Armv8-M only. */
#define configENABLE_FPU 0
#define configENABLE_MPU 0
#define configENABLE_TRUSTZONE 0
#define configRUN_FREERTOS_SECURE_ONLY 1

#define vPortSVCHandler SVC_Handler
#define xPortPendSVHandler PendSV_Handler
#define xPortSysTickHandler SysTick_Handler

#endif
