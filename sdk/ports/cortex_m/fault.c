/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The fault handler: on a stack of its own, with interrupts off, from the registers at the entry to
 * the reset. Exception frames: Armv7-M ARM (DDI 0403) B1.5.6; EXC_RETURN: B1.5.8.
 */
#include "chunk_memory.h"
#include "coredump_writer.h"
#include "mflt/coredump.h"
#include "mflt/crash.h"
#include "mflt/port.h"
#include "probe.h"
#include "reboot.h"
#include "scs.h"
#include "system.h"

#include <stddef.h>

#define EXC_RETURN_THREAD (1u << 3)
#define EXC_RETURN_PSP (1u << 2)
#define EXC_RETURN_BASIC (1u << 4)
/* Armv8-M (DDI 0553) B3.19: the stack was Secure, and r4 to r11 are not on it. */
#define EXC_RETURN_SECURE (1u << 6)
#define EXC_RETURN_NO_CALLEE (1u << 5)
#define XPSR_EXCEPTION 0x1ffu
#define XPSR_ALIGNED (1u << 9)
#define BASIC_FRAME 0x20u
#define EXTENDED_FRAME 0x68u
/* Before a frame: a signature, a word, r4 to r11. */
#define CALLEE_FRAME 0x28u
#define CALLEE_REGISTERS 8u
/* udf #0x4d of MFLT_CRASH and udf #0x4e of MFLT_CAPTURE. */
#define UDF_CRASH 0xde4du
#define UDF_CAPTURE 0xde4eu
/* A stack that has grown out of memory by less than this is kept from where memory begins. */
#define MOST_OVERFLOW 0x100000u
#define MACHINE_CORTEX_M 40u

/* What the entry of the handler leaves on its stack: r4 to r11 and the last two are in it, the others
 * are for undo_exception. */
enum { R0, R4 = 4, R8 = 8, R12 = 12, SP, LR, PC, XPSR, MSP, PSP, REGISTERS, EXC_RETURN = REGISTERS };

#if MFLT_HAS_STACK_LIMITS
enum { MSPLIM = EXC_RETURN + 1, SAVED = MSPLIM + 2 };
#else
enum { SAVED = EXC_RETURN + 1 };
#endif

/* Of the log (src/log.c), if there is one. */
extern const struct mflt_region mflt_log_region __attribute__((weak));

/* Of the port to an RTOS, if there is one. */
extern int mflt_port_rtos_region(uint32_t number, struct mflt_region *region) __attribute__((weak));
extern uint32_t mflt_port_reason(uint32_t reason, uint32_t *registers) __attribute__((weak));
extern void mflt_port_fault(void) __attribute__((weak));

volatile uint32_t mflt_crash_reason;

__attribute__((used)) static volatile uint8_t is_busy;
/* MFLT_CAPTURE: the firmware goes on, and with it what is in the memory of its chunks. */
__attribute__((used)) static volatile uint8_t goes_on;
static int16_t capture_result;

/* Without a return it saves no registers: those are in `saved`. */
__attribute__((used, noreturn)) static void capture(uint32_t msp, uint32_t psp, uint32_t *saved);
__attribute__((used)) static void faulted_again(uint32_t *frame);

/*
 * r0 and r1 are the stack pointers, r2 is what was saved. A second fault stays on the stack that it
 * finds, and may be a read that was known to be risky.
 */
