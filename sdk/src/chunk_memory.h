/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The message that is being sent, and the stack of the fault handler, in one place unless
 * MFLT_FAULT_STACK_OWN: behind a crash nothing is sent any more, and after the reset every message begins
 * anew. */
#ifndef MFLT_CHUNK_MEMORY_H
#define MFLT_CHUNK_MEMORY_H

#include "mflt/config.h"
#include "rle.h"

#include <stdint.h>

enum mflt_sending_kind {
	MFLT_SENDING_NOTHING,
	MFLT_SENDING_COREDUMP,
	MFLT_SENDING_REBOOT,
	MFLT_SENDING_EVENT,
};

struct mflt_sending {
	enum mflt_sending_kind kind;
	/* Its bytes, with its header, and how many were given out. */
	uint32_t size;
	uint32_t at;
	uint16_t crc;
	/* The last chunk was given out. */
	uint8_t is_out;
	struct mflt_rle rle;
};

#if MFLT_FAULT_STACK_OWN
extern struct mflt_chunk_memory {
#else
extern union mflt_chunk_memory {
#endif
	struct mflt_sending sending;
#ifdef __arm__
	uint8_t fault_stack[MFLT_FAULT_STACK_SIZE] __attribute__((aligned(8)));
#endif
} mflt_chunk_memory;

#endif
