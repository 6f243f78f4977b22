/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "reboot.h"
#include "crc16.h"
#include "mflt/config.h"
#include "mflt/port.h"
#include "mflt/reason.h"

#include <stddef.h>

/* Reboots that are kept until the host is told; of more the oldest are lost. */
#define UNTOLD 4u
/* "MfRb" in memory. */
#define MAGIC 0x6252664du
/* The reason while the firmware runs: nobody has said anything. */
#define NONE 0xffffffffu

struct state {
	uint32_t magic;
	uint32_t crash_count;
	/* Of them those that a heartbeat has reported. */
	uint32_t reported_crashes;
	uint32_t untold_count;
	/* Coredumps since a boot was long. */
	uint32_t burst;
	struct mflt_reboot next;
	struct mflt_reboot untold[UNTOLD];
	uint16_t check;
};

MFLT_NOINIT static struct state state;

/* The newest reboot; it stays where it is when the host is told of it. Before mflt_reboot_init the
 * count may be anything. */
static struct mflt_reboot *newest(void)
{
	return &state.untold[(state.untold_count - (state.untold_count > 0)) % UNTOLD];
}

static uint16_t check_of(const struct state *of)
{
	return mflt_crc16(0, of, (uint32_t)offsetof(struct state, check));
}

static void seal(void)
{
	state.check = check_of(&state);
}

void mflt_reboot_init(uint32_t reason, uint32_t reset_register)
{
	if (state.magic != MAGIC || state.check != check_of(&state) || state.untold_count > UNTOLD) {
		state = (struct state){.magic = MAGIC, .next = {.reason = NONE}};
	}
	if (state.untold_count == UNTOLD) {
		for (uint32_t i = 1; i < UNTOLD; i++) {
			state.untold[i - 1] = state.untold[i];
		}
		state.untold_count--;
	}
	state.untold[state.untold_count++] = state.next;
	if (newest()->reason == NONE) {
		newest()->reason = reason;
	}
	newest()->reset_register = reset_register;
	mflt_reboot_stay();
}

const struct mflt_reboot *mflt_reboot_last(void)
{
	return newest();
}

uint32_t mflt_reboot_crash_count(void)
{
	return state.crash_count;
}

uint32_t mflt_reboot_unreported(void)
{
	return state.crash_count - state.reported_crashes;
}

void mflt_reboot_reported(uint32_t crashes)
{
	state.reported_crashes += crashes;
	seal();
}

void mflt_reboot_leave(uint32_t reason, uint32_t pc, uint32_t lr)
{
	state.next = (struct mflt_reboot){
		.reason = reason, .pc = pc, .lr = lr, .uptime_ms = mflt_port_uptime_ms()};
	if (reason >= MFLT_REASON_UNKNOWN_ERROR) {
		state.crash_count++;
	}
	seal();
}

void mflt_reboot_leave_coredump(void)
{
	state.next.has_coredump = 1;
	seal();
}

void mflt_reboot_stay(void)
{
	state.next = (struct mflt_reboot){.reason = NONE};
	seal();
}

int mflt_reboot_allows_coredump(void)
{
	uint32_t most = MFLT_COREDUMP_BURST;

	if (mflt_port_uptime_ms() / 1000u >= MFLT_COREDUMP_INTERVAL_S) {
		state.burst = 0;
	}
	if (most != 0 && state.burst >= most) {
		return 0;
	}
	state.burst++;
	seal();
	return 1;
}

const struct mflt_reboot *mflt_reboot_untold(void)
{
	return state.untold_count > 0 ? &state.untold[0] : NULL;
}

void mflt_reboot_told(void)
{
	if (state.untold_count == 0) {
		return;
	}
	state.untold_count--;
	for (uint32_t i = 0; i < state.untold_count; i++) {
		state.untold[i] = state.untold[i + 1];
	}
	seal();
}
