/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A shell on the serial port: `help` lists the commands. What is logged is printed too. */
#include "shell.h"
#include "board.h"
#include "format.h"
#include "mflt/chunk.h"
#include "mflt/coredump.h"
#include "mflt/crash.h"
#include "mflt/log.h"
#include "mflt/metrics.h"
#include "mflt/port.h"
#include "mflt/reboot.h"
#include "mflt/trace.h"

static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void print(const char *format, ...)
{
	char line[160];
	va_list arguments;

	va_start(arguments, format);
	size_t size = mflt_format(line, sizeof(line), format, arguments);

	va_end(arguments);
	for (size_t i = 0; i < size; i++) {
		serial_put(line[i]);
	}
}

#define SAY(level, ...)                                                                          \
	do {                                                                                     \
		print("log: " __VA_ARGS__);                                                      \
		serial_put('\n');                                                                \
		MFLT_LOG_##level(__VA_ARGS__);                                                   \
	} while (0)

struct sample {
	uint32_t number;
	int32_t millidegrees;
	uint64_t total;
};

static struct sample last_sample;

static void measure(void)
{
	static const char *const sensors[] = {"tmp117", "bme280", "sht41"};
	struct sample *sample = &last_sample;

	sample->number++;
	(void)mflt_metric_add(MFLT_METRIC(heartbeat, samples), 1);
	sample->millidegrees = (int32_t)(sample->number * 7919u % 60000u) - 20000;
	sample->total += 0x123456789ull;
	const char *sensor = sensors[sample->number % 3];

	if (sample->millidegrees < -10000) {
		SAY(WARNING, "%s: %d mdeg, below range", sensor, (int)sample->millidegrees);
		(void)mflt_metric_set(MFLT_METRIC(heartbeat, coldest_degrees), sample->millidegrees);
	} else {
		SAY(INFO, "sample %u: %d mdeg from %s, total %llx", (unsigned)sample->number,
		    (int)sample->millidegrees, sensor, (unsigned long long)sample->total);
	}
}

static int is(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static void measure_often(void)
{
	for (int i = 0; i < 40; i++) {
		measure();
	}
}

static void say(void)
{
	SAY(ERROR, "a line of its own");
}

static void crash_call(void)
{
	SAY(ERROR, "about to call %p", (void *)0xf0000000u);
	((void (*)(void))0xf0000000u)();
}

static void crash_bus(void)
{
	SAY(ERROR, "writing where nothing is");
	board_touch_nothing();
}

static void crash_hard(void)
{
	SAY(ERROR, "the same with interrupts locked");
	(void)mflt_port_lock();
	board_touch_nothing();
}

static void crash_assert(void)
{
	SAY(ERROR, "sample %u is one too many", (unsigned)last_sample.number);
	MFLT_ASSERT(last_sample.number == 0xffffffffu);
}

static void crash_irq(void)
{
	SAY(ERROR, "the next tick is the last");
	crash_in_tick = 1;
	for (;;) {
	}
}

static volatile uint32_t depth;

__attribute__((noinline)) static uint32_t descend(uint32_t value)
{
	volatile uint32_t block[32];

	for (uint32_t i = 0; i < 32; i++) {
		block[i] = value + i;
	}
	if (++depth == 0) {
		return 0;
	}
	return descend(block[value % 32] + 1) + block[1];
}

static void crash_stack(void)
{
	SAY(ERROR, "calling without end");
	depth = descend(depth);
}

static void crash_watchdog(void)
{
	SAY(ERROR, "nobody feeds the watchdog");
	board_start_watchdog();
	for (;;) {
	}
}

static void trace(void)
{
	print("trace gave %d\n", MFLT_TRACE_STATUS(sensor_lost, -19));
}

static void heartbeat(void)
{
	print("heartbeat gave %d\n", mflt_heartbeat());
}

static void capture(void)
{
	SAY(WARNING, "capture while all is well");
	uint32_t start = board_cycles();
	int result = MFLT_CAPTURE(MFLT_REASON_USER_RESET);
	uint32_t cycles = board_cycles() - start;

	print("capture gave %d, %u cycles\n", result, (unsigned)cycles);
}

static void reset(void)
{
	mflt_crash_expect_reset(MFLT_REASON_USER_RESET);
	mflt_port_reset();
}

static void print_line(const char *line)
{
	serial_print(line);
	serial_put('\n');
}

static void export(void)
{
	int chunks = mflt_chunk_print(print_line);

	print("%d chunks\n", chunks);
}

static void delivered(void)
{
	print("%s\n", mflt_chunk_delivered() > 0 ? "there is more" : "nothing is left");
}

static void help(void);

static const struct command commands[] = {
	{"help", "list the commands", help},
	{"measure", "take 40 samples, a log line each", measure_often},
	{"say", "log an error", say},
	{"crash call", "call a function that is none", crash_call},
	{"crash bus", "write where nothing is: BusFault", crash_bus},
	{"crash hard", "the same with interrupts locked: HardFault", crash_hard},
	{"crash assert", "fail an assertion", crash_assert},
	{"crash irq", "write where nothing is, in an interrupt", crash_irq},
	{"crash stack", "overflow the stack", crash_stack},
	{"crash watchdog", "hang until the watchdog's interrupt", crash_watchdog},
#ifdef __ARM_FP
	{"crash float", "write where nothing is, with values in the FPU", board_crash_with_float},
#endif
	{"trace", "report an error that is survived", trace},
	{"heartbeat", "end the heartbeat", heartbeat},
	{"capture", "keep a coredump and go on", capture},
	{"reset", "reset the device", reset},
	{"export", "print the next message for the host", export},
	{"delivered", "the host has it: forget it", delivered},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *more_commands;
static size_t more_count;

/* The command with this number, NULL behind the last one. */
static const struct command *command_at(size_t number)
{
	if (number < COMMANDS) {
		return &commands[number];
	}
	return number - COMMANDS < more_count ? &more_commands[number - COMMANDS] : NULL;
}

static void help(void)
{
	const struct command *command;

	for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
		print("%-14s %s\n", command->name, command->help);
	}
}

static void read_line(char *line, size_t size)
{
	size_t used = 0;

	for (;;) {
		char character = serial_get();

		if (character == '\n' || character == '\r') {
			line[used] = '\0';
			return;
		}
		if (used + 1 < size) {
			line[used++] = character;
		}
	}
}

void shell_begin(void)
{
	(void)mflt_crash_init(MFLT_REASON_POWER_ON, 0);
	print("\n%s, log %s, reason 0x%04x, coredump %u bytes, crash %u\n", BOARD,
	      mflt_log_init() == 1 ? "kept" : "new", (unsigned)mflt_reboot_last()->reason,
	      (unsigned)mflt_coredump_size(), (unsigned)mflt_reboot_crash_count());
	(void)mflt_metrics_init();
}

void shell_run(const struct command *more, size_t count)
{
	char line[32];
	const struct command *command;

	more_commands = more;
	more_count = count;
	for (;;) {
		print("> ");
		read_line(line, sizeof(line));
		for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
			if (is(line, command->name)) {
				command->run();
			}
		}
	}
}
