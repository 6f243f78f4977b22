/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The way into the fault handler and out of it. The linker (--wrap) puts the functions of this file into
 * Zephyr's vectors and before its z_fatal_error; see DESIGN.md, "Zephyr".
 */
#include "kernel.h"
#include "mflt/crash.h"
#include "mflt/port.h"
#include "probe.h"
#include "reboot.h"

#if __has_include(<zephyr/fatal.h>)
#include <zephyr/fatal.h>
#else
#include <fatal.h>
#endif

#define SVCALL 11
#define HARD_FAULT 3
/* BusFault is the next one. */
#define MEM_MANAGE 4
#define CFSR 0xe000ed28
/* MSTKERR and STKERR. */
#define NOT_STACKED 0x1010
/* svc #2, by which Zephyr stops itself: _SVC_CALL_RUNTIME_EXCEPT. */
#define FATAL_SVC 2
#define FATAL_SVC_CODE (0xdf00u | FATAL_SVC)
/* Bytes of the interrupt stack without which Zephyr's handler is not entered. */
#define HANDLER_STACK 512

void __wrap_z_arm_hard_fault(void);
void __wrap_z_arm_nmi(void);
void __wrap_z_arm_svc(void);
void __real_z_arm_hard_fault(void);
void __real_z_arm_svc(void);
void __wrap_z_fatal_error(unsigned int reason, const void *frame);
void __real_z_fatal_error(unsigned int reason, const void *frame);

/* Zephyr's k_sys_fatal_error_handler is coming, and what it is about has been kept. */
__attribute__((used)) static volatile uint8_t is_kept;

/* r0 to r3 are free: they are in the exception's frame. */
__attribute__((naked)) void __wrap_z_arm_hard_fault(void)
{
#ifdef CONFIG_USERSPACE
	/* The kernel reads a string that a thread gave it: Zephyr goes on behind the fault. */
	__asm volatile(".syntax unified\n\t"
		       "mrs r0, ipsr\n\t"
		       "subs r0, %[mem_manage]\n\t"
		       "cmp r0, #1\n\t"
		       "bhi 1f\n\t"
		       "ldr r0, =%c[cfsr]\n\t"
		       "ldr r0, [r0]\n\t"
		       "movw r1, %[not_stacked]\n\t"
		       "tst r0, r1\n\t"
		       "bne 1f\n\t"
		       "tst lr, #4\n\t"
		       "ite eq\n\t"
		       "mrseq r0, msp\n\t"
		       "mrsne r0, psp\n\t"
		       "ldr r0, [r0, #24]\n\t"
		       "ldr r1, =z_arm_user_string_nlen_fault_start\n\t"
		       "bic r1, r1, #1\n\t"
		       "cmp r0, r1\n\t"
		       "blo 1f\n\t"
		       "ldr r1, =z_arm_user_string_nlen_fault_end\n\t"
		       "bic r1, r1, #1\n\t"
		       "cmp r0, r1\n\t"
		       "bhs 1f\n\t"
		       "ldr r0, =%c[zephyr]\n\t"
		       "bx r0\n"
		       "1:\n\t"
		       :
		       : [mem_manage] "i"(MEM_MANAGE), [cfsr] "i"(CFSR), [not_stacked] "i"(NOT_STACKED),
			 [zephyr] "i"(__real_z_arm_hard_fault));
#endif
	__asm volatile(".syntax unified\n\t"
		       "ldr r0, =%c[handler]\n\t"
		       "bx r0\n\t"
		       ".ltorg\n\t"
		       :
		       : [handler] "i"(mflt_fault_handler));
}

#if defined(CONFIG_ARMV7_M_ARMV8_M_MAINLINE)
/* One handler for all of them, in Zephyr too. */
void __wrap_z_arm_mpu_fault(void) __attribute__((alias("__wrap_z_arm_hard_fault")));
void __wrap_z_arm_bus_fault(void) __attribute__((alias("__wrap_z_arm_hard_fault")));
void __wrap_z_arm_usage_fault(void) __attribute__((alias("__wrap_z_arm_hard_fault")));
void __wrap_z_arm_secure_fault(void) __attribute__((alias("__wrap_z_arm_hard_fault")));
#endif

#ifdef CONFIG_MFLT_FAULT_NMI
__attribute__((naked)) void __wrap_z_arm_nmi(void)
{
	__asm volatile("ldr r0, =%c[handler]\n\t"
		       "bx r0\n\t"
		       ".ltorg\n\t"
		       :
		       : [handler] "i"(mflt_fault_handler));
}
#endif

/* Panics, oopses and asserts of the kernel come this way; all else that is asked by SVC is Zephyr's. */
__attribute__((naked)) void __wrap_z_arm_svc(void)
{
	__asm volatile(".syntax unified\n\t"
		       "mov r1, lr\n\t"
		       "movs r0, #4\n\t"
		       "tst r1, r0\n\t"
		       "beq 1f\n\t"
		       "mrs r0, psp\n\t"
		       "b 2f\n"
		       "1: mrs r0, msp\n"
		       "2: ldr r0, [r0, #24]\n\t"
		       "subs r0, #2\n\t"
		       "ldrb r0, [r0]\n\t"
		       "cmp r0, %[fatal]\n\t"
		       "beq 3f\n\t"
		       "ldr r0, =%c[zephyr_svc]\n\t"
		       "bx r0\n"
		       "3: ldr r0, =%c[handler]\n\t"
		       "bx r0\n\t"
		       ".ltorg\n\t"
		       :
		       : [fatal] "i"(FATAL_SVC), [zephyr_svc] "i"(__real_z_arm_svc),
			 [handler] "i"(mflt_fault_handler));
}

