/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How a part of the SDK that runs on the host talks to the test: numbers little endian, as the host. */
#ifndef PIPE_H
#define PIPE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void take(void *to, size_t size)
{
	if (fread(to, 1, size, stdin) != size) {
		exit(0);
	}
}

static uint32_t take_u32(void)
{
	uint32_t value;

	take(&value, sizeof(value));
	return value;
}

static void give(const void *bytes, uint32_t size)
{
	fwrite(&size, sizeof(size), 1, stdout);
	fwrite(bytes, 1, size, stdout);
}

static void give_result(int32_t result)
{
	fwrite(&result, sizeof(result), 1, stdout);
}

#endif
