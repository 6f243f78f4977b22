/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the firmware does, with or without an operating system. */
#ifndef SHELL_H
#define SHELL_H

#include <stddef.h>

struct command {
	const char *name;
	const char *help;
	void (*run)(void);
};

/* Starts the SDK, and prints how the device has come up. */
void shell_begin(void);

/* Carries out commands from the serial port, for ever: those of every demo, and `more`. */
void shell_run(const struct command *more, size_t count) __attribute__((noreturn));

#endif
