/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How a coredump stands in storage: its 12 bytes of header, two checksums, all the rest. */
#ifndef MFLT_COREDUMP_SLOT_H
#define MFLT_COREDUMP_SLOT_H

#include "mflt/storage.h"

#include <stdint.h>

#define MFLT_COREDUMP_HEADER 12u

/* The first unit of the storage, for a coredump of `size` bytes whose CRC behind the header is
 * `crc`. */
void mflt_coredump_slot_header(uint8_t to[MFLT_STORAGE_UNIT], uint32_t size, uint16_t crc);

#endif
