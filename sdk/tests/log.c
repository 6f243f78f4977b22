/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The log on the host, driven by tests/it/sdk/log.rs through pipes: commands in, answers out, all
 * numbers little endian. The program stands in for the device; "reset" ends a call behind any store.
 *
 *	o u32 size             open the ring: i32 result
 *	a u8 kind u32 time u32 size bytes, u32 stores
 *	                       add a record, reset behind that many stores (0: never): i32 result
 *	d                      the ring: u32 size, bytes
 *	w u32 size bytes       overwrite the start of the ring's memory
 *	f u8 which             a formatted line: u32 size, bytes
 *	c                      log compact lines through the API
 *	m                      the API's ring, as d
 */
#include <setjmp.h>
#include <stdint.h>

static jmp_buf reset;
static uint32_t stores_left;

static void stored(void)
{
	if (stores_left != 0 && --stores_left == 0) {
		longjmp(reset, 1);
	}
}
#define MFLT_LOG_RING_STORED() stored()

#include "../src/format.c"
#include "../src/log_ring.c"
#define MFLT_LOG_COMPACT 1
#define MFLT_LOG_LEVEL 0
#define MFLT_NOINIT
#include "../src/log.c"
#include "pipe.h"

#include <string.h>

uint32_t mflt_port_lock(void)
{
	return 0;
}

void mflt_port_unlock(uint32_t state)
{
	(void)state;
}

uint32_t mflt_port_uptime_ms(void)
{
	return 1234;
}

/* Exactly as large as the ring, so that the sanitizer sees what goes beyond. */
static struct mflt_log_ring *ring;
static uint32_t ring_size;

static void open_ring(uint32_t size)
{
	if (ring == NULL || size != ring_size) {
		free(ring);
		ring = malloc(sizeof(*ring) + size);
		memset(ring, 0x5a, sizeof(*ring) + size);
		ring_size = size;
	}
	give_result(mflt_log_ring_open(ring, size));
}

static void add_record(void)
{
	uint8_t kind;

	take(&kind, 1);
	uint32_t time = take_u32(), size = take_u32();
	uint8_t *payload = malloc(size + 1u);

	take(payload, size);
	stores_left = take_u32();
	if (setjmp(reset) == 0) {
		give_result(mflt_log_ring_add(ring, kind, time, payload, size));
	} else {
		give_result(1);
	}
	stores_left = 0;
	free(payload);
}

static uint32_t line(char *to, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	size_t used = mflt_format(to, size, format, arguments);

	va_end(arguments);
	return (uint32_t)used;
}

static void give_line(uint8_t which)
{
	char to[64];
	uint32_t size = 0;

	switch (which) {
	case 0:
		size = line(to, sizeof(to), "%d %i %u", -5, INT32_MIN, UINT32_MAX);
		break;
	case 1:
		size = line(to, sizeof(to), "[%5d|%-5d|%05d|%*d]", 42, -42, -42, 4, 7);
		break;
	case 2:
		size = line(to, sizeof(to), "%x %X %08x %p", 0xbeefu, 0xbeefu, 0x1fu, (void *)0x20000010);
		break;
	case 3:
		size = line(to, sizeof(to), "%s|%6s|%-6s|%.2s|%.*s|%c%%", "ab", "cd", "ef", "ghi", 1, "jk",
			    'z');
		break;
	case 4:
		size = line(to, sizeof(to), "%lld %llu %llx", INT64_MIN, UINT64_MAX, 1ull << 40);
		break;
	case 5:
		size = line(to, sizeof(to), "%s %zu %ld %hu", (const char *)NULL, (size_t)9, -3l,
			    (unsigned short)8);
		break;
	case 6:
		size = line(to, 5, "cut %d", 123456);
		break;
	default:
		size = line(to, sizeof(to), "a %f b %d", 1.5, 2);
		break;
	}
	give(to, size);
}

static void log_compact_lines(void)
{
	char text[300];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	MFLT_LOG_ERROR("too early");
	give_result(mflt_log_init());
	MFLT_LOG_INFO("no argument");
	MFLT_LOG_WARNING("%d of %lld at %.2f: %s", -1, -5000000000ll, 2.5f, "fine");
	MFLT_LOG_DEBUG("%u %u %u %u %u %u %u %u", 1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u);
	MFLT_LOG_ERROR("%s %d", text, 3);
	MFLT_LOG_ERROR("%s", (const char *)NULL);
}

static void run(uint8_t command)
{
	switch (command) {
	case 'o':
		open_ring(take_u32());
		break;
	case 'a':
		add_record();
		break;
	case 'd':
		give(ring, (uint32_t)sizeof(*ring) + ring_size);
		break;
	case 'w': {
		uint32_t size = take_u32();

		take(ring, size);
		break;
	}
	case 'f':
		take(&command, 1);
		give_line(command);
		break;
	case 'c':
		log_compact_lines();
		break;
	case 'm':
		give(&mflt_log_memory, sizeof(mflt_log_memory));
		break;
	default:
		exit(2);
	}
}

#include "commands.h"
