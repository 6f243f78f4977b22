/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What happens when the firmware fails: registers and memory go into storage as a coredump, the
 * reason into RAM that outlives the reset, and the device is reset.
 *
 * Put mflt_fault_handler into the vectors of NMI, HardFault, MemManage, BusFault, UsageFault,
 * SecureFault, and of a watchdog's early warning, and call mflt_crash_init at boot.
 */
#ifndef MFLT_CRASH_H
#define MFLT_CRASH_H

#include "mflt/config.h"
#include "mflt/error.h"
#include "mflt/reason.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* To be called at boot, before interrupts that could crash: looks at what is stored, and makes
 * MemManage, BusFault and UsageFault exceptions of their own, so that the handler survives what it
 * reads. `reason` is why the hardware was reset, as far as its reset register `reset_register`
 * tells; it counts when the firmware has left none. */
int mflt_crash_init(enum mflt_reason reason, uint32_t reset_register);

/* To be called before a reset that is wanted: the next boot knows why. */
void mflt_crash_expect_reset(enum mflt_reason reason);

/* The exception handler. Never returns. */
void mflt_fault_handler(void);

/* For ports whose RTOS ends a thread for its fault, and goes on: there will be no reset. */
void mflt_crash_survived(void);

/* For the macros below. */
extern volatile uint32_t mflt_crash_reason;
uint32_t mflt_crash_capture_begin(enum mflt_reason reason);
int mflt_crash_capture_end(uint32_t state);

#ifdef __cplusplus
}
#endif

#ifdef __arm__
/* Ends here for `reason`: the crash is on this line. An undefined instruction is how the handler
 * gets the registers as they are; it removes the traces of that. */
#define MFLT_CRASH(reason)                                                                       \
	do {                                                                                     \
		mflt_crash_reason = (uint32_t)(reason);                                          \
		__asm volatile("udf #0x4d" : : : "memory");                                      \
		__builtin_unreachable();                                                         \
	} while (0)

/* Keeps a coredump of this moment, as of a crash for `reason`, and goes on. Gives MFLT_EEXIST when there
 * is one already, or why it could not be kept. Takes about MFLT_FAULT_STACK_SIZE bytes of the main
 * stack, with interrupts locked; not for the handlers of NMI and of faults. */
#define MFLT_CAPTURE(reason)                                                                     \
	__extension__({                                                                          \
		uint32_t mflt_state_ = mflt_crash_capture_begin(reason);                         \
		__asm volatile("udf #0x4e" : : : "memory");                                      \
		mflt_crash_capture_end(mflt_state_);                                             \
	})

#define MFLT_ASSERT(condition)                                                                   \
	do {                                                                                     \
		if (!(condition)) {                                                              \
			MFLT_CRASH(MFLT_REASON_ASSERT);                                          \
		}                                                                                \
	} while (0)
#endif

#endif
