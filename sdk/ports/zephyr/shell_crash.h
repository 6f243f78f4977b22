/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `mflt crash`. */
#ifndef MFLT_ZEPHYR_SHELL_CRASH_H
#define MFLT_ZEPHYR_SHELL_CRASH_H

#include <stddef.h>

#if __has_include(<zephyr/shell/shell.h>)
#include <zephyr/shell/shell.h>
#else
#include <shell/shell.h>
#endif

int mflt_shell_crash(const struct shell *shell, size_t count, char **words);

#endif
