/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Events that wait to be sent, in RAM that outlives a reset. */
#ifndef MFLT_EVENT_STORE_H
#define MFLT_EVENT_STORE_H

#include "event.h"

#include <stdint.h>

/* At boot, see mflt_metrics_init. */
int mflt_event_store_init(void);

/* To be called before the item is written. */
void mflt_event_store_begin(struct mflt_cbor *item);

/* Adds what is specific to an event: one CBOR item. MFLT_ETOOLARGE when there is no room: it is
 * dropped and counted. */
int mflt_event_store_add(enum mflt_event_type type, const struct mflt_cbor *item);

/* Events that were dropped, and that a heartbeat has reported so many of them. */
uint32_t mflt_event_store_dropped(void);
void mflt_event_store_reported(uint32_t dropped);

/* For chunks, which do without when there are no events. */

int mflt_event_store_has_any(void) __attribute__((weak));

/* The byte at `at` of the oldest event; gives 0 behind its end. */
int mflt_event_store_read(uint32_t at, uint8_t *byte) __attribute__((weak));

/* The host has the oldest event. */
void mflt_event_store_told(void) __attribute__((weak));

#endif
