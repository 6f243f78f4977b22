/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The registers of the core and of the System Control Space, as they were at the crash. */
#ifndef MFLT_SYSTEM_H
#define MFLT_SYSTEM_H

#include "coredump_writer.h"
#include "scs.h"

#include <stdint.h>

/* Special registers, in the order of their numbers (SPEC.md). */
enum {
	MFLT_PRIMASK,
	MFLT_CONTROL,
#if MFLT_HAS_FAULT_STATUS
	MFLT_BASEPRI,
	MFLT_FAULTMASK,
#endif
#if MFLT_HAS_STACK_LIMITS
	MFLT_MSPLIM,
	MFLT_PSPLIM,
#endif
	MFLT_SPECIALS
};

/* What the handler changes: kept at its entry. */
struct mflt_system {
	/* As they were before the exception; the handler fills in CONTROL and MSPLIM. */
	uint32_t special[MFLT_SPECIALS];
	uint32_t mpu_ctrl;
	uint32_t mpu_rnr;
#if MFLT_HAS_FAULT_STATUS
	uint32_t ccr;
	uint32_t status[MFLT_STATUS_SIZE / 4];
#endif
};

/* Locks interrupts, switches the MPU off, which may forbid what is to be read, and lets reads fail. */
void mflt_system_begin(struct mflt_system *system);

/* All is as it was, but for the status of the fault. */
void mflt_system_end(const struct mflt_system *system);

/* There was no fault, only an undefined instruction that was meant. */
void mflt_system_clear_status(void);

/* Whether the exception could write its frame to `stack`, which has a `limit` on Armv8-M. */
int mflt_system_was_stacked(const struct mflt_system *system, uint32_t stack, uint32_t limit);

/* The same for what is kept. */
void mflt_system_forget_undefined(struct mflt_system *system);

/* Blocks of the special registers and of the MPU. */
void mflt_system_add_registers(struct mflt_coredump_writer *writer, const struct mflt_system *system);

/* The FPU's registers; only when what was interrupted had used it. */
void mflt_system_add_float(struct mflt_coredump_writer *writer);

/* The System Control Space as memory. */
void mflt_system_add_memory(struct mflt_coredump_writer *writer, const struct mflt_system *system);

#endif
