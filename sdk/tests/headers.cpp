/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The headers in C++: compiled by sdk/check, never run. */
#define MFLT_LOG_COMPACT 1
#include "mflt/chunk.h"
#include "mflt/coredump.h"
#include "mflt/crash.h"
#include "mflt/flash.h"
#include "mflt/http.h"
#include "mflt/log.h"
#include "mflt/metrics.h"
#include "mflt/port.h"
#include "mflt/reboot.h"
#include "mflt/storage.h"
#include "mflt/trace.h"

void log_from_cpp(const char *name, float volts)
{
	mflt_log_init();
	mflt_metric_add(MFLT_METRIC(heartbeat, events_dropped), 1);
	MFLT_TRACE_STATUS(unknown, -1);
	MFLT_LOG_INFO("no argument");
	MFLT_LOG_ERROR("%s: %.2f V, %lld", name, static_cast<double>(volts), 5ll);
}
