/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define MFLT_METRICS_FILE "events_metrics.def"
#define MFLT_TRACES_FILE "events_traces.def"
#define MFLT_REASONS_FILE "events_reasons.def"
#define MFLT_EVENT_SIZE 400
