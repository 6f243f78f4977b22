/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What mflt/port.h asks for: the device, its memory, the time; and what happens at boot. */
#include "kernel.h"
#include "mflt/config.h"
#include "mflt/crash.h"
#include "mflt/flash.h"
#include "mflt/log.h"
#include "mflt/metrics.h"
#include "mflt/port.h"
#include "mflt/storage.h"
#include "mflt/zephyr.h"

#include <stddef.h>

#ifdef CONFIG_HWINFO
#if __has_include(<zephyr/drivers/hwinfo.h>)
#include <zephyr/drivers/hwinfo.h>
#else
#include <drivers/hwinfo.h>
#endif
#endif

/* Of the linker (sections.ld). */
extern const uint8_t mflt_build_id_note[];
#ifdef CONFIG_MFLT_COREDUMP_DATA
#if MFLT_ZEPHYR_SINCE(2, 7)
extern uint8_t __data_region_start[], __data_region_end[];
#define DATA_START __data_region_start
#define DATA_END __data_region_end
#else
extern uint8_t __data_ram_start[], __data_ram_end[];
#define DATA_START __data_ram_start
#define DATA_END __data_ram_end
#endif
extern uint8_t __bss_start[], __bss_end[];
#endif

K_MUTEX_DEFINE(mflt_zephyr_sending);

static char serial[32] = CONFIG_MFLT_SERIAL;

uint32_t mflt_port_lock(void)
{
	return irq_lock();
}

void mflt_port_unlock(uint32_t state)
{
	irq_unlock(state);
}

#ifdef CONFIG_SPIN_VALIDATE
/* Asking for the time takes a lock that the crash may have left taken, which would be an assertion. */
static volatile uint32_t noted_ms;

static void note_time(struct k_timer *timer __unused)
{
	noted_ms = k_uptime_get_32();
}

static K_TIMER_DEFINE(mflt_time, note_time, NULL);
#endif

uint32_t mflt_port_uptime_ms(void)
{
#ifdef CONFIG_SPIN_VALIDATE
	uint32_t exception;

	__asm volatile("mrs %0, ipsr" : "=r"(exception));
	if (exception >= 2 && exception <= 11) {
		return noted_ms;
	}
#endif
	return k_uptime_get_32();
}

const struct mflt_device *mflt_port_device(void)
{
	static const struct mflt_device device = {
		.serial = serial,
		.software_type = CONFIG_MFLT_SOFTWARE_TYPE,
		.software_version = CONFIG_MFLT_SOFTWARE_VERSION,
		.hardware_version = CONFIG_MFLT_HARDWARE_VERSION,
		.build_id_note = mflt_build_id_note,
	};

	return &device;
}

const struct mflt_storage *mflt_port_storage(void)
{
	return IS_ENABLED(CONFIG_MFLT_STORAGE_FLASH) ? &mflt_storage_flash : &mflt_storage_ram;
}

#define CHOSEN(chosen)                                                                           \
	{(const void *)DT_REG_ADDR(DT_CHOSEN(chosen)), DT_REG_SIZE(DT_CHOSEN(chosen))}

/* Weak, as the device may have more. */
__weak const struct mflt_region *mflt_port_memory(uint32_t *count)
{
	static const struct mflt_region memory[] = {
		{(const void *)CONFIG_SRAM_BASE_ADDRESS, CONFIG_SRAM_SIZE * 1024u},
#if CONFIG_FLASH_SIZE > 0
		{(const void *)CONFIG_FLASH_BASE_ADDRESS, CONFIG_FLASH_SIZE * 1024u},
#endif
#if DT_HAS_CHOSEN(zephyr_ccm)
		CHOSEN(zephyr_ccm),
#endif
#if DT_HAS_CHOSEN(zephyr_dtcm)
		CHOSEN(zephyr_dtcm),
#endif
#if DT_HAS_CHOSEN(zephyr_itcm)
		CHOSEN(zephyr_itcm),
#endif
	};

	*count = ARRAY_SIZE(memory);
	return memory;
}

