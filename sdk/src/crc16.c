/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "crc16.h"

uint16_t mflt_crc16(uint16_t crc, const void *bytes, uint32_t size)
{
	/* Half a byte at a time: 32 bytes of table, not 512. */
	static const uint16_t table[16] = {
		0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
		0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
	};
	const uint8_t *from = bytes;
	uint32_t value = crc;

	for (uint32_t i = 0; i < size; i++) {
		value = (value << 4) ^ table[(value >> 12 & 0xfu) ^ (from[i] >> 4)];
		value = (value << 4) ^ table[(value >> 12 & 0xfu) ^ (from[i] & 0xfu)];
	}
	return (uint16_t)value;
}
