/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A sensor that is read ten times a second and a display that shows every tenth value, over a queue; both use
 * the bus. The shell does the rest: `mflt`.
 */
#if __has_include(<zephyr/kernel.h>)
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#else
#include <kernel.h>
#include <logging/log.h>
#endif

#include "mflt/log.h"
#include "mflt/metrics.h"
#include "mflt/reboot.h"
#include "mflt/trace.h"
#include "mflt/zephyr.h"

LOG_MODULE_REGISTER(sample, LOG_LEVEL_INF);

struct sample {
	uint32_t number;
	int32_t millidegrees;
};

K_MSGQ_DEFINE(samples, sizeof(struct sample), 8, 4);
K_MUTEX_DEFINE(bus);

static struct sample last_shown;

static int32_t read_sensor(uint32_t number)
{
	(void)k_mutex_lock(&bus, K_FOREVER);
	k_usleep(200);
	(void)k_mutex_unlock(&bus);
	return (int32_t)(number * 7919u % 60000u) - 20000;
}

static void sense(void *a, void *b, void *c)
{
	ARG_UNUSED(a);
	ARG_UNUSED(b);
	ARG_UNUSED(c);
	for (uint32_t number = 1;; number++) {
		struct sample sample = {.number = number, .millidegrees = read_sensor(number)};

		(void)mflt_metric_add(MFLT_METRIC(heartbeat, samples), 1);
		if (k_msgq_put(&samples, &sample, K_NO_WAIT) != 0) {
			(void)MFLT_TRACE_STATUS(sensor_lost, (int32_t)number);
		}
		k_msleep(100);
	}
}

static void display(void *a, void *b, void *c)
{
	ARG_UNUSED(a);
	ARG_UNUSED(b);
	ARG_UNUSED(c);
	for (;;) {
		struct sample sample;

		(void)k_msgq_get(&samples, &sample, K_FOREVER);
		if (sample.number % 10 == 0) {
			last_shown = sample;
			LOG_INF("sample %u: %d mdeg", (unsigned)sample.number,
				(int)sample.millidegrees);
		}
	}
}

K_THREAD_DEFINE(sensor, 1024, sense, NULL, NULL, NULL, 5, 0, 0);
K_THREAD_DEFINE(screen, 1024, display, NULL, NULL, NULL, 6, 0, 0);

/* Before each heartbeat. */
void mflt_zephyr_metrics(void)
{
	(void)mflt_metric_set(MFLT_METRIC(heartbeat, coldest_degrees), last_shown.millidegrees);
}

#ifndef CONFIG_MFLT_UPLOAD_CONSOLE
/* What a modem or a gateway would do: nothing arrives while there is none. */
static int send(const void *chunk, size_t size)
{
	ARG_UNUSED(chunk);
	LOG_WRN("no link for %u bytes", (unsigned)size);
	return -1;
}

static const struct mflt_zephyr_transport link = {.send = send};
#endif

void main(void)
{
	MFLT_LOG_INFO("booted, reason 0x%04x", (unsigned)mflt_reboot_last()->reason);
#ifndef CONFIG_MFLT_UPLOAD_CONSOLE
	mflt_zephyr_set_transport(&link);
#endif
}