/* Weak, as the application knows what it wants. */
__weak const struct mflt_region *mflt_port_regions(uint32_t *count)
{
#ifdef CONFIG_MFLT_COREDUMP_DATA
	static struct mflt_region regions[2];

	regions[0] = (struct mflt_region){DATA_START, (uint32_t)(DATA_END - DATA_START)};
	regions[1] = (struct mflt_region){__bss_start, (uint32_t)(__bss_end - __bss_start)};
	*count = ARRAY_SIZE(regions);
	return regions;
#else
	*count = 0;
	return NULL;
#endif
}

int mflt_zephyr_set_serial(const char *text)
{
	size_t size = 0;

	while (text[size] != '\0') {
		if (++size >= sizeof(serial)) {
			return MFLT_ETOOLARGE;
		}
	}
	for (size_t i = 0; i <= size; i++) {
		serial[i] = text[i];
	}
	return MFLT_OK;
}

static void find_serial(void)
{
#ifdef CONFIG_HWINFO
	static const char digits[] = "0123456789abcdef";
	uint8_t id[(sizeof(serial) - 1) / 2];
	ssize_t size = serial[0] == '\0' ? hwinfo_get_device_id(id, sizeof(id)) : 0;

	for (ssize_t i = 0; i < size; i++) {
		serial[2 * i] = digits[id[i] >> 4];
		serial[2 * i + 1] = digits[id[i] & 0xfu];
		serial[2 * i + 2] = '\0';
	}
#endif
}

/* What the hardware tells of the last reset, the worst first. */
static enum mflt_reason find_reason(uint32_t *cause)
{
	*cause = 0;
	/* Zephyr knows it since 2.7. */
#if defined(CONFIG_HWINFO) && defined(RESET_WATCHDOG)
	static const struct {
		uint32_t cause;
		enum mflt_reason reason;
	} reasons[] = {
		{RESET_CPU_LOCKUP, MFLT_REASON_LOCKUP},
		{RESET_WATCHDOG, MFLT_REASON_HARDWARE_WATCHDOG},
		{RESET_PARITY, MFLT_REASON_PARITY_ERROR},
		{RESET_SECURITY, MFLT_REASON_SECURITY_VIOLATION},
		{RESET_CLOCK | RESET_PLL, MFLT_REASON_CLOCK_FAILURE},
		{RESET_BROWNOUT, MFLT_REASON_BROWN_OUT},
		{RESET_POR, MFLT_REASON_POWER_ON},
		{RESET_LOW_POWER_WAKE, MFLT_REASON_DEEP_SLEEP},
		{RESET_SOFTWARE, MFLT_REASON_SOFTWARE_RESET},
		{RESET_DEBUG, MFLT_REASON_DEBUGGER_HALTED},
		{RESET_PIN, MFLT_REASON_PIN_RESET},
	};

	if (hwinfo_get_reset_cause(cause) != 0) {
		*cause = 0;
	}
	/* Else the causes of all boots would add up. */
	(void)hwinfo_clear_reset_cause();
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		if ((*cause & reasons[i].cause) != 0) {
			return reasons[i].reason;
		}
	}
#endif
	return MFLT_REASON_UNKNOWN;
}

MFLT_ZEPHYR_INIT(mflt_boot)
{
	uint32_t cause;
	enum mflt_reason reason = find_reason(&cause);

	find_serial();
	(void)mflt_crash_init(reason, cause);
	(void)mflt_log_init();
	(void)mflt_metrics_init();
#ifdef CONFIG_SPIN_VALIDATE
	k_timer_start(&mflt_time, K_SECONDS(1), K_SECONDS(1));
#endif
	return 0;
}

#ifdef CONFIG_MFLT_STORAGE_FLASH
/* Behind the flash's driver. */
SYS_INIT(mflt_boot, POST_KERNEL, CONFIG_MFLT_INIT_PRIORITY);
#else
SYS_INIT(mflt_boot, PRE_KERNEL_1, CONFIG_MFLT_INIT_PRIORITY);
#endif
