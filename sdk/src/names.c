/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Names for the host, which the device never reads: see SPEC.md, "Names". */
#include "mflt/config.h"

/* Strings that end with NUL, one behind the other, are one string to the compiler. */
__attribute__((section("mflt_names"), used)) static const char names[] =
	"MFLT1\0"
#define MFLT_SESSION(session) "s;" #session "\0m;" #session ";2;1;duration_ms\0"
#define MFLT_COUNTER(session, name) "m;" #session ";0;1;" #name "\0"
#define MFLT_GAUGE(session, name, scale) "m;" #session ";1;" #scale ";" #name "\0"
#define MFLT_TIMER(session, name) "m;" #session ";2;1;" #name "\0"
#define MFLT_TEXT(session, name, size) "m;" #session ";3;1;" #name "\0"
#include "mflt/metric_list.h"
#ifdef MFLT_TRACES_FILE
#define MFLT_TRACE_REASON(name) "t;" #name "\0"
#include MFLT_TRACES_FILE
#undef MFLT_TRACE_REASON
#endif
#ifdef MFLT_REASONS_FILE
#define MFLT_REASON_WANTED(name) "w;" #name "\0"
#define MFLT_REASON_UNWANTED(name) "u;" #name "\0"
#include MFLT_REASONS_FILE
#undef MFLT_REASON_WANTED
#undef MFLT_REASON_UNWANTED
#endif
	;
