/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the port to Zephyr adds to the SDK. Not for threads in user mode. */
#ifndef MFLT_ZEPHYR_H
#define MFLT_ZEPHYR_H

#include "mflt/error.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct device;

/* Who the device is, instead of what hwinfo tells: at most 31 characters. The setting `mflt/serial` is the
 * same. */
int mflt_zephyr_set_serial(const char *serial);

/* How chunks leave the device (CONFIG_MFLT_UPLOAD). All three are called on the system work queue, or by the
 * shell's `mflt post_chunks`. */
struct mflt_zephyr_transport {
	/* 0 when the host may be reached now; null: always. */
	int (*begin)(void);
	/* Sends one chunk of at most CONFIG_MFLT_UPLOAD_CHUNK_SIZE bytes; 0 when it has arrived. */
	int (*send)(const void *chunk, size_t size);
	/* Behind the last one, also when `send` failed; null: nothing to do. */
	void (*end)(void);
};

/* Replaces the console (CONFIG_MFLT_UPLOAD_CONSOLE); null: nothing is sent. */
void mflt_zephyr_set_transport(const struct mflt_zephyr_transport *transport);

/* Sends what waits: 0 when all has arrived, or what `begin` or `send` gave. What was not delivered stays. */
int mflt_zephyr_upload(void);

/* Called before each heartbeat that the port ends (CONFIG_MFLT_HEARTBEAT_S), to set metrics. */
void mflt_zephyr_metrics(void);

/* The software watchdog (CONFIG_MFLT_WATCHDOG): begins, or begins anew; without another call within the
 * time the device crashes, with what it is doing in the coredump. */
void mflt_zephyr_watchdog_feed(void);
void mflt_zephyr_watchdog_stop(void);

/* For wdt_install_timeout: the watchdog's early warning as a crash. Not when it is an NMI: for that there is
 * CONFIG_MFLT_FAULT_NMI. */
void mflt_zephyr_watchdog_expired(const struct device *watchdog, int channel);

#ifdef __cplusplus
}
#endif

#endif
