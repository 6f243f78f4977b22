/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "board.h"
#include "mflt/crash.h"
#include "mflt/port.h"

#include <stddef.h>
#include <stdint.h>

extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[];
extern uint32_t stack_guard[], __StackLimit[], __StackTop[];

int main(void);
void reset_handler(void);

#ifdef FREERTOS
void SVC_Handler(void);
void PendSV_Handler(void);
void SysTick_Handler(void);
#endif

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
/* As clang calls them: Run-time ABI for the Arm Architecture, 4.3.4. */
void __aeabi_memclr4(void *to, size_t size);
void __aeabi_memclr8(void *to, size_t size) __attribute__((alias("__aeabi_memclr4")));
void *__aeabi_memcpy4(void *to, const void *from, size_t size) __attribute__((alias("memcpy")));

/* 0: the stack overflows into what lies below RAM. */
#ifndef GUARD
#define GUARD 1
#endif

#define REGISTER(address) (*(volatile uint32_t *)(address))
/* CMSDK UART: data, state (bit 0: full, bit 1: received), control, baud rate. */
#define UART_DATA REGISTER(UART_BASE)
#define UART_STATE REGISTER(UART_BASE + 4)
#define UART_CTRL REGISTER(UART_BASE + 8)
#define UART_BAUDDIV REGISTER(UART_BASE + 16)
/* CMSDK timer 0. */
#define TIMER_CTRL REGISTER(TIMER_BASE)
#define TIMER_VALUE REGISTER(TIMER_BASE + 4)
#define TIMER_RELOAD REGISTER(TIMER_BASE + 8)
#define NVIC_ISER REGISTER(0xe000e100)
#define SYST_CSR REGISTER(0xe000e010)
#define SYST_RVR REGISTER(0xe000e014)
#define MPU_CTRL REGISTER(0xe000ed94)
#define MPU_RNR REGISTER(0xe000ed98)
#define MPU_RBAR REGISTER(0xe000ed9c)
#define MPU_RASR REGISTER(0xe000eda0)
#define VTOR REGISTER(0xe000ed08)

volatile uint32_t board_uptime_ms;
volatile int crash_in_tick;

__attribute__((section(".vectors"), aligned(128), used)) static void *const vectors[16 + TIMER_IRQ + 1] = {
	[0] = __StackTop,
	[1] = (void *)reset_handler,
	[2] = (void *)mflt_fault_handler,
	[3] = (void *)mflt_fault_handler,
	[4] = (void *)mflt_fault_handler,
	[5] = (void *)mflt_fault_handler,
	[6] = (void *)mflt_fault_handler,
	[7] = (void *)mflt_fault_handler,
#ifdef FREERTOS
	[11] = (void *)SVC_Handler,
	[14] = (void *)PendSV_Handler,
	[15] = (void *)SysTick_Handler,
#else
	[15] = (void *)board_tick,
#endif
	/* The timer stands for a watchdog's early warning. */
	[16 + TIMER_IRQ] = (void *)mflt_fault_handler,
};

/* The compiler calls these. */
void *memcpy(void *to, const void *from, size_t size)
{
	volatile uint8_t *target = to;
	const uint8_t *source = from;

	while (size-- > 0) {
		*target++ = *source++;
	}
	return to;
}

void *memset(void *to, int value, size_t size)
{
	volatile uint8_t *target = to;

	while (size-- > 0) {
		*target++ = (uint8_t)value;
	}
	return to;
}

void __aeabi_memclr4(void *to, size_t size)
{
	(void)memset(to, 0, size);
}

void reset_handler(void)
{
	for (uint32_t *to = data_start, *from = data_load; to < data_end;) {
		*to++ = *from++;
	}
	for (uint32_t *to = bss_start; to < bss_end;) {
		*to++ = 0;
	}
#ifdef __ARM_FP
	/* CPACR: the FPU for everyone. */
	REGISTER(0xe000ed88) |= 0xfu << 20;
#endif
	main();
	mflt_port_reset();
}

void board_tick(void)
{
	board_uptime_ms++;
	if (crash_in_tick) {
		board_touch_nothing();
	}
}

void board_touch_nothing(void)
{
	REGISTER(NOTHING_AT) = 1;
}

uint32_t board_cycles(void)
{
	if (TIMER_CTRL == 0) {
		TIMER_RELOAD = 0xffffffffu;
		TIMER_VALUE = 0xffffffffu;
		TIMER_CTRL = 1;
	}
	return 0xffffffffu - TIMER_VALUE;
}

void board_start_watchdog(void)
{
	TIMER_VALUE = CPU_HZ / 10;
	TIMER_RELOAD = CPU_HZ / 10;
	/* Enable, interrupt. */
	TIMER_CTRL = 9;
	NVIC_ISER = 1u << TIMER_IRQ;
}

#ifdef __ARM_FP
void board_crash_with_float(void)
{
	float values[32];

	for (int i = 0; i < 32; i++) {
		values[i] = (float)i + 0.5f;
	}
	__asm volatile("vldmia %0, {s0-s31}\n\t"
		       "vmsr fpscr, %1\n\t"
		       "str %1, [%2]"
		       :
		       : "r"(values), "r"(0xa0000000u), "r"(NOTHING_AT)
		       : "memory", "cc", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9",
			 "s10", "s11", "s12", "s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20",
			 "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31");
}
#endif

/* Overflow of the stack is a fault: by MSPLIM, or by a region of the MPU for nobody. */
static void guard_stack(void)
{
#ifdef __ARM_ARCH_8M_MAIN__
	__asm volatile("msr msplim, %0" : : "r"(__StackLimit));
#else
	MPU_RNR = 0;
	MPU_RBAR = (uint32_t)stack_guard;
	/* 256 bytes, no access, not executable. */
	MPU_RASR = 1u << 28 | 7u << 1 | 1u;
	/* PRIVDEFENA, ENABLE. */
	MPU_CTRL = 5;
	__asm volatile("dsb\n\tisb" : : : "memory");
#endif
}

void board_init(void)
{
	VTOR = (uint32_t)vectors;
	if (GUARD) {
		guard_stack();
	}
	UART_BAUDDIV = 16;
	UART_CTRL = 3;
}

void board_start_tick(void)
{
	SYST_RVR = CPU_HZ / 1000 - 1;
	SYST_CSR = 7;
}

void serial_put(char character)
{
	while ((UART_STATE & 1) != 0) {
	}
	UART_DATA = (uint8_t)character;
}

void serial_print(const char *text)
{
	while (*text != '\0') {
		serial_put(*text++);
	}
}

char serial_get(void)
{
	while ((UART_STATE & 2) == 0) {
	}
	return (char)UART_DATA;
}
