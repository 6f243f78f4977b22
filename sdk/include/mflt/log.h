/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The log: a ring in RAM that outlives a reset. The oldest whole lines make room for new ones.
 *
 *	mflt_log_init();
 *	MFLT_LOG_INFO("booted from slot %u", slot);
 *
 * May be called from threads and interrupts, not from an NMI. Lines are lost with the power, and on
 * cores with a data cache when a reset finds them in it: put the ring where writes go through.
 */
#ifndef MFLT_LOG_H
#define MFLT_LOG_H

#include "mflt/config.h"
#include "mflt/error.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mflt_log_level {
	MFLT_LOG_LEVEL_DEBUG = 0,
	MFLT_LOG_LEVEL_INFO = 1,
	MFLT_LOG_LEVEL_WARNING = 2,
	MFLT_LOG_LEVEL_ERROR = 3,
};

/* To be called first. Keeps what the ring holds from before a reset, and marks the reset in it.
 * Gives 1 if there was something to keep, 0 if the ring is new. */
int mflt_log_init(void);

/* Adds `size` bytes of text, at most MFLT_LOG_LINE_SIZE of them. */
int mflt_log_write(enum mflt_log_level level, const char *text, size_t size);

/* Adds a line. `format` is as of printf, without floating point: %d %i %u %x %X %c %s %p %%, with
 * the flags - and 0, width, precision of %s, and h, hh, l, ll, z, t, j. */
int mflt_log_printf(enum mflt_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Adds the address of a format and its arguments; `classes` says what they are. Called by the
 * macros below. */
int mflt_log_compact(enum mflt_log_level level, const char *format, uint32_t classes, ...);

/* Lines that were dropped to make room, since the ring was new. */
uint32_t mflt_log_lost(void);

#ifdef __cplusplus
}
#endif

#if MFLT_LOG_COMPACT
#include "mflt/log_compact.h"
#else
#define MFLT_LOG_LINE_(level, ...) (void)mflt_log_printf(level, __VA_ARGS__)
#endif

#define MFLT_LOG_AT_(level, ...)                                                                 \
	do {                                                                                     \
		if ((int)(level) >= MFLT_LOG_LEVEL) {                                            \
			MFLT_LOG_LINE_(level, __VA_ARGS__);                                      \
		}                                                                                \
	} while (0)

/* A format, which has to be a string literal, and its arguments. */
#define MFLT_LOG_DEBUG(...) MFLT_LOG_AT_(MFLT_LOG_LEVEL_DEBUG, __VA_ARGS__)
#define MFLT_LOG_INFO(...) MFLT_LOG_AT_(MFLT_LOG_LEVEL_INFO, __VA_ARGS__)
#define MFLT_LOG_WARNING(...) MFLT_LOG_AT_(MFLT_LOG_LEVEL_WARNING, __VA_ARGS__)
#define MFLT_LOG_ERROR(...) MFLT_LOG_AT_(MFLT_LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
