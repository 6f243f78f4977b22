/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The options of the demo. */
#define MFLT_METRICS_FILE "metrics.def"
#define MFLT_TRACES_FILE "traces.def"
