/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "events_config.h"

#define MFLT_METRICS_NAMED 1
#undef MFLT_EVENT_MAX
#define MFLT_EVENT_MAX 300
