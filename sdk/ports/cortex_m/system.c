/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Armv7-M ARM (DDI 0403) B1.4, B3.2; Armv8-M ARM (DDI 0553) D1. */
#include "system.h"
#include "mflt/config.h"
#include "mflt/error.h"
#include "probe.h"

#define CFSR_UNDEFINSTR (1u << 16)
/* MSTKERR and STKERR: the frame of the exception was not written. */
#define CFSR_NOT_STACKED (1u << 4 | 1u << 12)
#define CFSR_STKOF (1u << 20)
#define HFSR_FORCED (1u << 30)
/* ASPEN: the first use makes a state of the FPU anew. LSPACT: it stores the state of another. */
#define FPCCR_ASPEN (1u << 31)
#define FPCCR_LSPACT (1u << 0)

enum { CFSR, HFSR };

/* The numbers of SPEC.md; FPSCR follows the singles. */
enum { FIRST_SPECIAL = 0, FIRST_NON_SECURE = 0x10, FIRST_SINGLE = 0x40 };

#define READ(name)                                                                               \
	__extension__({                                                                          \
		uint32_t value_;                                                                 \
		__asm volatile("mrs %0, " name : "=r"(value_));                                  \
		value_;                                                                          \
	})

static void set_mpu(uint32_t ctrl)
{
	MFLT_REGISTER(MFLT_MPU_CTRL) = ctrl;
	__asm volatile("dsb\n\tisb" : : : "memory");
}

void mflt_system_begin(struct mflt_system *system)
{
	system->special[MFLT_PRIMASK] = READ("primask");
#if MFLT_HAS_FAULT_STATUS
	system->special[MFLT_BASEPRI] = READ("basepri");
	system->special[MFLT_FAULTMASK] = READ("faultmask");
#endif
#if MFLT_HAS_STACK_LIMITS
	system->special[MFLT_PSPLIM] = READ("psplim");
#endif
	__asm volatile("cpsid i" : : : "memory");
	system->mpu_ctrl = MFLT_REGISTER(MFLT_MPU_CTRL);
	system->mpu_rnr = MFLT_REGISTER(MFLT_MPU_RNR);
	set_mpu(0);
#if MFLT_HAS_FAULT_STATUS
	for (uint32_t i = 0; i < MFLT_STATUS_SIZE / 4; i++) {
		system->status[i] = MFLT_REGISTER(MFLT_CFSR + 4 * i);
	}
	system->ccr = MFLT_REGISTER(MFLT_CCR);
#endif
	mflt_probe_init();
}

void mflt_system_end(const struct mflt_system *system)
{
#if MFLT_HAS_FAULT_STATUS
	MFLT_REGISTER(MFLT_CCR) = system->ccr;
#endif
	MFLT_REGISTER(MFLT_MPU_RNR) = system->mpu_rnr;
	set_mpu(system->mpu_ctrl);
	__asm volatile("msr primask, %0" : : "r"(system->special[MFLT_PRIMASK]) : "memory");
}

void mflt_system_clear_status(void)
{
#if MFLT_HAS_FAULT_STATUS
	/* Bits are cleared by writing 1; the reads have set some. */
	MFLT_REGISTER(MFLT_CFSR) = CFSR_UNDEFINSTR | MFLT_CFSR_BUS;
	MFLT_REGISTER(MFLT_HFSR) = HFSR_FORCED;
#endif
}

int mflt_system_was_stacked(const struct mflt_system *system, uint32_t stack, uint32_t limit)
{
#if MFLT_HAS_STACK_LIMITS
	/* Without room the stack pointer becomes its limit. Armv8-M ARM (DDI 0553) B3.21. */
	if ((system->status[CFSR] & CFSR_STKOF) != 0 && stack == limit) {
		return 0;
	}
#else
	(void)stack;
	(void)limit;
#endif
#if MFLT_HAS_FAULT_STATUS
	return (system->status[CFSR] & CFSR_NOT_STACKED) == 0;
#else
	(void)system;
	return 1;
#endif
}

void mflt_system_forget_undefined(struct mflt_system *system)
{
#if MFLT_HAS_FAULT_STATUS
	system->status[CFSR] &= ~CFSR_UNDEFINSTR;
	system->status[HFSR] &= ~HFSR_FORCED;
#else
	(void)system;
#endif
}

static void add_mpu(struct mflt_coredump_writer *writer, const struct mflt_system *system)
{
	uint32_t words[2] = {MFLT_REGISTER(MFLT_MPU_TYPE), system->mpu_ctrl};
	uint32_t count = words[0] >> 8 & 0xffu;

	count = count < MFLT_MPU_REGIONS ? count : MFLT_MPU_REGIONS;
	if (count == 0 || mflt_coredump_open(writer, MFLT_BLOCK_MPU, 0, 8 + 8 * count) != MFLT_OK) {
		return;
	}
	mflt_coredump_put(writer, words, sizeof(words));
	for (uint32_t i = 0; i < count; i++) {
		MFLT_REGISTER(MFLT_MPU_RNR) = i;
		words[0] = MFLT_REGISTER(MFLT_MPU_RBAR);
		words[1] = MFLT_REGISTER(MFLT_MPU_RASR);
		mflt_coredump_put(writer, words, sizeof(words));
	}
}

