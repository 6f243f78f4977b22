/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The program around run(): it carries out one command after the other. Included last. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdint.h>
#include <stdio.h>

int main(void)
{
	uint8_t command;

	while (fread(&command, 1, 1, stdin) == 1) {
		run(command);
		fflush(stdout);
	}
	return 0;
}

#endif
