/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The serial port, the tick and the reset of the MPS2 boards that QEMU knows. */
#ifndef BOARD_H
#define BOARD_H

void board_init(void);
void board_reset(void) __attribute__((noreturn));
void serial_put(char character);
void serial_print(const char *text);
/* Waits for a character. */
char serial_get(void);

#endif
