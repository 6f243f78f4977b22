/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The lock of the port: PRIMASK, on every Cortex-M. Only privileged code may log with it. */
#include "mflt/port.h"

uint32_t mflt_port_lock(void)
{
	uint32_t primask;

	__asm volatile("mrs %0, primask\n\tcpsid i" : "=r"(primask) : : "memory");
	return primask;
}

void mflt_port_unlock(uint32_t state)
{
	__asm volatile("msr primask, %0" : : "r"(state) : "memory");
}
