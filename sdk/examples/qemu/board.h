/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The serial port, the tick and a hole in the memory of the MPS2 boards that QEMU knows. */
#ifndef BOARD_H
#define BOARD_H

void board_init(void);
/* Writes where nothing answers. */
void board_touch_nothing(void);
/* The interrupt of the tick does so. */
extern volatile int crash_in_tick;
void serial_put(char character);
void serial_print(const char *text);
/* Waits for a character. */
char serial_get(void);

#endif
