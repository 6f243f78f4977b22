/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Heartbeats, and what of the built-in metrics the kernel knows. */
#include "kernel.h"
#include "mflt/metrics.h"
#include "mflt/zephyr.h"

#if __has_include(<zephyr/sys/sys_heap.h>)
#include <zephyr/sys/sys_heap.h>
#else
#include <sys/sys_heap.h>
#endif

__weak void mflt_zephyr_metrics(void)
{
}

#if defined(CONFIG_INIT_STACKS) && defined(CONFIG_THREAD_STACK_INFO) && defined(CONFIG_THREAD_MONITOR)
static void find_least(const struct k_thread *thread, void *least)
{
	size_t *bytes = least, unused = 0;

	if (k_thread_stack_space_get(thread, &unused) == 0 && unused < *bytes) {
		*bytes = unused;
	}
}

/* Of the thread that has come closest to the end of its stack. */
static void measure_stacks(void)
{
	size_t least = INT32_MAX;

	/* Reading the stacks takes long: interrupts stay open. */
	k_thread_foreach_unlocked(find_least, &least);
	(void)mflt_metric_set(MFLT_METRIC(heartbeat, stack_free_bytes), (int32_t)least);
}
#else
static void measure_stacks(void)
{
}
#endif

#if defined(CONFIG_SYS_HEAP_RUNTIME_STATS) && CONFIG_HEAP_MEM_POOL_SIZE > 0 && MFLT_ZEPHYR_SINCE(3, 1)
extern struct k_heap _system_heap;

/* What of k_malloc's heap was free when least was. */
static void measure_heap(void)
{
	struct sys_memory_stats stats;

	if (sys_heap_runtime_stats_get(&_system_heap.heap, &stats) == 0) {
		size_t size = stats.free_bytes + stats.allocated_bytes;

		(void)mflt_metric_set(MFLT_METRIC(heartbeat, heap_free_bytes),
				      (int32_t)(size - stats.max_allocated_bytes));
	}
}
#else
static void measure_heap(void)
{
}
#endif

void mflt_port_metrics(void)
{
	measure_stacks();
	measure_heap();
	mflt_zephyr_metrics();
}

#if CONFIG_MFLT_HEARTBEAT_S > 0
static void beat(struct k_work *work);

static K_WORK_DELAYABLE_DEFINE(heartbeat, beat);

static void beat(struct k_work *work)
{
	ARG_UNUSED(work);
	(void)mflt_heartbeat();
	(void)k_work_schedule(&heartbeat, K_SECONDS(CONFIG_MFLT_HEARTBEAT_S));
}

MFLT_ZEPHYR_INIT(start_heartbeats)
{
	(void)k_work_schedule(&heartbeat, K_SECONDS(CONFIG_MFLT_HEARTBEAT_S));
	return 0;
}

SYS_INIT(start_heartbeats, APPLICATION, CONFIG_APPLICATION_INIT_PRIORITY);
#endif
