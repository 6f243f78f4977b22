/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Registers of the System Control Space. Armv6-M ARM (DDI 0419) B3, Armv7-M ARM (DDI 0403) B3,
 * Armv8-M ARM (DDI 0553) D1. */
#ifndef MFLT_SCS_H
#define MFLT_SCS_H

#include <stdint.h>

#define MFLT_ICTR 0xe000e004u
#define MFLT_SYST_CSR 0xe000e010u
#define MFLT_NVIC_ISER 0xe000e100u
#define MFLT_NVIC_ISPR 0xe000e200u
#define MFLT_NVIC_IABR 0xe000e300u
#define MFLT_NVIC_IPR 0xe000e400u
/* CPUID to AFSR. */
#define MFLT_SCB 0xe000ed00u
#define MFLT_SCB_SIZE 64u
#define MFLT_AIRCR 0xe000ed0cu
#define MFLT_CCR 0xe000ed14u
#define MFLT_SHCSR 0xe000ed24u
#define MFLT_CFSR 0xe000ed28u
#define MFLT_HFSR 0xe000ed2cu
/* CFSR to AFSR. */
#define MFLT_STATUS_SIZE 24u
#define MFLT_CFSR_BUS 0x0000ff00u
#define MFLT_CPACR 0xe000ed88u
#define MFLT_MPU_TYPE 0xe000ed90u
#define MFLT_MPU_CTRL 0xe000ed94u
#define MFLT_MPU_RNR 0xe000ed98u
#define MFLT_MPU_RBAR 0xe000ed9cu
#define MFLT_MPU_RASR 0xe000eda0u
#define MFLT_MPU_MAIR0 0xe000edc0u
#define MFLT_SFSR 0xe000ede4u
#define MFLT_DEMCR 0xe000edfcu
#define MFLT_FPCCR 0xe000ef34u

#define MFLT_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Whether there are CFSR, BusFault and the like. */
#if defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__) || defined(__ARM_ARCH_8M_MAIN__) ||    \
	defined(__ARM_ARCH_8_1M_MAIN__)
#define MFLT_HAS_FAULT_STATUS 1
#else
#define MFLT_HAS_FAULT_STATUS 0
#endif

/* Whether there are PSPLIM and MSPLIM that hold here. */
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
#define MFLT_HAS_STACK_LIMITS 1
#else
#define MFLT_HAS_STACK_LIMITS 0
#endif

#endif
