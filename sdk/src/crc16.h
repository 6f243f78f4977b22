/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef MFLT_CRC16_H
#define MFLT_CRC16_H

#include <stdint.h>

/* CRC-16/XMODEM (polynomial 0x1021, neither reflected nor inverted), going on from `crc`; 0 begins. */
uint16_t mflt_crc16(uint16_t crc, const void *bytes, uint32_t size);

#endif
