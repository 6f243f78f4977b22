/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A device with a shell on its serial port: `help` lists the commands. What it logs it prints too.
 */
#include "board.h"
#include "format.h"
#include "mflt/log.h"

#include <stdint.h>

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
	sample->millidegrees = (int32_t)(sample->number * 7919u % 60000u) - 20000;
	sample->total += 0x123456789ull;
	const char *sensor = sensors[sample->number % 3];

	if (sample->millidegrees < -10000) {
		SAY(WARNING, "%s: %d mdeg, below range", sensor, (int)sample->millidegrees);
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

struct command {
	const char *name;
	const char *help;
	void (*run)(void);
};

static void measure_often(void)
{
	for (int i = 0; i < 40; i++) {
		measure();
	}
}

static void crash_call(void)
{
	SAY(ERROR, "about to call %p", (void *)0xf0000000u);
	((void (*)(void))0xf0000000u)();
}

static void help(void);

static const struct command commands[] = {
	{"help", "list the commands", help},
	{"measure", "take 40 samples, a log line each", measure_often},
	{"crash call", "call a function that is none", crash_call},
	{"reset", "reset the device", board_reset},
};

static void help(void)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		print("%-12s %s\n", commands[i].name, commands[i].help);
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

int main(void)
{
	char line[32];

	board_init();
	print("\n%s, log %s\n", BOARD, mflt_log_init() == 1 ? "kept" : "new");
	for (;;) {
		print("> ");
		read_line(line, sizeof(line));
		for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
			if (is(line, commands[i].name)) {
				commands[i].run();
			}
		}
	}
}
