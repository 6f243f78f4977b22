/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Three things keep a read from ending the fault handler:
 * - addresses outside mflt_port_memory are not touched;
 * - a bus fault in HardFault or NMI is ignored (CCR.BFHFNMIGN, Armv7-M B3.2.8), and shows in CFSR;
 * - a fault in any other handler becomes a HardFault, which goes on behind the load.
 * Armv6-M has the first one only.
 */
#include "probe.h"
#include "mflt/crash.h"
#include "mflt/port.h"
#include "scs.h"

/* Distance of reads that find out whether memory is there. */
#define STEP 32u
#define BFHFNMIGN (1u << 8)
#define HARD_FAULT 3u

static volatile uint8_t is_reading;
static volatile uint8_t has_failed;
#if MFLT_HAS_FAULT_STATUS
/* In HardFault or NMI. In another handler CFSR stays what it is, for who comes behind this one. */
static uint8_t is_ignored;
#endif

void mflt_probe_init(void)
{
#if MFLT_HAS_FAULT_STATUS
	uint32_t exception;

	__asm volatile("mrs %0, ipsr" : "=r"(exception));
	is_ignored = exception <= HARD_FAULT;
	MFLT_REGISTER(MFLT_CCR) |= BFHFNMIGN;
#endif
}

int mflt_probe_faulted(uint32_t *frame)
{
	if (!is_reading) {
		return 0;
	}
	has_failed = 1;
	/* The load has two bytes. */
	frame[6] += 2;
	return 1;
}

static uint32_t load(uint32_t address)
{
	uint32_t word;

#if MFLT_HAS_FAULT_STATUS
	if (is_ignored) {
		/* Bits are cleared by writing 1. */
		MFLT_REGISTER(MFLT_CFSR) = MFLT_CFSR_BUS;
	}
#endif
	is_reading = 1;
	__asm volatile(".syntax unified\n\t"
		       "movs %0, #0\n\t"
		       "ldr.n %0, [%1]"
		       : "=&l"(word)
		       : "l"(address)
		       : "cc", "memory");
	is_reading = 0;
#if MFLT_HAS_FAULT_STATUS
	if (is_ignored && (MFLT_REGISTER(MFLT_CFSR) & MFLT_CFSR_BUS) != 0) {
		has_failed = 1;
	}
#endif
	return has_failed ? 0 : word;
}

/* Bytes from `address` on that lie in the memory that the application names. */
static uint32_t known(uint32_t address)
{
	uint32_t count = 0;
	const struct mflt_region *memory = mflt_port_memory(&count);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t offset = address - (uint32_t)memory[i].start;

		if (offset < memory[i].size) {
			return memory[i].size - offset;
		}
	}
	return 0;
}

uint32_t mflt_probe(uint32_t address, uint32_t size)
{
	uint32_t most = known(address);

	size = size < most ? size : most;
	/* No region goes on at address 0. */
	size = address != 0 && size > 0u - address ? 0u - address : size;
	has_failed = 0;
	for (uint32_t at = 0; at < size; at += STEP) {
		(void)load((address + at) & ~3u);
		if (has_failed) {
			return at;
		}
	}
	if (size > 0) {
		(void)load((address + size - 1u) & ~3u);
	}
	return has_failed ? (size - 1u) & ~(STEP - 1u) : size;
}

int mflt_probe_copy(void *to, uintptr_t from, uint32_t size)
{
	uint8_t *bytes = to;
	uint32_t word = 0;
	int is_whole = 1;

	for (uint32_t i = 0; i < size; i++) {
		uint32_t at = (uint32_t)from + i;

		/* At the beginning, and at each word. */
		if (i == 0 || (at & 3u) == 0) {
			has_failed = 0;
			word = load(at & ~3u) >> (8 * (at & 3u));
			is_whole &= !has_failed;
		}
		bytes[i] = (uint8_t)word;
		word >>= 8;
	}
	return is_whole;
}
