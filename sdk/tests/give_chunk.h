/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The command for the next chunk: u32 size in; i32 result out, then so many bytes. */
#ifndef GIVE_CHUNK_H
#define GIVE_CHUNK_H

#include "mflt/chunk.h"
#include "pipe.h"

static void give_chunk(void)
{
	uint32_t size = take_u32();
	/* Exactly as large as announced, so that the sanitizer sees what goes beyond. */
	uint8_t *chunk = malloc(size + (size == 0));
	int result = mflt_chunk_next(chunk, size);

	give_result(result);
	if (result > 0) {
		fwrite(chunk, 1, (size_t)result, stdout);
	}
	free(chunk);
}

#endif
