/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The headers in C++: compiled by sdk/check, never run. */
#define MFLT_LOG_COMPACT 1
#include "mflt/chunk.h"
#include "mflt/coredump.h"
#include "mflt/crash.h"
#include "mflt/log.h"
#include "mflt/port.h"
#include "mflt/reboot.h"
#include "mflt/storage.h"

void log_from_cpp(const char *name, float volts)
{
	mflt_log_init();
	MFLT_LOG_INFO("no argument");
	MFLT_LOG_ERROR("%s: %.2f V, %lld", name, static_cast<double>(volts), 5ll);
}
