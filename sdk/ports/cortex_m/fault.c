/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The fault handler: on a stack of its own, with interrupts off, from the registers at the entry to
 * the reset. Exception frames: Armv7-M ARM (DDI 0403) B1.5.6; EXC_RETURN: B1.5.8.
 */
#include "coredump_writer.h"
#include "mflt/coredump.h"
#include "mflt/crash.h"
#include "mflt/port.h"
#include "probe.h"
#include "reboot.h"
#include "scs.h"

#include <stddef.h>

#define EXC_RETURN_PSP (1u << 2)
#define EXC_RETURN_BASIC (1u << 4)
#define XPSR_EXCEPTION 0x1ffu
#define XPSR_ALIGNED (1u << 9)
#define BASIC_FRAME 0x20u
#define EXTENDED_FRAME 0x68u
/* udf #0x4d of MFLT_CRASH. */
#define UDF 0xde4du
#define CFSR_UNDEFINSTR (1u << 16)
/* MSTKERR and STKERR: the frame of the exception was not written. */
#define CFSR_NOT_STACKED (1u << 4 | 1u << 12)
#define HFSR_FORCED (1u << 30)
/* A stack that has grown out of memory by less than this is kept from where memory begins. */
#define MOST_OVERFLOW 0x100000u
#define MACHINE_CORTEX_M 40u

enum { R12 = 12, SP, LR, PC, XPSR, MSP, PSP, REGISTERS };

/* Of the log (src/log.c), if there is one. */
extern const struct mflt_region mflt_log_region __attribute__((weak));

volatile uint32_t mflt_crash_reason;

__attribute__((aligned(8), used)) static uint8_t fault_stack[MFLT_FAULT_STACK_SIZE];
__attribute__((used)) static volatile uint32_t is_busy;

__attribute__((used, noreturn)) static void capture(uint32_t msp, uint32_t psp, uint32_t exc_return,
						    const uint32_t saved[8]);
__attribute__((used)) static void faulted_again(uint32_t *frame);

/*
 * r0 and r1 are the stack pointers, r2 is EXC_RETURN, r3 where r8 to r11 and r4 to r7 are pushed to.
 * A second fault stays on the stack that it finds, and may be a read that was known to be risky.
 */
__attribute__((naked)) void mflt_fault_handler(void)
{
	__asm volatile(".syntax unified\n\t"
		       "mrs r0, msp\n\t"
		       "ldr r3, 1f\n\t"
		       "ldr r2, [r3]\n\t"
		       "cmp r2, #0\n\t"
		       "bne 3f\n\t"
		       "movs r2, #1\n\t"
		       "str r2, [r3]\n\t"
		       "mrs r1, psp\n\t"
		       "mov r2, lr\n\t"
#if MFLT_HAS_STACK_LIMITS
		       "movs r3, #0\n\t"
		       "msr msplim, r3\n\t"
#endif
		       "ldr r3, 2f\n\t"
		       "mov sp, r3\n\t"
		       "push {r4-r7}\n\t"
		       "mov r4, r8\n\t"
		       "mov r5, r9\n\t"
		       "mov r6, r10\n\t"
		       "mov r7, r11\n\t"
		       "push {r4-r7}\n\t"
		       "mov r3, sp\n\t"
		       "bl %c0\n\t"
		       "3: ldr r3, 4f\n\t"
		       "bx r3\n\t"
		       ".balign 4\n\t"
		       "1: .word %c1\n\t"
		       "2: .word %c2 + %c3\n\t"
		       "4: .word %c4\n\t"
		       :
		       : "i"(capture), "i"(&is_busy), "i"(fault_stack), "i"(sizeof(fault_stack)),
			 "i"(faulted_again));
}

static void faulted_again(uint32_t *frame)
{
	if (!mflt_probe_faulted(frame)) {
		/* The handler itself is broken: what it has left by now has to do. */
		mflt_port_reset();
	}
}

/* The registers as they were before the exception. Gives 0, and those of its frame are 0, when that
 * was not written or cannot be read. */
