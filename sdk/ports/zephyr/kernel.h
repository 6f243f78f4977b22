/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Zephyr's headers under their names from 2.6 to 4.x. */
#ifndef MFLT_ZEPHYR_KERNEL_H
#define MFLT_ZEPHYR_KERNEL_H

/* Until 3.0 they stand in no folder of their own. */
#if __has_include(<zephyr/kernel.h>)
#include <zephyr/device.h>
#include <zephyr/devicetree.h>
#include <zephyr/init.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/util.h>
#else
#include <device.h>
#include <devicetree.h>
#include <init.h>
#include <kernel.h>
#include <sys/util.h>
#endif
#if __has_include(<zephyr/version.h>)
#include <zephyr/version.h>
#else
#include <version.h>
#endif

#define MFLT_ZEPHYR_SINCE(major, minor)                                                          \
	(KERNEL_VERSION_NUMBER >= (((major) << 16) | ((minor) << 8)))

/* For mflt/chunk.h, of which one thread at a time may send. */
extern struct k_mutex mflt_zephyr_sending;

/* Functions of SYS_INIT have lost their argument. */
#if MFLT_ZEPHYR_SINCE(3, 4)
#define MFLT_ZEPHYR_INIT(name) static int name(void)
#else
#define MFLT_ZEPHYR_INIT(name) static int name(const struct device *device __unused)
#endif

#endif
