/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "event.h"
#include "mflt/port.h"

#include <stddef.h>

enum {
	KEY_TYPE = 2,
	KEY_SCHEMA = 3,
	KEY_INFO = 4,
	KEY_HARDWARE_VERSION = 6,
	KEY_SERIAL = 7,
	KEY_SOFTWARE_VERSION = 9,
	KEY_SOFTWARE_TYPE = 10,
	KEY_BUILD_ID = 11,
};

enum {
	REBOOT_REASON = 1,
	REBOOT_PC = 2,
	REBOOT_LR = 3,
	REBOOT_REGISTER = 4,
	REBOOT_COREDUMP = 5,
};

#define SCHEMA 1u
/* First bytes of the build ID, by which the host finds the ELF. */
#define BUILD_ID_SIZE 6u

static void put_text(struct mflt_cbor *cbor, uint32_t key, const char *text)
{
	if (text != NULL) {
		mflt_cbor_head(cbor, MFLT_CBOR_UNSIGNED, key);
		mflt_cbor_text(cbor, text);
	}
}

void mflt_event_begin(struct mflt_cbor *cbor, enum mflt_event_type type)
{
	const struct mflt_device *device = mflt_port_device();
	const uint32_t *note = device->build_id_note;
	uint32_t texts = (uint32_t)(device->serial != NULL) + (device->software_type != NULL) +
			 (device->software_version != NULL) + (device->hardware_version != NULL);

	mflt_cbor_head(cbor, MFLT_CBOR_MAP, 3 + texts + (note != NULL));
	mflt_cbor_pair(cbor, KEY_TYPE, (uint32_t)type);
	mflt_cbor_pair(cbor, KEY_SCHEMA, SCHEMA);
	put_text(cbor, KEY_SERIAL, device->serial);
	put_text(cbor, KEY_SOFTWARE_TYPE, device->software_type);
	put_text(cbor, KEY_SOFTWARE_VERSION, device->software_version);
	put_text(cbor, KEY_HARDWARE_VERSION, device->hardware_version);
	if (note != NULL) {
		/* Sizes of the name and of the ID, a type, the name, the ID. */
		const uint8_t *id = (const uint8_t *)&note[3] + ((note[0] + 3u) & ~3u);

		mflt_cbor_head(cbor, MFLT_CBOR_UNSIGNED, KEY_BUILD_ID);
		mflt_cbor_bytes(cbor, MFLT_CBOR_BYTES, id,
				note[1] < BUILD_ID_SIZE ? note[1] : BUILD_ID_SIZE);
	}
	mflt_cbor_head(cbor, MFLT_CBOR_UNSIGNED, KEY_INFO);
}

static uint32_t is_there(uint32_t value)
{
	return value != 0;
}

int mflt_event_reboot(const struct mflt_reboot *reboot, uint32_t at, uint8_t *to, uint32_t size)
{
	struct mflt_cbor cbor = {.from = at, .to = to, .size = size};

	mflt_event_begin(&cbor, MFLT_EVENT_TRACE);
	mflt_cbor_head(&cbor, MFLT_CBOR_MAP,
		       2 + is_there(reboot->pc) + is_there(reboot->lr) +
			       is_there(reboot->reset_register));
	mflt_cbor_pair(&cbor, REBOOT_REASON, reboot->reason);
	if (reboot->pc != 0) {
		mflt_cbor_pair(&cbor, REBOOT_PC, reboot->pc);
	}
	if (reboot->lr != 0) {
		mflt_cbor_pair(&cbor, REBOOT_LR, reboot->lr);
	}
	if (reboot->reset_register != 0) {
		mflt_cbor_pair(&cbor, REBOOT_REGISTER, reboot->reset_register);
	}
	mflt_cbor_pair(&cbor, REBOOT_COREDUMP, reboot->has_coredump);
	return (int)cbor.used;
}
