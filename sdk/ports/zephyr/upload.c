/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sends what waits, from time to time, over the application's transport or the console. */
#include "kernel.h"
#include "mflt/chunk.h"
#include "mflt/zephyr.h"

static const struct mflt_zephyr_transport *transport;
static bool to_console = IS_ENABLED(CONFIG_MFLT_UPLOAD_CONSOLE);

static void print_line(const char *line)
{
	printk("%s\n", line);
}

/* A console does not say that somebody reads it: what is printed counts as delivered. */
static int print_chunks(void)
{
	int count;

	while ((count = mflt_chunk_print(print_line)) > 0) {
		int more = mflt_chunk_delivered();

		if (more < 0) {
			return more;
		}
	}
	return count;
}

static int send_message(void)
{
	static uint8_t chunk[CONFIG_MFLT_UPLOAD_CHUNK_SIZE];
	int size;

	while ((size = mflt_chunk_next(chunk, sizeof(chunk))) > 0) {
		int error = transport->send(chunk, (size_t)size);

		if (error != 0) {
			mflt_chunk_abort();
			return error;
		}
	}
	return size;
}

static int send_all(void)
{
	int result = transport->begin != NULL ? transport->begin() : 0;

	if (result != 0) {
		return result;
	}
	mflt_chunk_abort();
	for (int more = 1; result == 0 && more > 0;) {
		result = send_message();
		if (result == 0) {
			more = mflt_chunk_delivered();
			result = more < 0 ? more : 0;
		}
	}
	if (transport->end != NULL) {
		transport->end();
	}
	return result;
}

void mflt_zephyr_set_transport(const struct mflt_zephyr_transport *to)
{
	(void)k_mutex_lock(&mflt_zephyr_sending, K_FOREVER);
	transport = to;
	to_console = false;
	(void)k_mutex_unlock(&mflt_zephyr_sending);
}

int mflt_zephyr_upload(void)
{
	(void)k_mutex_lock(&mflt_zephyr_sending, K_FOREVER);
	int result = transport != NULL ? send_all() : to_console ? print_chunks() : MFLT_ENOTREADY;

	(void)k_mutex_unlock(&mflt_zephyr_sending);
	return result;
}

static void upload(struct k_work *work);

static K_WORK_DELAYABLE_DEFINE(uploader, upload);

static void upload(struct k_work *work)
{
	ARG_UNUSED(work);
	(void)mflt_zephyr_upload();
	(void)k_work_schedule(&uploader, K_SECONDS(CONFIG_MFLT_UPLOAD_INTERVAL_S));
}

MFLT_ZEPHYR_INIT(start_uploads)
{
	(void)k_work_schedule(&uploader, K_SECONDS(CONFIG_MFLT_UPLOAD_DELAY_S));
	return 0;
}

SYS_INIT(start_uploads, APPLICATION, CONFIG_APPLICATION_INIT_PRIORITY);
