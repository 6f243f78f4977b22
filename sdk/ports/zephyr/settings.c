/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The setting `mflt/serial`: who the device is. */
#include "kernel.h"
#include "mflt/zephyr.h"

#include <errno.h>
#include <string.h>

#if __has_include(<zephyr/settings/settings.h>)
#include <zephyr/settings/settings.h>
#else
#include <settings/settings.h>
#endif

static int set(const char *key, size_t size, settings_read_cb read, void *argument)
{
	char text[32] = {0};

	if (strcmp(key, "serial") != 0) {
		return -ENOENT;
	}
	if (size >= sizeof(text)) {
		return -EINVAL;
	}
	if (read(argument, text, size) < 0) {
		return -EIO;
	}
	return mflt_zephyr_set_serial(text) == MFLT_OK ? 0 : -EINVAL;
}

SETTINGS_STATIC_HANDLER_DEFINE(mflt, "mflt", NULL, set, NULL, NULL);
