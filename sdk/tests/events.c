/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Metrics and traces on the host, driven by tests/it/sdk/events.rs through pipes: commands in, answers
 * out, all numbers little endian. Every command with a result may be interrupted: an interrupt comes
 * at each unlock, and counts a packet.
 *
 *	b u32 reason           boot after a reset for that reason: i32 result of mflt_metrics_init
 *	u u32 ms               the time
 *	+ u32 metric u32 amount    add: i32 result
 *	= u32 metric u32 value     set: i32 result
 *	$ u32 metric u32 size text set a text: i32 result
 *	> u32 metric, < u32 metric start and stop a timer: i32 result
 *	( u32 session, ) u32 session
 *	                       begin and end a session: i32 result
 *	h                      heartbeat: i32 result
 *	t u32 kind             a trace of flash_failed: 0 plain, 1 with status -7, 2 with a text: i32 result
 *	i u32 count            an interrupt counts so many packets at each unlock
 *	p                      packets that interrupts have counted: i32
 *	v u32 version          another build, when it is not 0
 *	n u32 size             next chunk: i32 result, then so many bytes
 *	a, d                   abort; delivered: i32 result
 *	N                      the section of names: u32 size, bytes
 */
#include "../src/names.c"
#include "give_chunk.h"
#include "mflt/chunk.h"
#include "mflt/coredump.h"
#include "mflt/metrics.h"
#include "mflt/port.h"
#include "mflt/trace.h"
#include "pipe.h"
#include "reboot.h"

static uint32_t uptime_ms, per_interrupt, interrupted;
static uint32_t note[] = {4, 20, 3, 0x00554e47, 0x03020100, 0x07060504, 0, 0, 0};
static int is_locked;

uint32_t mflt_port_lock(void)
{
	return (uint32_t)is_locked++;
}

void mflt_port_unlock(uint32_t state)
{
	is_locked = (int)state;
	if (state == 0 && per_interrupt != 0) {
		uint32_t count = per_interrupt;

		/* Not in itself. */
		per_interrupt = 0;
		interrupted += count;
		if (mflt_metric_add(MFLT_METRIC(heartbeat, packets), count) != MFLT_OK) {
			abort();
		}
		per_interrupt = count;
	}
}

uint32_t mflt_port_uptime_ms(void)
{
	return uptime_ms;
}

const struct mflt_storage *mflt_port_storage(void)
{
	return NULL;
}

const struct mflt_device *mflt_port_device(void)
{
	static const struct mflt_device device = {
		.software_type = "test",
		.software_version = "1.2.3",
		.hardware_version = "pc",
		.build_id_note = note,
	};

	return &device;
}

static int trace(uint32_t kind)
{
	switch (kind) {
	case 0:
		return MFLT_TRACE(flash_failed);
	case 1:
		return MFLT_TRACE_STATUS(sensor_lost, -7);
	default:
		return MFLT_TRACE_TEXT(flash_failed, "page 3 of bank 1");
	}
}

static void set_text(void)
{
	uint32_t metric = take_u32(), size = take_u32();
	char *text = calloc(size + 1u, 1);

	take(text, size);
	give_result(mflt_metric_set_text((enum mflt_metric)metric, text));
	free(text);
}

static void boot(uint32_t reason)
{
	mflt_reboot_leave(reason, 0, 0);
	mflt_reboot_init(0, 0);
	mflt_reboot_told();
	give_result(mflt_metrics_init());
}

static void run(uint8_t command)
{
	uint32_t which;

	switch (command) {
	case 'b':
		boot(take_u32());
		break;
	case 'u':
		uptime_ms = take_u32();
		break;
	case '+':
		which = take_u32();
		give_result(mflt_metric_add((enum mflt_metric)which, take_u32()));
		break;
	case '=':
		which = take_u32();
		give_result(mflt_metric_set((enum mflt_metric)which, (int32_t)take_u32()));
		break;
	case '$':
		set_text();
		break;
	case '>':
		give_result(mflt_metric_start((enum mflt_metric)take_u32()));
		break;
	case '<':
		give_result(mflt_metric_stop((enum mflt_metric)take_u32()));
		break;
	case '(':
		give_result(mflt_session_begin((enum mflt_session)take_u32()));
		break;
	case ')':
		give_result(mflt_session_end((enum mflt_session)take_u32()));
		break;
	case 'h':
		give_result(mflt_heartbeat());
		break;
	case 't':
		give_result(trace(take_u32()));
		break;
	case 'i':
		per_interrupt = take_u32();
		break;
	case 'p':
		give_result((int32_t)interrupted);
		break;
	case 'v':
		note[4] = take_u32();
		break;
	case 'n':
		give_chunk();
		break;
	case 'a':
		mflt_chunk_abort();
		break;
	case 'd':
		give_result(mflt_chunk_delivered());
		break;
	case 'N':
		give(names, sizeof(names));
		break;
	default:
		exit(2);
	}
}

#include "commands.h"
