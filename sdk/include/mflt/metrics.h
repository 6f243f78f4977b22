/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Metrics: numbers and texts that are sent at each heartbeat or at the end of a session. They are
 * declared in one list (mflt/metric_list.h):
 *
 *	mflt_metric_add(MFLT_METRIC(heartbeat, packets), 1);
 *	mflt_metric_set(MFLT_METRIC(heartbeat, battery_percent), 873);
 *
 * May be called from threads and interrupts, sessions and heartbeats from threads only.
 */
#ifndef MFLT_METRICS_H
#define MFLT_METRICS_H

#include "mflt/config.h"
#include "mflt/error.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mflt_session {
#define MFLT_SESSION(session) MFLT_SESSION_##session,
#include "mflt/metric_list.h"
	MFLT_SESSIONS
};

enum mflt_metric {
#define MFLT_COUNTER(session, name) MFLT_METRIC_##session##_##name,
#define MFLT_GAUGE(session, name, scale) MFLT_METRIC_##session##_##name,
#define MFLT_TIMER(session, name) MFLT_METRIC_##session##_##name,
#define MFLT_TEXT(session, name, size) MFLT_METRIC_##session##_##name,
#include "mflt/metric_list.h"
	MFLT_METRICS
};

#define MFLT_METRIC(session, name) MFLT_METRIC_##session##_##name

/* To be called at boot, behind mflt_crash_init: keeps the events from before a reset, unless they are of
 * another build, and begins the first heartbeat. Gives 1 if there was a place with events, 0 if it is
 * new. */
int mflt_metrics_init(void);

/* MFLT_EINVAL when the metric is of another kind. */
int mflt_metric_add(enum mflt_metric metric, uint32_t amount);
int mflt_metric_set(enum mflt_metric metric, int32_t value);
int mflt_metric_set_text(enum mflt_metric metric, const char *text);

/* What it is by now in its interval; what is only measured at a heartbeat is as of the last one. MFLT_ENOTREADY
 * when it was not set. */
int mflt_metric_get(enum mflt_metric metric, int32_t *value);
/* Null when it was not set. */
const char *mflt_metric_get_text(enum mflt_metric metric);

/* A timer that runs is not started again. */
int mflt_metric_start(enum mflt_metric metric);
int mflt_metric_stop(enum mflt_metric metric);

/* Begins a session: its metrics begin anew. */
int mflt_session_begin(enum mflt_session session);

/* Ends it: an event with its metrics waits to be sent. When there is no room for that, counters and
 * timers go on. */
int mflt_session_end(enum mflt_session session);

/* Ends the heartbeat, and begins the next one. To be called regularly, such as once an hour. */
int mflt_heartbeat(void);

/* For ports: called first in mflt_heartbeat, to set what is only to be measured then. */
void mflt_port_metrics(void);

#ifdef __cplusplus
}
#endif

#endif
