/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the SDK asks of the device. Implementations are in ports/; an application may bring its
 * own. The first ones are called from threads and from interrupts. */
#ifndef MFLT_PORT_H
#define MFLT_PORT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Keeps everything else that logs from running, interrupts too; gives what mflt_port_unlock is to
 * restore. Pairs may be nested. */
uint32_t mflt_port_lock(void);

/* Undoes the mflt_port_lock that gave `state`. */
void mflt_port_unlock(uint32_t state);

/* Milliseconds since boot; begins anew after 2^32. */
uint32_t mflt_port_uptime_ms(void);

/*
 * The rest is asked for by the coredump (mflt/crash.h), mostly in the fault handler: constants will
 * do, and locks are forbidden.
 */
struct mflt_storage;

/* A piece of memory. */
struct mflt_region {
	const void *start;
	uint32_t size;
};

/* Who the device is. Texts may be null. */
struct mflt_device {
	const char *serial;
	const char *software_type;
	const char *software_version;
	const char *hardware_version;
	/* The linker's note, from its first byte on (the section .note.gnu.build-id). */
	const void *build_id_note;
};

const struct mflt_device *mflt_port_device(void);

/* Where coredumps go. */
const struct mflt_storage *mflt_port_storage(void);

/* All memory that can be read, such as flash and RAM. What is outside is never touched; on a core
 * without BusFault that is all that keeps the handler from failing. */
const struct mflt_region *mflt_port_memory(uint32_t *count);

/* What to keep beside the registers and the stack of the crash, the most wanted first. */
const struct mflt_region *mflt_port_regions(uint32_t *count);

/* What a port to an RTOS keeps before that, such as threads and their stacks: the region with this
 * number, counted from 0. Gives 0 when there are not so many. */
int mflt_port_rtos_region(uint32_t number, struct mflt_region *region);

/* Resets the device. */
void mflt_port_reset(void) __attribute__((noreturn));

/*
 * For an RTOS that has a fault handler of its own; both may be missing.
 */

/* Why it crashed, for the fault handler: `reason` as far as the exception tells. `registers` are r0 to r12,
 * SP, LR, PC, xPSR as they were before the exception, and what it corrects in them is kept. */
uint32_t mflt_port_reason(uint32_t reason, uint32_t *registers);

/* Entered behind the capture in place of mflt_port_reset, with the stack and the registers (LR and r4 to r11)
 * of the exception's entry: the handler of the RTOS. It resets the device, or calls mflt_crash_survived, and
 * another fault until then resets at once. Needs MFLT_FAULT_STACK_OWN. */
void mflt_port_fault(void);

#ifdef __cplusplus
}
#endif

#endif
