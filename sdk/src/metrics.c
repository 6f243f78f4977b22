/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "mflt/metrics.h"
#include "event_store.h"
#include "mflt/log.h"
#include "mflt/port.h"
#include "mflt/reason.h"
#include "mflt/reboot.h"
#include "reboot.h"

#include <stddef.h>

#define MS_PER_HOUR 3600000u
/* Keys of SPEC.md. */
enum { METRICS_VALUES = 1, METRICS_SESSION = 2 };

/* As in the section of names. */
enum kind { COUNTER = 0, GAUGE = 1, TIMER = 2, TEXT = 3 };

/* Of a metric: a value was set; a timer runs. */
enum { IS_SET = 1, IS_RUNNING = 2 };

/* The memory of texts. */
struct texts {
	/* There may be no other. */
	char none;
#define MFLT_TEXT(session, name, size) char session##_##name[size];
#include "mflt/metric_list.h"
};

struct metric {
	uint8_t kind;
	uint8_t session;
	/* Of a text: bytes, and where they are. */
	uint16_t size;
	uint16_t text;
#if MFLT_METRICS_NAMED
	const char *name;
#endif
};

#if MFLT_METRICS_NAMED
#define NAME_(name) , #name
#else
#define NAME_(name)
#endif

static const struct metric metrics[MFLT_METRICS] = {
#define MFLT_COUNTER(session, name) {COUNTER, MFLT_SESSION_##session, 0, 0 NAME_(name)},
#define MFLT_GAUGE(session, name, scale) {GAUGE, MFLT_SESSION_##session, 0, 0 NAME_(name)},
#define MFLT_TIMER(session, name) {TIMER, MFLT_SESSION_##session, 0, 0 NAME_(name)},
#define MFLT_TEXT(session, name, size)                                                           \
	{TEXT, MFLT_SESSION_##session, size, offsetof(struct texts, session##_##name) NAME_(name)},
#include "mflt/metric_list.h"
};

static struct texts texts;
static uint32_t values[MFLT_METRICS];
static uint8_t flags[MFLT_METRICS];
/* What timers have counted is theirs up to here. */
static uint32_t now_ms;
/* When hours were counted last; milliseconds of the one that has begun; whether it had a crash; lines
 * that were reported. */
static uint32_t hours_at_ms;
static uint32_t hour_ms;
static uint32_t reported_lines;
static uint8_t had_crash;

extern uint32_t mflt_log_lost(void) __attribute__((weak));
extern void mflt_port_metrics(void) __attribute__((weak));

static char *text_of(uint32_t metric)
{
	return (char *)&texts + metrics[metric].text;
}

static int is_a(enum mflt_metric metric, enum kind kind)
{
	return (uint32_t)metric < MFLT_METRICS && metrics[metric].kind == kind;
}

/* Gives all running timers the time since the last call; with interrupts locked. */
static void count_time(void)
{
	uint32_t time = mflt_port_uptime_ms();

	for (uint32_t i = 0; i < MFLT_METRICS; i++) {
		values[i] += (flags[i] & IS_RUNNING) != 0 ? time - now_ms : 0;
	}
	now_ms = time;
}

int mflt_metric_add(enum mflt_metric metric, uint32_t amount)
{
	if (!is_a(metric, COUNTER)) {
		return MFLT_EINVAL;
	}
	uint32_t state = mflt_port_lock();

	values[metric] += amount;
	mflt_port_unlock(state);
	return MFLT_OK;
}

int mflt_metric_set(enum mflt_metric metric, int32_t value)
{
	if (!is_a(metric, GAUGE)) {
		return MFLT_EINVAL;
	}
	uint32_t state = mflt_port_lock();

	values[metric] = (uint32_t)value;
	flags[metric] = IS_SET;
	mflt_port_unlock(state);
	return MFLT_OK;
}

int mflt_metric_set_text(enum mflt_metric metric, const char *text)
{
	if (!is_a(metric, TEXT) || text == NULL) {
		return MFLT_EINVAL;
	}
	char *to = text_of(metric);
	uint32_t state = mflt_port_lock();

	for (uint32_t i = 0; i < metrics[metric].size; i++) {
		to[i] = i + 1u < metrics[metric].size ? text[i] : '\0';
		if (to[i] == '\0') {
			break;
		}
	}
	flags[metric] = IS_SET;
	mflt_port_unlock(state);
	return MFLT_OK;
}

int mflt_metric_get(enum mflt_metric metric, int32_t *value)
{
	if ((uint32_t)metric >= MFLT_METRICS || is_a(metric, TEXT)) {
		return MFLT_EINVAL;
	}
	uint32_t state = mflt_port_lock();

	count_time();
	*value = (int32_t)values[metric];
	int is_there = !is_a(metric, GAUGE) || (flags[metric] & IS_SET) != 0;

	mflt_port_unlock(state);
	return is_there ? MFLT_OK : MFLT_ENOTREADY;
}

const char *mflt_metric_get_text(enum mflt_metric metric)
{
	return is_a(metric, TEXT) && (flags[metric] & IS_SET) != 0 ? text_of(metric) : NULL;
}

static int run(enum mflt_metric metric, uint8_t flag)
{
	if (!is_a(metric, TIMER)) {
		return MFLT_EINVAL;
	}
	uint32_t state = mflt_port_lock();

	count_time();
	flags[metric] = flag;
	mflt_port_unlock(state);
	return MFLT_OK;
}

int mflt_metric_start(enum mflt_metric metric)
{
	return run(metric, IS_RUNNING);
}

int mflt_metric_stop(enum mflt_metric metric)
{
	return run(metric, 0);
}

/* The timer of a session is its first metric. */
static enum mflt_metric duration_of(enum mflt_session session)
{
	uint32_t first = 0;

	while (metrics[first].session != (uint8_t)session) {
		first++;
	}
	return (enum mflt_metric)first;
}

int mflt_session_begin(enum mflt_session session)
{
	if ((uint32_t)session >= MFLT_SESSIONS) {
		return MFLT_EINVAL;
	}
	uint32_t state = mflt_port_lock();

	count_time();
	for (uint32_t i = 0; i < MFLT_METRICS; i++) {
		if (metrics[i].session == (uint8_t)session) {
			values[i] = 0;
			flags[i] &= (uint8_t)~IS_SET;
		}
	}
	flags[duration_of(session)] = IS_RUNNING;
	mflt_port_unlock(state);
	return MFLT_OK;
}

static void put_value(struct mflt_cbor *item, uint32_t metric, uint32_t value, int is_set)
{
	switch (metrics[metric].kind) {
	case GAUGE:
	case TEXT:
		if (!is_set) {
			mflt_cbor_null(item);
		} else if (metrics[metric].kind == GAUGE) {
			mflt_cbor_signed(item, (int32_t)value);
		} else {
			mflt_cbor_text(item, text_of(metric));
		}
		break;
	default:
		mflt_cbor_head(item, MFLT_CBOR_UNSIGNED, value);
		break;
	}
}

/* Writes the metrics of a session; `taken` are the values, and none of them is set any more. */
static void put_session(struct mflt_cbor *item, enum mflt_session session,
			uint32_t taken[MFLT_METRICS], uint8_t were_set[MFLT_METRICS])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < MFLT_METRICS; i++) {
		count += metrics[i].session == (uint8_t)session;
	}
	mflt_cbor_head(item, MFLT_CBOR_MAP, 2);
	mflt_cbor_pair(item, METRICS_SESSION, (uint32_t)session);
	mflt_cbor_head(item, MFLT_CBOR_UNSIGNED, METRICS_VALUES);
	mflt_cbor_head(item, MFLT_METRICS_NAMED ? MFLT_CBOR_MAP : MFLT_CBOR_ARRAY, count);
	for (uint32_t i = 0; i < MFLT_METRICS; i++) {
		if (metrics[i].session != (uint8_t)session) {
			continue;
		}
#if MFLT_METRICS_NAMED
		mflt_cbor_text(item, metrics[i].name);
#endif
		uint32_t state = mflt_port_lock();

		taken[i] = values[i];
		were_set[i] = flags[i] & IS_SET;
		flags[i] &= (uint8_t)~IS_SET;
		put_value(item, i, taken[i], were_set[i]);
		mflt_port_unlock(state);
	}
}

