/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the SDK asks of the device. Implementations are in ports/; an application may bring its
 * own. All of these are called from threads and from interrupts. */
#ifndef MFLT_PORT_H
#define MFLT_PORT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Keeps everything else that logs from running, interrupts too; gives what mflt_port_unlock is to
 * restore. Pairs may be nested. */
uint32_t mflt_port_lock(void);

/* Undoes the mflt_port_lock that gave `state`. */
void mflt_port_unlock(uint32_t state);

/* Milliseconds since boot; begins anew after 2^32. */
uint32_t mflt_port_uptime_ms(void);

#ifdef __cplusplus
}
#endif

#endif