__attribute__((naked)) void mflt_fault_handler(void)
{
	__asm volatile(".syntax unified\n\t"
		       "mrs r0, msp\n\t"
		       "ldr r3, 1f\n\t"
		       "ldrb r2, [r3]\n\t"
		       "cmp r2, #0\n\t"
		       "bne 4f\n\t"
		       "movs r2, #1\n\t"
		       "strb r2, [r3]\n\t"
		       "mrs r1, psp\n\t"
#if MFLT_HAS_STACK_LIMITS
		       "mrs r12, msplim\n\t"
#endif
		       "ldr r3, 2f\n\t"
		       "ldrb r2, [r3]\n\t"
		       "cmp r2, #0\n\t"
		       "bne 0f\n\t"
#if MFLT_HAS_STACK_LIMITS
		       "msr msplim, r2\n\t"
#endif
		       "ldr r3, 3f\n\t"
		       "mov sp, r3\n"
		       "0: sub sp, %[size]\n\t"
		       "mov r2, sp\n\t"
		       "mov r3, sp\n\t"
		       "adds r3, %[r4]\n\t"
		       "stmia r3!, {r4-r7}\n\t"
		       "mov r4, r8\n\t"
		       "mov r5, r9\n\t"
		       "mov r6, r10\n\t"
		       "mov r7, r11\n\t"
		       "stmia r3!, {r4-r7}\n\t"
		       "mov r4, lr\n\t"
		       "str r4, [r2, %[exc_return]]\n\t"
#if MFLT_HAS_STACK_LIMITS
		       "mov r4, r12\n\t"
		       "str r4, [r2, %[msplim]]\n\t"
#endif
		       "bl %c[capture]\n"
		       "4: ldr r3, 5f\n\t"
		       "bx r3\n\t"
		       ".balign 4\n\t"
		       "1: .word %c[is_busy]\n\t"
		       "2: .word %c[goes_on]\n\t"
		       "3: .word %c[stack] + %c[stack_size]\n\t"
		       "5: .word %c[again]\n\t"
		       :
		       : [size] "i"(SAVED * 4), [r4] "i"(R4 * 4), [exc_return] "i"(EXC_RETURN * 4),
#if MFLT_HAS_STACK_LIMITS
			 [msplim] "i"(MSPLIM * 4),
#endif
			 [capture] "i"(capture), [is_busy] "i"(&is_busy), [goes_on] "i"(&goes_on),
			 [stack] "i"(mflt_chunk_memory.fault_stack),
			 [stack_size] "i"(sizeof(mflt_chunk_memory.fault_stack)),
			 [again] "i"(faulted_again));
}

/* Leaves the handler for `to`, with the stack and the registers that it was entered with. */
__attribute__((naked, noreturn)) static void go_on(__attribute__((unused)) const uint32_t *saved,
						   __attribute__((unused)) uint32_t msp,
						   __attribute__((unused)) uint32_t to)
{
	__asm volatile(".syntax unified\n\t"
		       "mov r3, r0\n\t"
		       "adds r3, %[r8]\n\t"
		       "ldmia r3!, {r4-r7}\n\t"
		       "mov r8, r4\n\t"
		       "mov r9, r5\n\t"
		       "mov r10, r6\n\t"
		       "mov r11, r7\n\t"
		       "mov r3, r0\n\t"
		       "adds r3, %[r4]\n\t"
		       "ldmia r3!, {r4-r7}\n\t"
		       "ldr r3, [r0, %[exc_return]]\n\t"
		       "mov lr, r3\n\t"
#if MFLT_HAS_STACK_LIMITS
		       "ldr r3, [r0, %[msplim]]\n\t"
		       "mov sp, r1\n\t"
		       "msr msplim, r3\n\t"
#else
		       "mov sp, r1\n\t"
#endif
		       "bx r2\n\t"
		       :
		       : [r4] "i"(R4 * 4), [r8] "i"(R8 * 4),
#if MFLT_HAS_STACK_LIMITS
			 [msplim] "i"(MSPLIM * 4),
#endif
			 [exc_return] "i"(EXC_RETURN * 4));
}

static void faulted_again(uint32_t *frame)
{
	if (!mflt_probe_faulted(frame)) {
		/* The handler itself is broken: what it has left by now has to do. */
		mflt_port_reset();
	}
}

/* The registers as they were before the exception. Gives 0, and those of its frame are 0, when that
 * was not written or cannot be read. A frame of its own: that of capture lies below all the rest. */
__attribute__((noinline)) static int undo_exception(uint32_t *registers, uint32_t msp, uint32_t psp,
						    int was_stacked)
{
	uint32_t exc_return = registers[EXC_RETURN];
	int on_psp = (exc_return & EXC_RETURN_PSP) != 0;
	uint32_t sp = on_psp ? psp : msp;
#if defined(__ARM_FEATURE_CMSE)
	/* The fault was to go to the Non-secure state, which could not take it. */
	if ((exc_return & (EXC_RETURN_SECURE | EXC_RETURN_NO_CALLEE)) == EXC_RETURN_SECURE) {
		(void)mflt_probe_copy(&registers[R4], sp + CALLEE_REGISTERS, 32);
		sp += CALLEE_FRAME;
	}
#endif
	int is_there = was_stacked && mflt_probe(sp, BASIC_FRAME) == BASIC_FRAME;

	for (uint32_t i = 0; i < BASIC_FRAME / 4; i++) {
		/* r0 to r3, r12, LR, the address to return to, xPSR. */
		uint32_t *to = &registers[i < 4 ? R0 + i : i == 4 ? R12 : LR + i - 5];

		*to = 0;
		is_there = is_there && mflt_probe_copy(to, sp + 4 * i, 4);
	}
	sp += (exc_return & EXC_RETURN_BASIC) != 0 ? BASIC_FRAME : EXTENDED_FRAME;
	sp += (registers[XPSR] & XPSR_ALIGNED) != 0 ? 4 : 0;
	registers[SP] = sp;
	registers[MSP] = on_psp ? msp : sp;
	registers[PSP] = on_psp ? sp : psp;
	return is_there;
}

