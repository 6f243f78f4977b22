/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the next boot is told, in RAM that is not cleared; and the reboots that the host was not yet
 * told of. */
#ifndef MFLT_REBOOT_INTERNAL_H
#define MFLT_REBOOT_INTERNAL_H

#include "mflt/reboot.h"

/* At boot. `reason` counts when none was left. */
void mflt_reboot_init(uint32_t reason, uint32_t reset_register);

/* Before a reset: why. A later call counts, but for `has_coredump` = 1. */
void mflt_reboot_leave(uint32_t reason, uint32_t pc, uint32_t lr);
void mflt_reboot_leave_coredump(void);

/* There is no reset after all. */
void mflt_reboot_stay(void);

/* Whether a coredump may be written now, as far as MFLT_COREDUMP_BURST is concerned; counts it. */
int mflt_reboot_allows_coredump(void);

/* Crashes that no heartbeat has reported, and that one has reported so many of them. */
uint32_t mflt_reboot_unreported(void);
void mflt_reboot_reported(uint32_t crashes);

/* The oldest reboot that the host has not been told, or NULL. */
const struct mflt_reboot *mflt_reboot_untold(void);

/* The host knows of it. */
void mflt_reboot_told(void);

#endif