static enum mflt_reason reason_of(unsigned int fatal)
{
	switch (fatal) {
	case K_ERR_STACK_CHK_FAIL:
		return MFLT_REASON_STACK_OVERFLOW;
	case K_ERR_KERNEL_OOPS:
	case K_ERR_KERNEL_PANIC:
		return MFLT_REASON_KERNEL_PANIC;
	default:
		return MFLT_REASON_UNKNOWN_ERROR;
	}
}

/* The SVC of a panic; in an interrupt, where it may not be served, that is a HardFault. */
uint32_t mflt_port_reason(uint32_t reason, uint32_t *registers)
{
	enum { R0 = 0, PC = 15 };
	uint32_t exception;
	uint16_t code = 0;

	__asm volatile("mrs %0, ipsr" : "=r"(exception));
	if ((exception != SVCALL && exception != HARD_FAULT) ||
	    !mflt_probe_copy(&code, registers[PC] - 2u, sizeof(code)) || code != FATAL_SVC_CODE) {
		return reason;
	}
	/* Where the kernel gave up, not what stands behind that. */
	registers[PC] -= 2u;
	return reason_of(registers[R0]);
}

#ifdef CONFIG_MFLT_FATAL_ZEPHYR
extern uint8_t z_interrupt_stacks[];

/* To Zephyr's handler of this exception, unless its stack is gone, or it would take offence at a HardFault
 * that has no other status: in that one probing has cleared what there was. */
__attribute__((naked)) void mflt_port_fault(void)
{
	__asm volatile(".syntax unified\n\t"
		       "ldr r0, =z_interrupt_stacks\n\t"
		       "mov r1, sp\n\t"
		       "subs r1, r1, r0\n\t"
		       "ldr r0, =%c[least]\n\t"
		       "cmp r1, r0\n\t"
		       "blo 2f\n\t"
		       "ldr r0, =%c[most]\n\t"
		       "cmp r1, r0\n\t"
		       "bhi 2f\n\t"
		       "ldr r0, =%c[is_kept]\n\t"
		       "movs r1, #1\n\t"
		       "strb r1, [r0]\n\t"
		       "mrs r0, ipsr\n\t"
		       "cmp r0, %[svcall]\n\t"
		       "beq 1f\n\t"
		       "cmp r0, %[hard_fault]\n\t"
		       "blo 2f\n\t"
		       "cmp r0, #7\n\t"
		       "bhi 2f\n\t"
#if defined(CONFIG_ARMV7_M_ARMV8_M_MAINLINE)
		       "cmp r0, %[hard_fault]\n\t"
		       "bne 3f\n\t"
		       "ldr r0, =%c[cfsr]\n\t"
		       "ldr r0, [r0]\n\t"
		       "cmp r0, #0\n\t"
		       "beq 2f\n"
		       "3:\n\t"
#endif
		       "ldr r0, =%c[zephyr]\n\t"
		       "bx r0\n"
		       "1: ldr r0, =%c[zephyr_svc]\n\t"
		       "bx r0\n"
		       "2: ldr r0, =%c[reset]\n\t"
		       "bx r0\n\t"
		       ".ltorg\n\t"
		       :
		       : [least] "i"(HANDLER_STACK), [most] "i"(CONFIG_ISR_STACK_SIZE + 64),
			 [cfsr] "i"(CFSR), [is_kept] "i"(&is_kept), [svcall] "i"(SVCALL), [hard_fault] "i"(HARD_FAULT),
			 [zephyr] "i"(__real_z_arm_hard_fault), [zephyr_svc] "i"(__real_z_arm_svc),
			 [reset] "i"(mflt_port_reset));
}
#endif

/* What else is fatal to Zephyr: interrupts without a handler, system calls that make no sense. */
void __wrap_z_fatal_error(unsigned int reason, const void *frame)
{
	if (!is_kept) {
		enum mflt_reason ours = reason_of(reason);
		const uint32_t *words = frame;

		is_kept = 1;
		mflt_reboot_leave((uint32_t)ours, words != NULL ? words[6] : 0,
				  words != NULL ? words[5] : 0);
		if (MFLT_CAPTURE(ours) == MFLT_OK) {
			mflt_reboot_leave_coredump();
		}
	}
	__real_z_fatal_error(reason, frame);
	/* The application's k_sys_fatal_error_handler came back: Zephyr ends the thread and goes on. */
	is_kept = 0;
	mflt_crash_survived();
}

#ifdef CONFIG_MFLT_RESET_ON_FATAL
/* The end of a k_sys_fatal_error_handler that does not reset, such as Zephyr's own. */
FUNC_NORETURN void arch_system_halt(unsigned int reason)
{
	if (!is_kept) {
		MFLT_CRASH(reason_of(reason));
	}
	mflt_port_reset();
}
#endif

#ifdef CONFIG_MFLT_ASSERT
/* Behind the text of a failed __ASSERT. */
#ifdef CONFIG_ASSERT_NO_FILE_INFO
void assert_post_action(void)
#else
void assert_post_action(const char *file __unused, unsigned int line __unused)
#endif
{
#ifdef CONFIG_USERSPACE
	/* What follows is not for a thread in user mode. */
	if (k_is_user_context()) {
		k_oops();
	}
#endif
	/* In Zephyr's handler, which may be one in which another fault is none. */
	if (is_kept) {
		mflt_port_reset();
	}
	MFLT_CRASH(MFLT_REASON_ASSERT);
}
#endif
