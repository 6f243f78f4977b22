/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The shell's command `mflt`; `mflt crash` is in shell_crash.c. */
#include "kernel.h"
#include "mflt/chunk.h"
#include "mflt/coredump.h"
#include "mflt/crash.h"
#include "mflt/log.h"
#include "mflt/metrics.h"
#include "mflt/port.h"
#include "mflt/reboot.h"
#include "mflt/storage.h"
#include "mflt/trace.h"
#include "mflt/zephyr.h"
#include "shell_crash.h"

#include <errno.h>
#include <string.h>

/* Where print_line prints to; under mflt_zephyr_sending. */
static const struct shell *printing;

static void print_line(const char *line)
{
	shell_print(printing, "%s", line);
}

/* Gives chunks, or an error. */
static int print_message(const struct shell *shell)
{
	printing = shell;
	return mflt_chunk_print(print_line);
}

static int export(const struct shell *shell, size_t count, char **words)
{
	int all = count > 1 && strcmp(words[1], "all") == 0, chunks, total = 0;

	if (count > 1 && !all) {
		shell_error(shell, "`%s` is not `all`", words[1]);
		return -EINVAL;
	}
	(void)k_mutex_lock(&mflt_zephyr_sending, K_FOREVER);
	do {
		chunks = print_message(shell);
		total += chunks > 0 ? chunks : 0;
	} while (all && chunks > 0 && mflt_chunk_delivered() >= 0);
	(void)k_mutex_unlock(&mflt_zephyr_sending);
	shell_print(shell, "%d chunks", total);
	return chunks < 0 ? -EIO : 0;
}

static int delivered(const struct shell *shell, size_t count, char **words)
{
	ARG_UNUSED(count);
	ARG_UNUSED(words);
	(void)k_mutex_lock(&mflt_zephyr_sending, K_FOREVER);
	int more = mflt_chunk_delivered();

	(void)k_mutex_unlock(&mflt_zephyr_sending);
	shell_print(shell, more > 0 ? "there is more" : "nothing is left");
	return more < 0 ? -EIO : 0;
}

/* Referred to also where there is no such command. */
static int post_chunks(const struct shell *shell, size_t count, char **words)
{
	ARG_UNUSED(count);
	ARG_UNUSED(words);
	int result = IS_ENABLED(CONFIG_MFLT_UPLOAD) ? mflt_zephyr_upload() : MFLT_ENOTREADY;

	if (result != 0) {
		shell_error(shell, "not delivered, it stays: error %d", result);
		return -EIO;
	}
	shell_print(shell, "all is delivered");
	return 0;
}

static int get_core(const struct shell *shell, size_t count, char **words)
{
	ARG_UNUSED(count);
	ARG_UNUSED(words);
	if (mflt_coredump_size() == 0) {
		shell_print(shell, "no coredump, room for %u bytes",
			    (unsigned)mflt_port_storage()->size);
	} else {
		shell_print(shell, "a coredump of %u bytes: `mflt export` prints it",
			    (unsigned)mflt_coredump_size());
	}
	return 0;
}

static int clear_core(const struct shell *shell, size_t count, char **words)
{
	ARG_UNUSED(shell);
	ARG_UNUSED(count);
	ARG_UNUSED(words);
	(void)k_mutex_lock(&mflt_zephyr_sending, K_FOREVER);
	int result = mflt_coredump_discard();

	mflt_chunk_abort();
	(void)k_mutex_unlock(&mflt_zephyr_sending);
	return result < 0 ? -EIO : 0;
}

static int reboot_reason(const struct shell *shell, size_t count, char **words)
{
	const struct mflt_reboot *last = mflt_reboot_last();

	ARG_UNUSED(count);
	ARG_UNUSED(words);
	shell_print(shell, "reason 0x%04x, pc 0x%08x, lr 0x%08x, reset register 0x%08x",
		    (unsigned)last->reason, (unsigned)last->pc, (unsigned)last->lr,
		    (unsigned)last->reset_register);
	shell_print(shell, "after %u ms, coredump %s, crash %u", (unsigned)last->uptime_ms,
		    last->has_coredump != 0 ? "kept" : "not kept",
		    (unsigned)mflt_reboot_crash_count());
	return 0;
}