static uint32_t reason_of(uint32_t exception)
{
	switch (exception) {
	case 2:
		return MFLT_REASON_NMI;
	case 3:
		return MFLT_REASON_HARD_FAULT;
	case 4:
		return MFLT_REASON_MEM_FAULT;
	case 5:
		return MFLT_REASON_BUS_FAULT;
	case 6:
		return MFLT_REASON_USAGE_FAULT;
	case 7:
		return MFLT_REASON_SECURITY_VIOLATION;
	default:
		/* A watchdog's early warning. */
		return exception >= 16 ? MFLT_REASON_SOFTWARE_WATCHDOG : MFLT_REASON_UNKNOWN_ERROR;
	}
}

static uint32_t length_of(const char *text)
{
	uint32_t length = 0;

	while (text != NULL && text[length] != '\0') {
		length++;
	}
	return length;
}

static void add_text(struct mflt_coredump_writer *writer, enum mflt_block kind, const char *text)
{
	mflt_coredump_add(writer, kind, 0, text, length_of(text));
}

/* Who the device is, and why it crashed. */
static void add_identity(struct mflt_coredump_writer *writer, uint32_t reason)
{
	const struct mflt_device *device = mflt_port_device();
	uint32_t machine = MACHINE_CORTEX_M;

	if (device->build_id_note != NULL) {
		/* Sizes of the name and of the ID, a type, the name, the ID. */
		const uint32_t *note = device->build_id_note;

		mflt_coredump_add(writer, MFLT_BLOCK_BUILD_ID, 0,
				  (const uint8_t *)&note[3] + ((note[0] + 3u) & ~3u), note[1]);
	}
	add_text(writer, MFLT_BLOCK_DEVICE_SERIAL, device->serial);
	add_text(writer, MFLT_BLOCK_SOFTWARE_VERSION, device->software_version);
	add_text(writer, MFLT_BLOCK_SOFTWARE_TYPE, device->software_type);
	add_text(writer, MFLT_BLOCK_HARDWARE_VERSION, device->hardware_version);
	mflt_coredump_add(writer, MFLT_BLOCK_MACHINE, 0, &machine, sizeof(machine));
	mflt_coredump_add(writer, MFLT_BLOCK_REASON, 0, &reason, sizeof(reason));
}

static void add_memory(struct mflt_coredump_writer *writer, uint32_t address, uint32_t size)
{
	mflt_coredump_add_memory(writer, address, mflt_probe(address, size), mflt_probe_copy);
}

/* Where to begin with the stack at `sp`; what has left its memory begins with that. */
static uint32_t start_of_stack(uint32_t sp)
{
	uint32_t count = 0;
	const struct mflt_region *memory = mflt_port_memory(&count);
	uint32_t start = sp;

	for (uint32_t i = 0; i < count && mflt_probe(sp, 4) == 0; i++) {
		uint32_t distance = (uint32_t)memory[i].start - sp;

		if (distance < MOST_OVERFLOW && (start == sp || distance < start - sp)) {
			start = (uint32_t)memory[i].start;
		}
	}
	return start;
}

/* CONTROL before the exception: the handler has its own SPSEL and FPCA. DDI 0403 B1.4.4. */
static uint32_t control_before(uint32_t exc_return)
{
	uint32_t control;

	__asm volatile("mrs %0, control" : "=r"(control));
	control &= 1u;
	control |= (exc_return & EXC_RETURN_THREAD) != 0 ? (exc_return & EXC_RETURN_PSP) >> 1 : 0;
	return control | ((exc_return & EXC_RETURN_BASIC) != 0 ? 0 : 4u);
}

