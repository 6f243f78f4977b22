/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "mflt/chunk.h"
#include "chunk_memory.h"
#include "crc16.h"
#include "event.h"
#include "event_store.h"
#include "mflt/coredump.h"
#include "reboot.h"

#include <stddef.h>

#define HEADER_WHOLE 0x08u
#define HEADER_FIRST 0x48u
#define HEADER_MIDDLE 0xc0u
#define HEADER_LAST 0x80u
#define CRC_SIZE 2u
#define MESSAGE_COREDUMP 0x81u
#define MESSAGE_EVENT 0x02u
/* Bytes of a chunk on a console. */
#define PRINTED_CHUNK 80u

#if MFLT_FAULT_STACK_OWN
struct mflt_chunk_memory mflt_chunk_memory;
#else
union mflt_chunk_memory mflt_chunk_memory;
#endif

#define current mflt_chunk_memory.sending

/* The next byte of the message, -1 at its end or when it cannot be read. */
static int next_byte(void)
{
	uint8_t byte;

	if (current.kind == MFLT_SENDING_COREDUMP) {
		return current.at == 0 ? (int)MESSAGE_COREDUMP : mflt_rle_next(&current.rle);
	}
	if (current.at == 0) {
		return (int)MESSAGE_EVENT;
	}
	if (current.kind == MFLT_SENDING_EVENT) {
		return mflt_event_store_read(current.at - 1, &byte) == 1 ? byte : -1;
	}
	const struct mflt_reboot *reboot = mflt_reboot_untold();

	return reboot != NULL && mflt_event_reboot(reboot, current.at - 1, &byte, 1) == 1 ? byte : -1;
}

static void rewind_message(void)
{
	current.at = 0;
	current.crc = 0;
	current.is_out = 0;
	mflt_rle_begin(&current.rle, mflt_coredump_read);
}

/* What is to be sent next: the functions of events are not there when nobody uses them. */
static enum mflt_sending_kind next_kind(void)
{
	if (mflt_coredump_size() != 0) {
		return MFLT_SENDING_COREDUMP;
	}
	if (mflt_reboot_untold() != NULL) {
		return MFLT_SENDING_REBOOT;
	}
	return mflt_event_store_has_any != NULL && mflt_event_store_has_any() ? MFLT_SENDING_EVENT
									      : MFLT_SENDING_NOTHING;
}

static int begin(void)
{
	current.kind = next_kind();
	rewind_message();
	if (current.kind == MFLT_SENDING_NOTHING) {
		return 0;
	}
	/* The size stands in the first chunk: all is coded once to know it. */
	for (current.size = 0; next_byte() >= 0; current.size++) {
		current.at++;
	}
	int error = current.rle.error;

	rewind_message();
	if (error < 0) {
		current.kind = MFLT_SENDING_NOTHING;
		return error;
	}
	return 1;
}

static uint32_t put_number(uint8_t *to, uint32_t number)
{
	uint32_t used = 0;

	while (number > 0x7f) {
		to[used++] = (uint8_t)(number | 0x80u);
		number >>= 7;
	}
	to[used++] = (uint8_t)number;
	return used;
}

int mflt_chunk_next(void *buffer, uint32_t size)
{
	uint8_t *to = buffer;
	uint32_t head = 1;

	if (buffer == NULL || size < MFLT_CHUNK_MIN) {
		return MFLT_EINVAL;
	}
	if (current.is_out) {
		return 0;
	}
	if (current.at == 0) {
		int begun = begin();

		if (begun <= 0) {
			return begun;
		}
	}
	uint32_t left = current.size - current.at;
	int is_last, is_first = current.at == 0;

	if (!is_first) {
		head += put_number(&to[head], current.at);
	}
	/* The CRC is not split: without room for all of it another chunk follows. */
	is_last = left + CRC_SIZE <= size - head;
	if (is_first && !is_last) {
		head += put_number(&to[head], current.size);
	}
	to[0] = is_first ? (is_last ? HEADER_WHOLE : HEADER_FIRST)
			 : (is_last ? HEADER_LAST : HEADER_MIDDLE);
	uint32_t used = head, end = left < size - head ? head + left : size;

	while (used < end) {
		int byte = next_byte();

		if (byte < 0) {
			int error = current.rle.error;

			mflt_chunk_abort();
			return error < 0 ? error : MFLT_EIO;
		}
		to[used++] = (uint8_t)byte;
		current.at++;
	}
	current.crc = mflt_crc16(current.crc, &to[head], used - head);
	if (is_last) {
		to[used++] = (uint8_t)current.crc;
		to[used++] = (uint8_t)(current.crc >> 8);
		current.is_out = 1;
	}
	return (int)used;
}

void mflt_chunk_abort(void)
{
	rewind_message();
}

int mflt_chunk_delivered(void)
{
	if (current.is_out) {
		int result = MFLT_OK;

		if (current.kind == MFLT_SENDING_COREDUMP) {
			result = mflt_coredump_discard();
		} else if (current.kind == MFLT_SENDING_REBOOT) {
			mflt_reboot_told();
		} else {
			mflt_event_store_told();
		}
		rewind_message();
		if (result < 0) {
			return result;
		}
	}
	return next_kind() != MFLT_SENDING_NOTHING;
}

/* Base64 (RFC 4648) of a chunk between `MC:` and `:`. */
static void encode_line(char *to, const uint8_t *chunk, uint32_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	*to++ = 'M';
	*to++ = 'C';
	*to++ = ':';
	for (uint32_t at = 0; at < size; at += 3) {
		uint32_t left = size - at;
		uint32_t bits = (uint32_t)chunk[at] << 16;

		bits |= left > 1 ? (uint32_t)chunk[at + 1] << 8 : 0;
		bits |= left > 2 ? (uint32_t)chunk[at + 2] : 0;
		*to++ = digits[bits >> 18];
		*to++ = digits[bits >> 12 & 63u];
		*to++ = left > 1 ? digits[bits >> 6 & 63u] : '=';
		*to++ = left > 2 ? digits[bits & 63u] : '=';
	}
	*to++ = ':';
	*to = '\0';
}

int mflt_chunk_print(void (*print)(const char *line))
{
	uint8_t chunk[PRINTED_CHUNK];
	char line[3 + (PRINTED_CHUNK + 2) / 3 * 4 + 2];
	int count = 0;

	mflt_chunk_abort();
	for (;;) {
		int size = mflt_chunk_next(chunk, sizeof(chunk));

		if (size <= 0) {
			return size < 0 ? size : count;
		}
		encode_line(line, chunk, (uint32_t)size);
		print(line);
		count++;
	}
}
