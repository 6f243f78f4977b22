/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Crashes on request, to see that each comes back. */
#include "shell_crash.h"
#include "kernel.h"
#include "mflt/crash.h"
#include "mflt/zephyr.h"

#include <errno.h>
#include <string.h>

/* In the system's region of the address space, where no device is. */
#define NOWHERE 0xf0000000u

static void touch_nothing(void)
{
	*(volatile uint32_t *)NOWHERE = 1;
}

static void crash_bus(void)
{
	touch_nothing();
}

static void crash_call(void)
{
	((void (*)(void))(NOWHERE | 1u))();
}

static void crash_undefined(void)
{
	__asm volatile("udf #0");
}

/* With all interrupts locked, faults too. */
static void crash_hard(void)
{
	__asm volatile("cpsid i" : : : "memory");
	touch_nothing();
}

static void crash_assert(void)
{
	MFLT_ASSERT(false);
}

static void crash_kernel_assert(void)
{
	__ASSERT(false, "asked for by the shell");
}

static void crash_panic(void)
{
	k_panic();
}

static void crash_oops(void)
{
	k_oops();
}

static void fault_in_timer(struct k_timer *timer)
{
	ARG_UNUSED(timer);
	touch_nothing();
}

static void panic_in_timer(struct k_timer *timer)
{
	ARG_UNUSED(timer);
	k_panic();
}

static K_TIMER_DEFINE(faulting, fault_in_timer, NULL);
static K_TIMER_DEFINE(panicking, panic_in_timer, NULL);

static void crash_irq(void)
{
	k_timer_start(&faulting, K_MSEC(20), K_NO_WAIT);
	k_sleep(K_SECONDS(1));
}

static void crash_irq_panic(void)
{
	k_timer_start(&panicking, K_MSEC(20), K_NO_WAIT);
	k_sleep(K_SECONDS(1));
}

static volatile uint32_t depth;

__attribute__((noinline)) static uint32_t descend(uint32_t value)
{
	volatile uint32_t block[16];

	for (uint32_t i = 0; i < ARRAY_SIZE(block); i++) {
		block[i] = value + i;
	}
	if (++depth == 0) {
		return 0;
	}
	return descend(block[value % ARRAY_SIZE(block)] + 1) + block[1];
}

static void crash_stack(void)
{
	depth = descend(depth);
}

#ifdef CONFIG_MFLT_WATCHDOG
static void crash_watchdog(void)
{
	mflt_zephyr_watchdog_feed();
	for (;;) {
	}
}
#endif

static const struct {
	const char *name;
	void (*run)(void);
	const char *help;
} ways[] = {
	{"assert", crash_assert, "MFLT_ASSERT fails"},
	{"bus", crash_bus, "write where nothing is"},
	{"call", crash_call, "call what is no code"},
	{"hard", crash_hard, "write where nothing is, with faults locked"},
	{"irq", crash_irq, "write where nothing is, in an interrupt"},
	{"irq_panic", crash_irq_panic, "k_panic in an interrupt"},
	{"kernel_assert", crash_kernel_assert, "__ASSERT fails (CONFIG_ASSERT)"},
	{"oops", crash_oops, "k_oops"},
	{"panic", crash_panic, "k_panic"},
	{"stack", crash_stack, "overflow the stack"},
	{"undefined", crash_undefined, "an instruction that there is not"},
#ifdef CONFIG_MFLT_WATCHDOG
	{"watchdog", crash_watchdog, "hang until the software watchdog"},
#endif
};

int mflt_shell_crash(const struct shell *shell, size_t count, char **words)
{
	for (size_t i = 0; count > 1 && i < ARRAY_SIZE(ways); i++) {
		if (strcmp(words[1], ways[i].name) == 0) {
			ways[i].run();
			shell_error(shell, "%s did not crash", words[1]);
			return -EINVAL;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		shell_print(shell, "%-14s %s", ways[i].name, ways[i].help);
	}
	return count > 1 ? -EINVAL : 0;
}