int mflt_session_end(enum mflt_session session)
{
	uint8_t bytes[MFLT_EVENT_MAX], were_set[MFLT_METRICS];
	uint32_t taken[MFLT_METRICS];
	struct mflt_cbor item = {.to = bytes, .size = sizeof(bytes)};

	if ((uint32_t)session >= MFLT_SESSIONS) {
		return MFLT_EINVAL;
	}
	uint32_t state = mflt_port_lock();

	count_time();
	flags[duration_of(session)] = 0;
	mflt_port_unlock(state);
	mflt_event_store_begin(&item);
	put_session(&item, session, taken, were_set);
	int result = mflt_event_store_add(MFLT_EVENT_METRICS, &item);

	state = mflt_port_lock();
	for (uint32_t i = 0; i < MFLT_METRICS; i++) {
		if (metrics[i].session != (uint8_t)session) {
			continue;
		}
		if (result < 0) {
			flags[i] |= were_set[i];
		} else if (metrics[i].kind == COUNTER || metrics[i].kind == TIMER) {
			/* What came meanwhile is of the next interval. */
			values[i] -= taken[i];
		}
	}
	mflt_port_unlock(state);
	return result;
}

/* Hours since the last heartbeat. */
static void count_hours(void)
{
	uint32_t time = mflt_port_uptime_ms();

	hour_ms += time - hours_at_ms;
	hours_at_ms = time;
	for (; hour_ms >= MS_PER_HOUR; hour_ms -= MS_PER_HOUR) {
		(void)mflt_metric_add(MFLT_METRIC(heartbeat, operational_hours), 1);
		(void)mflt_metric_add(MFLT_METRIC(heartbeat, crash_free_hours), !had_crash);
		had_crash = 0;
	}
}

int mflt_heartbeat(void)
{
	uint32_t crashes = mflt_reboot_unreported(), events = mflt_event_store_dropped();
	uint32_t lines = mflt_log_lost != NULL ? mflt_log_lost() : 0;

	if (mflt_port_metrics != NULL) {
		mflt_port_metrics();
	}
	count_hours();
	values[MFLT_METRIC(heartbeat, uptime_s)] = mflt_port_uptime_ms() / 1000u;
	values[MFLT_METRIC(heartbeat, unexpected_reboots)] = crashes;
	values[MFLT_METRIC(heartbeat, events_dropped)] = events;
	values[MFLT_METRIC(heartbeat, log_lines_dropped)] = lines - reported_lines;
	int result = mflt_session_end(MFLT_SESSION_heartbeat);

	if (result == MFLT_OK) {
		mflt_reboot_reported(crashes);
		mflt_event_store_reported(events);
		reported_lines = lines;
	}
	(void)mflt_metric_start(MFLT_METRIC(heartbeat, duration_ms));
	return result;
}

int mflt_metrics_init(void)
{
	int kept = mflt_event_store_init();

	hours_at_ms = mflt_port_uptime_ms();
	had_crash = mflt_reboot_last()->reason >= MFLT_REASON_UNKNOWN_ERROR;
	reported_lines = mflt_log_lost != NULL ? mflt_log_lost() : 0;
	(void)mflt_session_begin(MFLT_SESSION_heartbeat);
	return kept;
}
