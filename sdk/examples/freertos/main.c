/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The demo under FreeRTOS: the task `shell` has the serial port, the task `sensor` waits to be told how it
 * shall crash. Their control blocks and stacks are in the kernel's heap, which no region of the application
 * covers.
 */
#include "FreeRTOS.h"
#include "board.h"
#include "mflt/log.h"
#include "queue.h"
#include "shell.h"
#include "task.h"

#define SHELL_STACK 512
#define SENSOR_STACK 192

enum order { WRITE_NOWHERE = 1, OVERFLOW, EXHAUST_HEAP, MISUSE_KERNEL };

static TaskHandle_t sensor;

void vApplicationTickHook(void)
{
	board_tick();
}

__attribute__((noinline)) static void exhaust_heap(void)
{
	for (;;) {
		(void)pvPortMalloc(512);
	}
}

/* More than the stack has, down to what stands below it. */
__attribute__((noinline)) static void overflow_stack(void)
{
	volatile uint32_t block[SENSOR_STACK];

	for (uint32_t i = SENSOR_STACK; i > 0; i--) {
		block[i - 1] = 0xdeadbeef;
	}
	vTaskDelay(1);
	block[0] = block[1];
}

static void run_sensor(void *argument)
{
	(void)argument;
	for (;;) {
		switch (ulTaskNotifyTake(pdTRUE, portMAX_DELAY)) {
		case WRITE_NOWHERE:
			board_touch_nothing();
			break;
		case OVERFLOW:
			overflow_stack();
			break;
		case EXHAUST_HEAP:
			exhaust_heap();
			break;
		case MISUSE_KERNEL:
			(void)xQueueReceive(NULL, NULL, 0);
			break;
		default:
			break;
		}
	}
}

static void order(enum order order)
{
	MFLT_LOG_INFO("order %u", (unsigned)order);
	(void)xTaskNotify(sensor, (uint32_t)order, eSetValueWithOverwrite);
}

static void crash_task(void)
{
	order(WRITE_NOWHERE);
}

static void crash_overflow(void)
{
	order(OVERFLOW);
}

static void crash_heap(void)
{
	order(EXHAUST_HEAP);
}

static void crash_kernel(void)
{
	order(MISUSE_KERNEL);
}

static const struct command commands[] = {
	{"crash task", "write where nothing is, in another task", crash_task},
	{"crash overflow", "overflow that task's stack", crash_overflow},
	{"crash heap", "allocate until there is nothing left", crash_heap},
	{"crash kernel", "fail an assertion of the kernel", crash_kernel},
};

static void run_shell(void *argument)
{
	(void)argument;
	shell_run(commands, sizeof(commands) / sizeof(commands[0]));
}

int main(void)
{
	board_init();
	shell_begin();
	(void)xTaskCreate(run_shell, "shell", SHELL_STACK, NULL, 1, NULL);
	(void)xTaskCreate(run_sensor, "sensor", SENSOR_STACK, NULL, 2, &sensor);
	vTaskStartScheduler();
	return 0;
}