/* Of the other state, when this is the Secure one. */
static void add_non_secure(struct mflt_coredump_writer *writer)
{
#if defined(__ARM_FEATURE_CMSE) && __ARM_FEATURE_CMSE == 3 && MFLT_HAS_STACK_LIMITS
	const uint32_t words[] = {
		READ("msp_ns"),	    READ("psp_ns"),	READ("msplim_ns"),    READ("psplim_ns"),
		READ("primask_ns"), READ("basepri_ns"), READ("faultmask_ns"), READ("control_ns"),
	};

	mflt_coredump_add(writer, MFLT_BLOCK_FURTHER_REGISTERS, FIRST_NON_SECURE, words,
			  sizeof(words));
#else
	(void)writer;
#endif
}

void mflt_system_add_registers(struct mflt_coredump_writer *writer, const struct mflt_system *system)
{
	mflt_coredump_add(writer, MFLT_BLOCK_FURTHER_REGISTERS, FIRST_SPECIAL, system->special,
			  sizeof(system->special));
	add_non_secure(writer);
	add_mpu(writer, system);
}

#define PUT_SINGLES(registers)                                                                    \
	do {                                                                                     \
		__asm volatile("vstmia %0, " registers : : "r"(words) : "memory");               \
		mflt_coredump_put(writer, words, sizeof(words));                                 \
	} while (0)

void mflt_system_add_float(struct mflt_coredump_writer *writer)
{
#ifdef __ARM_FP
	uint32_t words[4], status, fpccr = MFLT_REGISTER(MFLT_FPCCR);

	/* The frame may have no room for the registers yet, and its stack may be broken: they are read
	 * where they are, without storing them there first. */
	MFLT_REGISTER(MFLT_FPCCR) = fpccr & ~(FPCCR_ASPEN | FPCCR_LSPACT);
	__asm volatile("dsb\n\tisb" : : : "memory");
	if (mflt_coredump_open(writer, MFLT_BLOCK_FURTHER_REGISTERS, FIRST_SINGLE, 33 * 4) == MFLT_OK) {
		__asm volatile("vmrs %0, fpscr" : "=r"(status));
		PUT_SINGLES("{s0-s3}");
		PUT_SINGLES("{s4-s7}");
		PUT_SINGLES("{s8-s11}");
		PUT_SINGLES("{s12-s15}");
		PUT_SINGLES("{s16-s19}");
		PUT_SINGLES("{s20-s23}");
		PUT_SINGLES("{s24-s27}");
		PUT_SINGLES("{s28-s31}");
		mflt_coredump_put(writer, &status, sizeof(status));
	}
	MFLT_REGISTER(MFLT_FPCCR) = fpccr;
#else
	(void)writer;
#endif
}

static int copy_registers(void *to, uintptr_t from, uint32_t size)
{
	uint8_t *bytes = to;

	for (uint32_t i = 0; i < size; i++) {
		bytes[i] = (uint8_t)(MFLT_REGISTER((from + i) & ~(uintptr_t)3) >> (8 * (i & 3u)));
	}
	return 1;
}

static void add_space(struct mflt_coredump_writer *writer, uint32_t address, uint32_t size)
{
	mflt_coredump_add_memory(writer, address, size, copy_registers);
}

void mflt_system_add_memory(struct mflt_coredump_writer *writer, const struct mflt_system *system)
{
#if MFLT_HAS_FAULT_STATUS
	/* Words of 32 interrupts each. */
	uint32_t words = (MFLT_REGISTER(MFLT_ICTR) & 0xfu) + 1u;
	uint32_t ccr = MFLT_REGISTER(MFLT_CCR);

	MFLT_REGISTER(MFLT_CCR) = system->ccr;
	add_space(writer, MFLT_SCB, MFLT_CFSR - MFLT_SCB);
	MFLT_REGISTER(MFLT_CCR) = ccr;
	mflt_coredump_add(writer, MFLT_BLOCK_MEMORY, MFLT_CFSR, system->status, MFLT_STATUS_SIZE);
	add_space(writer, MFLT_ICTR, 4);
	add_space(writer, MFLT_DEMCR, 4);
	add_space(writer, MFLT_NVIC_IABR, 4 * words);
	add_space(writer, MFLT_CPACR, 4);
	add_space(writer, MFLT_FPCCR, 8);
#else
	uint32_t words = 1;

	(void)system;
	add_space(writer, MFLT_SCB, MFLT_SCB_SIZE);
#endif
#if MFLT_HAS_STACK_LIMITS
	add_space(writer, MFLT_SFSR, 8);
	add_space(writer, MFLT_MPU_MAIR0, 8);
#endif
	add_space(writer, MFLT_SYST_CSR, 16);
	add_space(writer, MFLT_NVIC_ISER, 4 * words);
	add_space(writer, MFLT_NVIC_ISPR, 4 * words);
	add_space(writer, MFLT_NVIC_IPR, 32 * words);
}
