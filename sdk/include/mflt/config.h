/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every option of the SDK: its unit, its default, what it costs. To change some, compile with
 * -DMFLT_CONFIG_FILE='"my_mflt_config.h"' and define them there.
 */
#ifndef MFLT_CONFIG_H
#define MFLT_CONFIG_H

#ifdef MFLT_CONFIG_FILE
#include MFLT_CONFIG_FILE
#endif

/* Bytes of the log ring, without its header of 28 bytes. Costs as much RAM. */
#ifndef MFLT_LOG_SIZE
#define MFLT_LOG_SIZE 1024
#endif

/* Longest log line in bytes; what is longer is cut. Costs as much stack in each call that logs,
 * and the lock is held while so many bytes are copied. At least 16, at most 1024. */
#ifndef MFLT_LOG_LINE_SIZE
#define MFLT_LOG_LINE_SIZE 96
#endif

/* Lines below this level are left out by the compiler: 0 debug, 1 info, 2 warning, 3 error. */
#ifndef MFLT_LOG_LEVEL
#define MFLT_LOG_LEVEL 1
#endif

/* 1: MFLT_LOG_... keeps the address of the format and the arguments, and the host makes the text
 * with the ELF. A line then takes 13 bytes and 4 for each number, and no time for formatting.
 * Needs C11 or C++11 from the compiler; at most 8 arguments. */
#ifndef MFLT_LOG_COMPACT
#define MFLT_LOG_COMPACT 0
#endif

/* Bytes that storage takes at once, a power of two from 16 on, such as 32 for the words of the flash of
 * an STM32H7. Beyond 16 they cost as much of the fault handler's stack. */
#ifndef MFLT_STORAGE_UNIT
#define MFLT_STORAGE_UNIT 16u
#endif

/* Bytes of RAM in which mflt_storage_ram keeps a coredump, a multiple of MFLT_STORAGE_UNIT; not there unless that
 * is used. */
#ifndef MFLT_COREDUMP_RAM_SIZE
#define MFLT_COREDUMP_RAM_SIZE 4096
#endif

/* mflt_storage_flash: its bytes, those of a page, which is what can be erased, and whether a unit
 * that was programmed can be programmed to zeros. Without that each delivered coredump costs
 * its first page another erase. */
#ifndef MFLT_FLASH_SIZE
#define MFLT_FLASH_SIZE 16384
#endif
#ifndef MFLT_FLASH_PAGE_SIZE
#define MFLT_FLASH_PAGE_SIZE 4096
#endif
#ifndef MFLT_FLASH_CLEARS
#define MFLT_FLASH_CLEARS 0
#endif

/* 0: the first coredump is kept until it is delivered. 1: another crash replaces it, and each crash of
 * a boot loop wears the storage. */
#ifndef MFLT_COREDUMP_KEEP_LAST
#define MFLT_COREDUMP_KEEP_LAST 0
#endif

/* Coredumps that are written in a row by boots that were shorter than MFLT_COREDUMP_INTERVAL_S seconds;
 * further crashes leave their reboot only. 0: no limit. Counted in RAM: a device that loses its power
 * at each crash is not limited. */
#ifndef MFLT_COREDUMP_BURST
#define MFLT_COREDUMP_BURST 8
#endif
#ifndef MFLT_COREDUMP_INTERVAL_S
#define MFLT_COREDUMP_INTERVAL_S 3600
#endif

/* Most bytes of the stack that is kept, from the stack pointer of the crash upwards. Of the stack of
 * the thread, when an interrupt crashed, a quarter as much. Costs storage. */
#ifndef MFLT_COREDUMP_STACK_SIZE
#define MFLT_COREDUMP_STACK_SIZE 2048
#endif

/* Bytes of RAM for the stack of the fault handler, a multiple of 8; the message that is being sent lies
 * in the same memory. The default is what is needed with storage in RAM and a second fault while the
 * handler reads, as measured with GCC 12 and clang 14, and at least 32 more. Of the storage's functions,
 * write may take 48 bytes of it: add what yours take beyond that. */
#ifndef MFLT_FAULT_STACK_SIZE
#if defined(__OPTIMIZE_SIZE__)
#define MFLT_FAULT_STACK_BASE_ 392
#elif defined(__OPTIMIZE__)
#define MFLT_FAULT_STACK_BASE_ 464
#else
#define MFLT_FAULT_STACK_BASE_ 608
#endif
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
#define MFLT_FAULT_STACK_MAINLINE_ 32
#else
#define MFLT_FAULT_STACK_MAINLINE_ 0
#endif
#ifdef __clang__
#define MFLT_FAULT_STACK_CLANG_ 56
#else
#define MFLT_FAULT_STACK_CLANG_ 0
#endif
#define MFLT_FAULT_STACK_SIZE                                                                    \
	(MFLT_FAULT_STACK_BASE_ + MFLT_FAULT_STACK_MAINLINE_ + MFLT_FAULT_STACK_CLANG_ +         \
	 MFLT_STORAGE_UNIT - 16u)
#endif

/* 1: the stack of the fault handler is memory of its own, for firmware that goes on behind a fault
 * (mflt_port_fault). Costs about 60 bytes of RAM. */
#ifndef MFLT_FAULT_STACK_OWN
#define MFLT_FAULT_STACK_OWN 0
#endif

/* Regions of the MPU that are kept, at most 16. Costs 8 bytes of storage each. */
#ifndef MFLT_MPU_REGIONS
#define MFLT_MPU_REGIONS 8
#endif

/* Bytes of RAM for events that wait to be sent, without a header of 28 bytes. A trace takes about 30, a
 * heartbeat about 30 and 2 to 5 for each metric. When it is full new ones are dropped and counted. */
#ifndef MFLT_EVENT_SIZE
#define MFLT_EVENT_SIZE 512
#endif

/* Most bytes of one event, without what says who the device is. Costs as much stack in
 * mflt_session_end and mflt_heartbeat, half as much in mflt_trace_log. */
#ifndef MFLT_EVENT_MAX
#define MFLT_EVENT_MAX 256
#endif

/* 1: metrics are sent with their names, for builds whose ELF the host does not get. Costs flash and a
 * few times the bytes of an event. */
#ifndef MFLT_METRICS_NAMED
#define MFLT_METRICS_NAMED 0
#endif

/* What keeps a variable from being cleared at boot. The linker script has to place the section
 * where nothing initialises it: `.noinit (NOLOAD) : { *(.noinit .noinit.*) } > RAM`. */
#ifndef MFLT_NOINIT
#define MFLT_NOINIT __attribute__((section(".noinit.mflt"), aligned(8)))
#endif

#endif
