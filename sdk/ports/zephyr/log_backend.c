/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A backend of Zephyr's logging: each line, as `module: text`, goes into the log ring. */
#include "kernel.h"
#include "mflt/config.h"
#include "mflt/log.h"

#if __has_include(<zephyr/logging/log_backend.h>)
#include <zephyr/logging/log.h>
#include <zephyr/logging/log_backend.h>
#include <zephyr/logging/log_output.h>
#else
#include <logging/log.h>
#include <logging/log_backend.h>
#include <logging/log_msg.h>
#include <logging/log_output.h>
#endif

/* Neither time nor level: the ring has both. */
#define FLAGS LOG_OUTPUT_FLAG_CRLF_LFONLY

static struct {
	char text[MFLT_LOG_LINE_SIZE];
	size_t size;
	enum mflt_log_level level;
} line;

static void end_line(void)
{
	if (line.size > 0) {
		(void)mflt_log_write(line.level, line.text, line.size);
	}
	line.size = 0;
}

static int put_text(uint8_t *data, size_t length, void *context)
{
	ARG_UNUSED(context);
	for (size_t i = 0; i < length; i++) {
		if (data[i] == '\n') {
			end_line();
		} else if (data[i] != '\r' && line.size < sizeof(line.text)) {
			line.text[line.size++] = (char)data[i];
		}
	}
	return (int)length;
}

static uint8_t output_buffer[16];

LOG_OUTPUT_DEFINE(mflt_log_output, put_text, output_buffer, sizeof(output_buffer));

/* Immediate logging comes from anywhere. */
static unsigned int begin_line(uint8_t level)
{
	unsigned int key = irq_lock();

	line.size = 0;
	line.level = level == LOG_LEVEL_ERR   ? MFLT_LOG_LEVEL_ERROR
		     : level == LOG_LEVEL_WRN ? MFLT_LOG_LEVEL_WARNING
		     : level == LOG_LEVEL_DBG ? MFLT_LOG_LEVEL_DEBUG
					      : MFLT_LOG_LEVEL_INFO;
	return key;
}

static void finish(unsigned int key)
{
	end_line();
	irq_unlock(key);
}

#if defined(CONFIG_LOG2) || MFLT_ZEPHYR_SINCE(3, 2)
#ifdef CONFIG_LOG2
#define log_msg_generic log_msg2_generic
#define log_msg_get_level log_msg2_get_level
#define log_output_msg_process log_output_msg2_process
#endif

static void process(const struct log_backend *const backend, union log_msg_generic *message)
{
	unsigned int key = begin_line(log_msg_get_level(&message->log));

	ARG_UNUSED(backend);
	log_output_msg_process(&mflt_log_output, &message->log, FLAGS);
	finish(key);
}
#else
static void put(const struct log_backend *const backend, struct log_msg *message)
{
	ARG_UNUSED(backend);
	log_msg_get(message);
	unsigned int key = begin_line(log_msg_level_get(message));

	log_output_msg_process(&mflt_log_output, message, FLAGS);
	finish(key);
	log_msg_put(message);
}

static void put_now(const struct log_backend *const backend, struct log_msg_ids source,
		    uint32_t timestamp, const char *format, va_list arguments)
{
	unsigned int key = begin_line((uint8_t)source.level);

	ARG_UNUSED(backend);
	log_output_string(&mflt_log_output, source, timestamp, format, arguments, FLAGS);
	finish(key);
}

static void put_bytes_now(const struct log_backend *const backend, struct log_msg_ids source,
			  uint32_t timestamp, const char *text, const uint8_t *data, uint32_t size)
{
	unsigned int key = begin_line((uint8_t)source.level);

	ARG_UNUSED(backend);
	log_output_hexdump(&mflt_log_output, source, timestamp, text, data, size, FLAGS);
	finish(key);
}
#endif

static void lost(const struct log_backend *const backend, uint32_t count)
{
	ARG_UNUSED(backend);
	(void)mflt_log_printf(MFLT_LOG_LEVEL_WARNING, "%u messages were dropped", (unsigned)count);
}

static void panic(const struct log_backend *const backend)
{
	/* Nothing waits here. */
	ARG_UNUSED(backend);
}

static void init(const struct log_backend *const backend)
{
	ARG_UNUSED(backend);
}

static const struct log_backend_api backend_api = {
#if defined(CONFIG_LOG2) || MFLT_ZEPHYR_SINCE(3, 2)
	.process = process,
#else
	.put = put,
	.put_sync_string = put_now,
	.put_sync_hexdump = put_bytes_now,
#endif
	.dropped = lost,
	.panic = panic,
	.init = init,
};

LOG_BACKEND_DEFINE(mflt_log_backend, backend_api, true);
