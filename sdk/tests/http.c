/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The HTTP client on the host, driven by tests/it/sdk/http.rs through pipes: commands in, answers out, all
 * numbers little endian. The test is the server.
 *
 *	a u32 piece u32 size bytes
 *	                       what the server will answer from now on, in pieces of so many bytes; the
 *	                       connection is closed at its end
 *	f u32 bytes            the connection fails behind so many bytes that are sent (0: never)
 *	t                      a reboot that waits to be sent
 *	p u32 size             post a message in chunks of that size: i32 result
 *	u u32 size             ask for an update with so much room: i32 result, u32 size, text
 *	s                      i32 status, i32 is_closing
 *	r                      what was sent since the answer was given: u32 size, bytes
 */
#include "mflt/http.h"
#include "mflt/port.h"
#include "pipe.h"
#include "reboot.h"

#include <string.h>

static uint8_t *answer;
static uint32_t answer_size, answer_at, piece, sent_size, fails_behind;
static uint8_t sent[65536];

static int to_server(void *context, const void *from, uint32_t size)
{
	(void)context;
	/* Never all at once. */
	size = size > 7 ? size - 3 : size;
	if (fails_behind != 0 && sent_size + size > fails_behind) {
		return -1;
	}
	memcpy(&sent[sent_size], from, size);
	sent_size += size;
	return (int)size;
}

static int from_server(void *context, void *to, uint32_t size)
{
	uint32_t left = answer_size - answer_at;

	(void)context;
	size = size < piece ? size : piece;
	size = size < left ? size : left;
	memcpy(to, &answer[answer_at], size);
	answer_at += size;
	return (int)size;
}

static struct mflt_http http = {
	.send = to_server,
	.receive = from_server,
	.host = "chunks.example",
	.project_key = "KEY",
};

uint32_t mflt_port_uptime_ms(void)
{
	return 0;
}

const struct mflt_storage *mflt_port_storage(void)
{
	return NULL;
}

const struct mflt_device *mflt_port_device(void)
{
	static const struct mflt_device device = {
		.serial = "a/b c",
		.software_type = "app&x",
		.software_version = "1.2.3+4",
		.hardware_version = "pc",
	};

	return &device;
}

static void take_answer(void)
{
	piece = take_u32();
	answer_size = take_u32();
	answer_at = 0;
	sent_size = 0;
	free(answer);
	/* Exactly as large, so that the sanitizer sees what goes beyond. */
	answer = malloc(answer_size + (answer_size == 0));
	take(answer, answer_size);
}

static void check_update(void)
{
	uint32_t size = take_u32();
	char *url = calloc(size + (size == 0), 1);
	int result = mflt_http_check_update(&http, url, size);

	give_result(result);
	give(url, size == 0 ? 0 : (uint32_t)strlen(url));
	free(url);
}

static void run(uint8_t command)
{
	static uint8_t chunk[4096];

	switch (command) {
	case 'a':
		take_answer();
		break;
	case 'f':
		fails_behind = take_u32();
		break;
	case 't':
		mflt_reboot_leave(0x8001, 0x100, 0x200);
		mflt_reboot_init(0, 0);
		break;
	case 'p':
		give_result(mflt_http_post(&http, chunk, take_u32()));
		break;
	case 'u':
		check_update();
		break;
	case 's':
		give_result(http.status);
		give_result(http.is_closing);
		break;
	case 'r':
		give(sent, sent_size);
		break;
	default:
		exit(2);
	}
}

#include "commands.h"
