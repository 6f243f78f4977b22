/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "mflt/port.h"
#include "scs.h"

/* VECTKEY and SYSRESETREQ. */
#define RESET 0x05fa0004u

void mflt_port_reset(void)
{
	__asm volatile("dsb" : : : "memory");
	MFLT_REGISTER(MFLT_AIRCR) = RESET;
	__asm volatile("dsb" : : : "memory");
	for (;;) {
	}
}