static int undo_exception(uint32_t registers[REGISTERS], uint32_t msp, uint32_t psp,
			  uint32_t exc_return, const uint32_t saved[8], int was_stacked)
{
	uint32_t frame[8] = {0};
	int on_psp = (exc_return & EXC_RETURN_PSP) != 0;
	uint32_t sp = on_psp ? psp : msp;
	int is_there = was_stacked && mflt_probe(sp, BASIC_FRAME) == BASIC_FRAME &&
		       mflt_probe_copy(frame, sp, sizeof(frame));

	for (uint32_t i = 0; i < 4; i++) {
		registers[i] = frame[i];
		registers[4 + i] = saved[4 + i];
		registers[8 + i] = saved[i];
	}
	registers[R12] = frame[4];
	registers[LR] = frame[5];
	registers[PC] = frame[6];
	registers[XPSR] = frame[7];
	sp += (exc_return & EXC_RETURN_BASIC) != 0 ? BASIC_FRAME : EXTENDED_FRAME;
	sp += (frame[7] & XPSR_ALIGNED) != 0 ? 4 : 0;
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

static int copy_registers(void *to, uintptr_t from, uint32_t size)
{
	uint32_t *words = to;

	for (uint32_t i = 0; i < size / 4; i++) {
		words[i] = MFLT_REGISTER(from + 4 * i);
	}
	return 1;
}

static int copy_bytes(void *to, uintptr_t from, uint32_t size)
{
	uint8_t *bytes = to;
	const uint8_t *source = (const uint8_t *)from;

	for (uint32_t i = 0; i < size; i++) {
		bytes[i] = source[i];
	}
	return 1;
}

static void add_registers(struct mflt_coredump_writer *writer, uint32_t address, uint32_t size)
{
	mflt_coredump_add_memory(writer, address, address, size, copy_registers);
}

/* The System Control Space; `block` is the SCB as it was at the crash. */
static void add_system(struct mflt_coredump_writer *writer, const uint32_t *block)
{
	mflt_coredump_add_memory(writer, MFLT_SCB, (uintptr_t)block, MFLT_SCB_SIZE, copy_bytes);
	add_registers(writer, MFLT_SYST_CSR, 16);
#if MFLT_HAS_FAULT_STATUS
	/* Words of 32 interrupts each. */
	uint32_t words = (MFLT_REGISTER(MFLT_ICTR) & 0xfu) + 1u;

	add_registers(writer, MFLT_ICTR, 4);
	add_registers(writer, MFLT_DEMCR, 4);
	add_registers(writer, MFLT_NVIC_IABR, 4 * words);
	add_registers(writer, MFLT_CPACR, 4);
	add_registers(writer, MFLT_FPCCR, 8);
#else
	uint32_t words = 1;
#endif
#if MFLT_HAS_STACK_LIMITS
	add_registers(writer, MFLT_SFSR, 8);
#endif
	add_registers(writer, MFLT_NVIC_ISER, 4 * words);
	add_registers(writer, MFLT_NVIC_ISPR, 4 * words);
	add_registers(writer, MFLT_NVIC_IPR, 32 * words);
}

/* The MPU's registers, as the coredump keeps them. */
struct mpu {
	uint32_t type;
	uint32_t ctrl;
	/* RBAR and RASR (Armv8-M: RLAR). */
	uint32_t regions[2 * MFLT_MPU_REGIONS];
	uint32_t count;
};

/* Switches the MPU off, too: what it forbids is to be read. */
static void read_mpu(struct mpu *mpu)
{
	mpu->type = MFLT_REGISTER(MFLT_MPU_TYPE);
	mpu->ctrl = MFLT_REGISTER(MFLT_MPU_CTRL);
	mpu->count = mpu->type >> 8 & 0xffu;
	mpu->count = mpu->count < MFLT_MPU_REGIONS ? mpu->count : MFLT_MPU_REGIONS;
	for (uint32_t i = 0; i < mpu->count; i++) {
		MFLT_REGISTER(MFLT_MPU_RNR) = i;
		mpu->regions[2 * i] = MFLT_REGISTER(MFLT_MPU_RBAR);
		mpu->regions[2 * i + 1] = MFLT_REGISTER(MFLT_MPU_RASR);
	}
	MFLT_REGISTER(MFLT_MPU_CTRL) = 0;
	__asm volatile("dsb\n\tisb" : : : "memory");
}

static void add_memory(struct mflt_coredump_writer *writer, uint32_t address, uint32_t size)
{
	mflt_coredump_add_memory(writer, address, address, mflt_probe(address, size),
				 mflt_probe_copy);
}

static void add_region(struct mflt_coredump_writer *writer, const struct mflt_region *region)
{
	add_memory(writer, (uint32_t)region->start, region->size);
}

/* The stack from `sp` upwards; what has left its memory begins with that. */
static void add_stack(struct mflt_coredump_writer *writer, uint32_t sp, uint32_t size)
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
	add_memory(writer, start, size);
}

