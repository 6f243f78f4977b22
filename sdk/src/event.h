/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Events as CBOR (RFC 8949); keys in SPEC.md. */
#ifndef MFLT_EVENT_H
#define MFLT_EVENT_H

#include "mflt/reboot.h"

#include <stdint.h>

/* Writes the event of a reboot from byte `at` on, at most `size` bytes; gives how many there were, 0
 * behind the end. */
int mflt_event_reboot(const struct mflt_reboot *reboot, uint32_t at, uint8_t *to, uint32_t size);

#endif
