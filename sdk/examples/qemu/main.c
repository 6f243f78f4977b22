/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The demo without an operating system. */
#include "board.h"
#include "mflt/port.h"
#include "shell.h"

uint32_t mflt_port_uptime_ms(void)
{
	return board_uptime_ms;
}

int main(void)
{
	board_init();
	board_start_tick();
	shell_begin();
	shell_run(NULL, 0);
}
