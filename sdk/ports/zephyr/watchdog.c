/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Watchdogs that end in a coredump: a timer that is to be fed, and the early warning of a hardware watchdog. */
#include "kernel.h"
#include "mflt/crash.h"
#include "mflt/zephyr.h"

/* In the timer's interrupt: what it has interrupted is in the coredump. */
static void expire(struct k_timer *timer)
{
	ARG_UNUSED(timer);
	MFLT_CRASH(MFLT_REASON_SOFTWARE_WATCHDOG);
}

static K_TIMER_DEFINE(watchdog, expire, NULL);

void mflt_zephyr_watchdog_feed(void)
{
	k_timer_start(&watchdog, K_SECONDS(CONFIG_MFLT_WATCHDOG_S), K_NO_WAIT);
}

void mflt_zephyr_watchdog_stop(void)
{
	k_timer_stop(&watchdog);
}

void mflt_zephyr_watchdog_expired(const struct device *device, int channel)
{
	ARG_UNUSED(device);
	ARG_UNUSED(channel);
	MFLT_CRASH(MFLT_REASON_HARDWARE_WATCHDOG);
}
