/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The serial port, the tick and a hole in the memory of the MPS2 boards that QEMU knows. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

void board_init(void);
/* The tick, each millisecond, and how often it came. An operating system starts it by itself. */
void board_start_tick(void);
void board_tick(void);
extern volatile uint32_t board_uptime_ms;
/* Writes where nothing answers. */
void board_touch_nothing(void);
/* The interrupt of the tick does so. */
extern volatile int crash_in_tick;
/* Cycles of the timer since this was called first; on QEMU with -icount shift=0 a nanosecond is an
 * instruction. */
uint32_t board_cycles(void);
/* Its interrupt comes in a tenth of a second. */
void board_start_watchdog(void);
#ifdef __ARM_FP
/* Single-precision register n holds n + 0.5, FPSCR the flags N and C. */
void board_crash_with_float(void);
#endif
void serial_put(char character);
void serial_print(const char *text);
/* Waits for a character. */
char serial_get(void);

#endif
