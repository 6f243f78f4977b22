/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is to be sent, in chunks of any size from MFLT_CHUNK_MIN on: first the coredump, then the
 * reboots, then the events, each sort from the oldest on. A message stays on the device until the transport says that it was delivered:
 *
 *	while ((size = mflt_chunk_next(buffer, sizeof(buffer))) > 0) {
 *		if (!send(buffer, size)) {
 *			mflt_chunk_abort();
 *			return;
 *		}
 *	}
 *	mflt_chunk_delivered();
 *
 * Not to be called from interrupts, nor from two threads at once.
 */
#ifndef MFLT_CHUNK_H
#define MFLT_CHUNK_H

#include "mflt/error.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MFLT_CHUNK_MIN 9u

/* Bytes of the next chunk of a message, at most `size`; 0 when all chunks of the message were given
 * out, or when there is nothing to send. Negative when the message cannot be read; it then begins
 * anew. */
int mflt_chunk_next(void *buffer, uint32_t size);

/* The message arrived: it is removed, the next one is the next. Does nothing before the last chunk
 * of a message was given out. Gives 1 when there is more to send, else 0. */
int mflt_chunk_delivered(void);

/* Begins the message again. */
void mflt_chunk_abort(void);

/* Prints all chunks of the next message as lines `MC:<base64>:`, for a console. Gives how many. */
int mflt_chunk_print(void (*print)(const char *line));

#ifdef __cplusplus
}
#endif

#endif