static int save(const uint32_t *saved, struct mflt_system *system, uint32_t reason, uint32_t stack,
		uint32_t thread_stack)
{
	struct mflt_coredump_writer writer;
	uint32_t count = 0;

	if (mflt_coredump_begin(&writer, mflt_port_storage()) != MFLT_OK) {
		return writer.error;
	}
	mflt_coredump_add(&writer, MFLT_BLOCK_REGISTERS, 0, saved, REGISTERS * 4);
	add_identity(&writer, reason);
	mflt_system_add_registers(&writer, system);
	if ((saved[EXC_RETURN] & EXC_RETURN_BASIC) == 0) {
		mflt_system_add_float(&writer);
	}
	mflt_system_add_memory(&writer, system);
	add_memory(&writer, start_of_stack(stack), MFLT_COREDUMP_STACK_SIZE);
	if (thread_stack != 0) {
		add_memory(&writer, start_of_stack(thread_stack),
			   MFLT_COREDUMP_STACK_SIZE / 4);
	}
	if (&mflt_log_region != NULL) {
		add_memory(&writer, (uint32_t)mflt_log_region.start, mflt_log_region.size);
	}
	if (mflt_port_rtos_region != NULL) {
		struct mflt_region region;

		for (uint32_t i = 0; mflt_port_rtos_region(i, &region); i++) {
			add_memory(&writer, (uint32_t)region.start, region.size);
		}
	}
	const struct mflt_region *regions = mflt_port_regions(&count);

	for (uint32_t i = 0; i < count; i++) {
		add_memory(&writer, (uint32_t)regions[i].start, regions[i].size);
	}
	return mflt_coredump_end(&writer);
}

/* `saved` becomes all registers. */
static void capture(uint32_t msp, uint32_t psp, uint32_t *saved)
{
	struct mflt_system system;
	uint32_t exception, undefined = 0, limit = 0;
	/* The stack with the frame of the exception. */
	uint32_t stack = (saved[EXC_RETURN] & EXC_RETURN_PSP) != 0 ? psp : msp;

	mflt_system_begin(&system);
	__asm volatile("mrs %0, ipsr" : "=r"(exception));
	system.special[MFLT_CONTROL] = control_before(saved[EXC_RETURN]);
#if MFLT_HAS_STACK_LIMITS
	system.special[MFLT_MSPLIM] = saved[MSPLIM];
	limit = system.special[stack == psp ? MFLT_PSPLIM : MFLT_MSPLIM];
#endif
	int is_known = undo_exception(saved, msp, psp, mflt_system_was_stacked(&system, stack, limit));
	uint32_t reason = reason_of(exception);

	if (mflt_crash_reason != 0 && is_known && mflt_probe(saved[PC], 2) == 2) {
		undefined = *(const uint16_t *)saved[PC];
	}
	if (undefined == UDF_CRASH || undefined == UDF_CAPTURE) {
		reason = mflt_crash_reason;
		mflt_system_forget_undefined(&system);
	}
	if (mflt_port_reason != NULL && is_known) {
		reason = mflt_port_reason(reason, saved);
	}
	/* Of the thread too, when a handler crashed. */
	uint32_t thread_stack = (saved[XPSR] & XPSR_EXCEPTION) != 0 ? psp : 0;

	if (undefined != UDF_CAPTURE) {
		mflt_reboot_leave(reason, saved[PC], saved[LR]);
	}
	capture_result = (int16_t)save(saved, &system, reason, stack, thread_stack);
	/* MSP at the entry. */
	msp = (saved[EXC_RETURN] & EXC_RETURN_PSP) != 0 ? saved[MSP] : stack;
	if (undefined == UDF_CAPTURE) {
		mflt_system_clear_status();
		mflt_system_end(&system);
		/* Behind the instruction. */
		((uint32_t *)stack)[6] += 2;
		is_busy = 0;
		go_on(saved, msp, saved[EXC_RETURN]);
	}
	if (capture_result == MFLT_OK) {
		mflt_reboot_leave_coredump();
	}
	if (mflt_port_fault == NULL) {
		mflt_port_reset();
	}
	mflt_system_end(&system);
	go_on(saved, msp, (uint32_t)mflt_port_fault);
}

void mflt_crash_survived(void)
{
	mflt_reboot_stay();
	is_busy = 0;
}

uint32_t mflt_crash_capture_begin(enum mflt_reason reason)
{
	uint32_t state;

	/* Another crash meanwhile would be taken for this. */
	__asm volatile("mrs %0, primask\n\tcpsid i" : "=r"(state) : : "memory");
	mflt_crash_reason = (uint32_t)reason;
	goes_on = 1;
	return state;
}

int mflt_crash_capture_end(uint32_t state)
{
	goes_on = 0;
	mflt_crash_reason = 0;
	int result = capture_result;

	__asm volatile("msr primask, %0" : : "r"(state) : "memory");
	return result;
}

int mflt_crash_init(enum mflt_reason reason, uint32_t reset_register)
{
	mflt_reboot_init((uint32_t)reason, reset_register);
#if MFLT_HAS_FAULT_STATUS
	/* USGFAULTENA, BUSFAULTENA, MEMFAULTENA. */
	MFLT_REGISTER(MFLT_SHCSR) |= 7u << 16;
#endif
	return mflt_coredump_init();
}

void mflt_crash_expect_reset(enum mflt_reason reason)
{
	mflt_reboot_leave((uint32_t)reason, 0, 0);
}
