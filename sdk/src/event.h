/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Events as CBOR (RFC 8949); keys in SPEC.md. */
#ifndef MFLT_EVENT_H
#define MFLT_EVENT_H

#include "cbor.h"
#include "mflt/reboot.h"

#include <stdint.h>

enum mflt_event_type { MFLT_EVENT_METRICS = 1, MFLT_EVENT_TRACE = 2 };

/* The event up to what is specific to its type, which is to follow as one item. */
void mflt_event_begin(struct mflt_cbor *cbor, enum mflt_event_type type);

/* Writes the event of a reboot from byte `at` on, at most `size` bytes; gives how many there were, 0
 * behind the end. */
int mflt_event_reboot(const struct mflt_reboot *reboot, uint32_t at, uint8_t *to, uint32_t size);

#endif
