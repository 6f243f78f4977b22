/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Why the device was reset, for the application and for the host. */
#ifndef MFLT_REBOOT_H
#define MFLT_REBOOT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mflt_reboot {
	/* enum mflt_reason, or an application's own. */
	uint32_t reason;
	/* Where it happened; 0 when that is not known. */
	uint32_t pc;
	uint32_t lr;
	/* The hardware's register, as given at boot. */
	uint32_t reset_register;
	/* Since boot, when it was reset on purpose or crashed. */
	uint32_t uptime_ms;
	/* A coredump of this crash was kept. */
	uint32_t has_coredump;
};

/* Why the device was reset before this boot; not before mflt_crash_init. */
const struct mflt_reboot *mflt_reboot_last(void);

/* Crashes since RAM was without power. */
uint32_t mflt_reboot_crash_count(void);

#ifdef __cplusplus
}
#endif

#endif
