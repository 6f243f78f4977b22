/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "mflt/log.h"
#include "format.h"
#include "log_ring.h"
#include "mflt/port.h"

#include <stdarg.h>

#if MFLT_LOG_LINE_SIZE < 16 || MFLT_LOG_LINE_SIZE > 1024
#error "MFLT_LOG_LINE_SIZE is not between 16 and 1024"
#endif
#if MFLT_LOG_SIZE < MFLT_LOG_LINE_SIZE + 16
#error "MFLT_LOG_SIZE has no room for a line of MFLT_LOG_LINE_SIZE"
#endif

/* Found by this name in a memory dump. */
extern union mflt_log_memory {
	struct mflt_log_ring ring;
	uint8_t bytes[sizeof(struct mflt_log_ring) + MFLT_LOG_SIZE];
} mflt_log_memory;

MFLT_NOINIT union mflt_log_memory mflt_log_memory;

/* For the coredump, which takes the log when the firmware has one. */
extern const struct mflt_region mflt_log_region;

const struct mflt_region mflt_log_region = {&mflt_log_memory, sizeof(mflt_log_memory)};

/* Two for each of eight arguments, and the leading 1. */
#define MOST_CLASS_BITS 17

static int is_ready;

static int add(unsigned kind, const void *payload, size_t size)
{
	if (!is_ready) {
		return MFLT_ENOTREADY;
	}
	uint32_t state = mflt_port_lock();
	int result = mflt_log_ring_add(&mflt_log_memory.ring, (uint8_t)kind, mflt_port_uptime_ms(),
				       payload, (uint32_t)size);

	mflt_port_unlock(state);
	return result;
}

int mflt_log_init(void)
{
	int kept = mflt_log_ring_open(&mflt_log_memory.ring, MFLT_LOG_SIZE);

	is_ready = 1;
	if (kept == 1) {
		(void)add(MFLT_LOG_LEVEL_INFO | MFLT_LOG_KIND_RESET, NULL, 0);
	}
	return kept;
}

uint32_t mflt_log_lost(void)
{
	return is_ready ? mflt_log_memory.ring.lost : 0;
}

int mflt_log_write(enum mflt_log_level level, const char *text, size_t size)
{
	if (text == NULL) {
		return MFLT_EINVAL;
	}
	if (size > MFLT_LOG_LINE_SIZE) {
		size = MFLT_LOG_LINE_SIZE;
	}
	return add((unsigned)level & MFLT_LOG_KIND_LEVEL, text, size);
}

int mflt_log_printf(enum mflt_log_level level, const char *format, ...)
{
	char line[MFLT_LOG_LINE_SIZE];
	va_list arguments;

	if (format == NULL) {
		return MFLT_EINVAL;
	}
	va_start(arguments, format);
	size_t size = mflt_format(line, sizeof(line), format, arguments);

	va_end(arguments);
	return mflt_log_write(level, line, size);
}

/* Bytes in order from the lowest. */
static size_t put_number(uint8_t *to, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		to[i] = (uint8_t)(value >> (8 * i));
	}
	return size;
}

int mflt_log_compact(enum mflt_log_level level, const char *format, uint32_t classes, ...)
{
	uint8_t record[MFLT_LOG_LINE_SIZE];
	size_t size = put_number(record, (uintptr_t)format, 4);
	uint32_t rest = classes;
	unsigned shift = 0;
	va_list arguments;

	if (classes == 0 || classes >> MOST_CLASS_BITS != 0) {
		return MFLT_EINVAL;
	}
	while (rest > 0x7f) {
		record[size++] = (uint8_t)(rest | 0x80u);
		rest >>= 7;
	}
	record[size++] = (uint8_t)rest;
	while ((classes >> shift) > 1) {
		shift += 2;
	}
	va_start(arguments, classes);
	while (shift > 0) {
		shift -= 2;
		size_t room = sizeof(record) - size;
		uint32_t kind = classes >> shift & 3u;

		if (kind == 3) {
			const char *text = va_arg(arguments, const char *);
			size_t length = mflt_text_length(&text, room < 256 ? room : 256);

			if (length >= room) {
				length = room > 0 ? room - 1 : 0;
			}
			if (room == 0) {
				break;
			}
			record[size++] = (uint8_t)length;
			for (size_t i = 0; i < length; i++) {
				record[size++] = (uint8_t)text[i];
			}
			continue;
		}
		union {
			double number;
			uint64_t bits;
		} value = {.bits = 0};

		if (kind == 2) {
			value.number = va_arg(arguments, double);
		} else if (kind == 1) {
			value.bits = va_arg(arguments, uint64_t);
		} else {
			value.bits = va_arg(arguments, uint32_t);
		}
		size_t width = kind == 0 ? 4 : 8;

		/* Arguments that do not fit are missing; the host shows which. */
		if (room < width) {
			break;
		}
		size += put_number(&record[size], value.bits, width);
	}
	va_end(arguments);
	return add(((unsigned)level & MFLT_LOG_KIND_LEVEL) | MFLT_LOG_KIND_COMPACT, record, size);
}
