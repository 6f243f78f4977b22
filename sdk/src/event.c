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

enum { MAJOR_UNSIGNED = 0, MAJOR_BYTES = 2, MAJOR_TEXT = 3, MAJOR_MAP = 5 };

#define TYPE_TRACE 2u
#define SCHEMA 1u
/* First bytes of the build ID, by which the host finds the ELF. */
#define BUILD_ID_SIZE 6u

/* The part of the event that is wanted; what is before and behind it is only counted. */
struct window {
	uint32_t from;
	uint8_t *to;
	uint32_t size;
	uint32_t used;
	/* Bytes of the event so far. */
	uint32_t at;
};

static void put(struct window *window, uint32_t byte)
{
	if (window->at++ >= window->from && window->used < window->size) {
		window->to[window->used++] = (uint8_t)byte;
	}
}

/* The head of an item: its sort, and its value or its size, as short as can be. */
static void put_head(struct window *window, uint32_t major, uint32_t value)
{
	uint32_t bytes = value < 24 ? 0 : value < 0x100 ? 1 : value < 0x10000 ? 2 : 4;
	uint32_t code = bytes == 0 ? value : bytes == 1 ? 24 : bytes == 2 ? 25 : 26;

	put(window, major << 5 | code);
	while (bytes-- > 0) {
		put(window, value >> (8 * bytes));
	}
}

static void put_pair(struct window *window, uint32_t key, uint32_t value)
{
	put_head(window, MAJOR_UNSIGNED, key);
	put_head(window, MAJOR_UNSIGNED, value);
}

static void put_bytes(struct window *window, uint32_t key, uint32_t major, const void *from,
		      uint32_t size)
{
	const uint8_t *bytes = from;

	put_head(window, MAJOR_UNSIGNED, key);
	put_head(window, major, size);
	for (uint32_t i = 0; i < size; i++) {
		put(window, bytes[i]);
	}
}

static void put_text(struct window *window, uint32_t key, const char *text)
{
	uint32_t size = 0;

	if (text == NULL) {
		return;
	}
	while (text[size] != '\0') {
		size++;
	}
	put_bytes(window, key, MAJOR_TEXT, text, size);
}

static uint32_t is_there(uint32_t value)
{
	return value != 0;
}

int mflt_event_reboot(const struct mflt_reboot *reboot, uint32_t at, uint8_t *to, uint32_t size)
{
	const struct mflt_device *device = mflt_port_device();
	struct window window = {.from = at, .to = to, .size = size};
	const uint32_t *note = device->build_id_note;
	uint32_t texts = (uint32_t)(device->serial != NULL) + (device->software_type != NULL) +
			 (device->software_version != NULL) + (device->hardware_version != NULL);

	put_head(&window, MAJOR_MAP, 3 + texts + (note != NULL));
	put_pair(&window, KEY_TYPE, TYPE_TRACE);
	put_pair(&window, KEY_SCHEMA, SCHEMA);
	put_text(&window, KEY_SERIAL, device->serial);
	put_text(&window, KEY_SOFTWARE_TYPE, device->software_type);
	put_text(&window, KEY_SOFTWARE_VERSION, device->software_version);
	put_text(&window, KEY_HARDWARE_VERSION, device->hardware_version);
	if (note != NULL) {
		/* Sizes of the name and of the ID, a type, the name, the ID. */
		const uint8_t *id = (const uint8_t *)&note[3] + ((note[0] + 3u) & ~3u);

		put_bytes(&window, KEY_BUILD_ID, MAJOR_BYTES, id,
			  note[1] < BUILD_ID_SIZE ? note[1] : BUILD_ID_SIZE);
	}
	put_head(&window, MAJOR_UNSIGNED, KEY_INFO);
	put_head(&window, MAJOR_MAP,
		 2 + is_there(reboot->pc) + is_there(reboot->lr) + is_there(reboot->reset_register));
	put_pair(&window, REBOOT_REASON, reboot->reason);
	if (reboot->pc != 0) {
		put_pair(&window, REBOOT_PC, reboot->pc);
	}
	if (reboot->lr != 0) {
		put_pair(&window, REBOOT_LR, reboot->lr);
	}
	if (reboot->reset_register != 0) {
		put_pair(&window, REBOOT_REGISTER, reboot->reset_register);
	}
	put_pair(&window, REBOOT_COREDUMP, reboot->has_coredump);
	return (int)window.used;
}
