/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "board.h"
#include "mflt/port.h"

#include <stddef.h>
#include <stdint.h>

extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[], __StackTop[];

int main(void);
void reset_handler(void);
void fault_handler(void);
void tick_handler(void);
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);

#define REGISTER(address) (*(volatile uint32_t *)(address))
/* CMSDK UART: data, state (bit 0: full, bit 1: received), control, baud rate. */
#define UART_DATA REGISTER(UART_BASE)
#define UART_STATE REGISTER(UART_BASE + 4)
#define UART_CTRL REGISTER(UART_BASE + 8)
#define UART_BAUDDIV REGISTER(UART_BASE + 16)
#define SYST_CSR REGISTER(0xe000e010)
#define SYST_RVR REGISTER(0xe000e014)
#define VTOR REGISTER(0xe000ed08)
#define AIRCR REGISTER(0xe000ed0c)

static volatile uint32_t uptime_ms;

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
	[0] = __StackTop,
	[1] = (void *)reset_handler,
	[2] = (void *)fault_handler,
	[3] = (void *)fault_handler,
	[15] = (void *)tick_handler,
};

/* The compiler calls these two. */
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
	board_reset();
}

void fault_handler(void)
{
	serial_print("fault\n");
	for (;;) {
	}
}

void tick_handler(void)
{
	uptime_ms++;
}

uint32_t mflt_port_uptime_ms(void)
{
	return uptime_ms;
}

void board_init(void)
{
	VTOR = (uint32_t)vectors;
	UART_BAUDDIV = 16;
	UART_CTRL = 3;
	SYST_RVR = CPU_HZ / 1000 - 1;
	SYST_CSR = 7;
}

void board_reset(void)
{
	AIRCR = 0x05fa0004;
	for (;;) {
	}
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