static int save(const uint32_t registers[REGISTERS], const uint32_t *block, const struct mpu *mpu,
		uint32_t reason, uint32_t stack, uint32_t thread_stack)
{
	struct mflt_coredump_writer writer;
	uint32_t count = 0;

	if (mflt_coredump_begin(&writer, mflt_port_storage()) != MFLT_OK) {
		return writer.error;
	}
	mflt_coredump_add(&writer, MFLT_BLOCK_REGISTERS, 0, registers, REGISTERS * 4);
	add_identity(&writer, reason);
	if (mpu->count > 0) {
		mflt_coredump_add(&writer, MFLT_BLOCK_MPU, 0, mpu, 8 + 8 * mpu->count);
	}
	add_system(&writer, block);
	add_stack(&writer, stack, MFLT_COREDUMP_STACK_SIZE);
	if (thread_stack != 0) {
		add_stack(&writer, thread_stack, MFLT_COREDUMP_STACK_SIZE / 4);
	}
	if (&mflt_log_region != NULL) {
		add_region(&writer, &mflt_log_region);
	}
	const struct mflt_region *regions = mflt_port_regions(&count);

	for (uint32_t i = 0; i < count; i++) {
		add_region(&writer, &regions[i]);
	}
	return mflt_coredump_end(&writer);
}

static void capture(uint32_t msp, uint32_t psp, uint32_t exc_return, const uint32_t saved[8])
{
	uint32_t registers[REGISTERS];
	uint32_t block[MFLT_SCB_SIZE / 4];
	struct mpu mpu;
	uint32_t exception;

	__asm volatile("cpsid i" : : : "memory");
	__asm volatile("mrs %0, ipsr" : "=r"(exception));
	/* Before anything here changes them. */
	(void)copy_registers(block, MFLT_SCB, sizeof(block));
	mflt_probe_init();
	read_mpu(&mpu);
	int was_stacked = (block[(MFLT_CFSR - MFLT_SCB) / 4] & CFSR_NOT_STACKED) == 0;
	int is_known = undo_exception(registers, msp, psp, exc_return, saved, was_stacked);
	uint32_t reason = reason_of(exception);

	if (mflt_crash_reason != 0 && is_known && mflt_probe(registers[PC], 2) == 2 &&
	    *(const uint16_t *)registers[PC] == UDF) {
		reason = mflt_crash_reason;
		block[(MFLT_CFSR - MFLT_SCB) / 4] &= ~CFSR_UNDEFINSTR;
		block[(MFLT_HFSR - MFLT_SCB) / 4] &= ~HFSR_FORCED;
	}
	mflt_reboot_leave(reason, registers[PC], registers[LR]);
	/* The stack with the frame of the exception; of the thread too, when a handler crashed. */
	uint32_t stack = (exc_return & EXC_RETURN_PSP) != 0 ? psp : msp;
	uint32_t thread_stack = (registers[XPSR] & XPSR_EXCEPTION) != 0 ? psp : 0;

	if (save(registers, block, &mpu, reason, stack, thread_stack) == MFLT_OK) {
		mflt_reboot_leave_coredump();
	}
	mflt_port_reset();
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