static void print_metric(const struct shell *shell, enum mflt_metric metric, const char *name,
			 int32_t scale)
{
	const char *text = mflt_metric_get_text(metric);
	int32_t value;

	if (mflt_metric_get(metric, &value) == MFLT_OK) {
		if (scale > 1) {
			shell_print(shell, "%-36s %d / %d", name, (int)value, (int)scale);
		} else {
			shell_print(shell, "%-36s %d", name, (int)value);
		}
	} else {
		shell_print(shell, "%-36s %s", name, text != NULL ? text : "-");
	}
}

static int show_metrics(const struct shell *shell, size_t count, char **words)
{
	ARG_UNUSED(count);
	ARG_UNUSED(words);
	mflt_port_metrics();
#define PRINT(session, name, scale)                                                              \
	print_metric(shell, MFLT_METRIC(session, name), #session "." #name, scale);
#define MFLT_COUNTER(session, name) PRINT(session, name, 1)
#define MFLT_GAUGE(session, name, scale) PRINT(session, name, scale)
#define MFLT_TIMER(session, name) PRINT(session, name, 1)
#define MFLT_TEXT(session, name, size) PRINT(session, name, 1)
#include "mflt/metric_list.h"
#undef PRINT
	return 0;
}

static int say(const struct shell *shell, const char *what, int result)
{
	shell_print(shell, "%s gave %d", what, result);
	return result < 0 ? -EIO : 0;
}

static int test_log(const struct shell *shell, size_t count, char **words)
{
	static uint32_t number;

	ARG_UNUSED(count);
	ARG_UNUSED(words);
	number++;
	MFLT_LOG_ERROR("test %u of the log", (unsigned)number);
	shell_print(shell, "logged `test %u of the log`", (unsigned)number);
	return 0;
}

static int test_trace(const struct shell *shell, size_t count, char **words)
{
	ARG_UNUSED(count);
	ARG_UNUSED(words);
	return say(shell, "trace", MFLT_TRACE_STATUS(unknown, -5));
}

static int test_heartbeat(const struct shell *shell, size_t count, char **words)
{
	ARG_UNUSED(count);
	ARG_UNUSED(words);
	return say(shell, "heartbeat", mflt_heartbeat());
}

static int test_capture(const struct shell *shell, size_t count, char **words)
{
	ARG_UNUSED(count);
	ARG_UNUSED(words);
	return say(shell, "capture", MFLT_CAPTURE(MFLT_REASON_SELF_TEST));
}

static int test_reset(const struct shell *shell, size_t count, char **words)
{
	ARG_UNUSED(shell);
	ARG_UNUSED(count);
	ARG_UNUSED(words);
	mflt_crash_expect_reset(MFLT_REASON_USER_RESET);
	mflt_port_reset();
}

SHELL_STATIC_SUBCMD_SET_CREATE(
	tests, SHELL_CMD(capture, NULL, "keep a coredump and go on", test_capture),
	SHELL_CMD(heartbeat, NULL, "end the heartbeat", test_heartbeat),
	SHELL_CMD(log, NULL, "log an error", test_log),
	SHELL_CMD(reset, NULL, "reset, as wanted", test_reset),
	SHELL_CMD(trace, NULL, "report an error that is survived", test_trace),
	SHELL_SUBCMD_SET_END);

SHELL_STATIC_SUBCMD_SET_CREATE(
	commands, SHELL_CMD(clear_core, NULL, "remove the coredump", clear_core),
	SHELL_CMD_ARG(crash, NULL, "[way]: crash, or list the ways", mflt_shell_crash, 1, 1),
	SHELL_CMD(delivered, NULL, "the host has what was exported: forget it", delivered),
	SHELL_CMD_ARG(export, NULL, "[all]: print the next message, or all and forget them", export, 1,
		      1),
	SHELL_CMD(get_core, NULL, "whether there is a coredump", get_core),
	SHELL_CMD(metrics, NULL, "print all metrics", show_metrics),
	SHELL_COND_CMD(CONFIG_MFLT_UPLOAD, post_chunks, NULL, "send all that waits", post_chunks),
	SHELL_CMD(reboot_reason, NULL, "why the device was reset", reboot_reason),
	SHELL_CMD(test, &tests, "try a part of the SDK", NULL), SHELL_SUBCMD_SET_END);

SHELL_CMD_REGISTER(mflt, &commands, "device SDK", NULL);
