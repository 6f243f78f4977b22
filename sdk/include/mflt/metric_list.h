/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * All metrics, in their order: included with some of these macros defined, as often as needed. What the
 * application adds stands in the file MFLT_METRICS_FILE:
 *
 *	MFLT_COUNTER(session, name)		counts up from 0
 *	MFLT_GAUGE(session, name, scale)	a number with a sign, shown divided by `scale`
 *	MFLT_TIMER(session, name)		milliseconds
 *	MFLT_TEXT(session, name, size)		at most so many bytes, with the NUL
 *	MFLT_SESSION(session)			an interval of its own, with the timer duration_ms
 *
 * The session `heartbeat` is always there. No include guard, on purpose.
 */
#ifndef MFLT_COUNTER
#define MFLT_COUNTER(session, name)
#endif
#ifndef MFLT_GAUGE
#define MFLT_GAUGE(session, name, scale)
#endif
#ifndef MFLT_TIMER
#define MFLT_TIMER(session, name)
#endif
#ifndef MFLT_TEXT
#define MFLT_TEXT(session, name, size)
#endif
#ifndef MFLT_SESSION
#define MFLT_SESSION(session) MFLT_TIMER(session, duration_ms)
#endif

MFLT_SESSION(heartbeat)
MFLT_COUNTER(heartbeat, uptime_s)
/* Crashes since the last heartbeat, also before a reset. */
MFLT_COUNTER(heartbeat, unexpected_reboots)
/* Whole hours, and those of them in which nothing crashed. An hour that a reset cut short is neither. */
MFLT_COUNTER(heartbeat, operational_hours)
MFLT_COUNTER(heartbeat, crash_free_hours)
MFLT_COUNTER(heartbeat, events_dropped)
MFLT_COUNTER(heartbeat, log_lines_dropped)
/* For mflt_port_metrics and the application. */
MFLT_GAUGE(heartbeat, stack_free_bytes, 1)
MFLT_GAUGE(heartbeat, heap_free_bytes, 1)
MFLT_GAUGE(heartbeat, battery_percent, 10)
MFLT_TIMER(heartbeat, connected_ms)
MFLT_TIMER(heartbeat, connection_wanted_ms)
#ifdef MFLT_METRICS_FILE
#include MFLT_METRICS_FILE
#endif

#undef MFLT_COUNTER
#undef MFLT_GAUGE
#undef MFLT_TIMER
#undef MFLT_TEXT
#undef MFLT_SESSION
