//! Functions that every assertion and panic goes through: never the culprit themselves.

/// What a failed assertion calls, by kernel and C library.
const ASSERT: &[&str] = &[
    "assert_post_action",
    "assert_print",
    "__assert_func",
    "__assert_fail",
    "__assert",
    "__aeabi_assert",
    "__assert_no_args",
    "vAssertCalled",
    "assert_failed",
];

/// By which firmware stops itself.
const PANIC: &[&str] = &[
    "z_except_reason",
    "k_panic",
    "k_oops",
    "panic",
    "abort",
    "rust_begin_unwind",
    "rust_panic",
    "__terminate",
    "__stack_chk_fail",
];

/// Of Rust's core library: what panics, by the start of its name, or by its whole name.
const RUST_PANIC: &[&str] =
    &["core::panicking::", "std::panicking::", "__rustc::rust_begin_unwind"];
const RUST_FAILED: &[&str] = &[
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "core::result::unwrap_failed",
    "core::cell::panic_already_borrowed",
    "core::cell::panic_already_mutably_borrowed",
    "core::slice::index::slice_index_fail",
];

/// Crates that come with the compiler.
const RUST_LIBRARIES: &[&str] = &["core::", "alloc::", "std::", "__rustc::", "__rdl_oom"];

/// The way from a fault or a panic to the last loop, by kernel: Zephyr 1.14, then later, then FreeRTOS.
const FATAL_PATH: &[&str] = &[
    "_Fault",
    "z_NanoFatalErrorHandler",
    "z_SysFatalErrorHandler",
    "z_arm_fault",
    "z_arm_fatal_error",
    "z_fatal_error",
    "k_sys_fatal_error_handler",
    "arch_system_halt",
    "z_do_kernel_oops",
    "vApplicationStackOverflowHook",
    "vApplicationMallocFailedHook",
    "prvTaskExitError",
];

/// What finds a stack overflow after the fact, in whatever ran then.
const STACK_CHECKS: &[&str] = &["z_check_stack_sentinel", "_check_stack_sentinel"];

/// What the compiler calls when a function has overwritten the word behind its local variables.
const CANARY: &[&str] = &["__stack_chk_fail", "_StackCheckHandler"];

/// Allocators and their innards: Zephyr, FreeRTOS, ThreadX, newlib.
const ALLOCATORS: &[&str] = &[
    "k_malloc",
    "k_calloc",
    "k_aligned_alloc",
    "k_realloc",
    "k_free",
    "k_heap_alloc",
    "k_heap_aligned_alloc",
    "k_heap_free",
    "z_heap_aligned_alloc",
    "z_alloc_helper",
    "sys_heap_alloc",
    "sys_heap_aligned_alloc",
    "sys_heap_realloc",
    "sys_heap_aligned_realloc",
    "sys_heap_free",
    "alloc_chunk",
    "free_chunk",
    "split_chunks",
    "merge_chunks",
    "free_list_add",
    "free_list_add_bidx",
    "free_list_remove",
    "free_list_remove_bidx",
    "pvPortMalloc",
    "pvPortCalloc",
    "vPortFree",
    "prvInsertBlockIntoFreeList",
    "tx_byte_allocate",
    "_tx_byte_allocate",
    "_tx_byte_release",
    "_tx_byte_pool_search",
    "malloc",
    "calloc",
    "realloc",
    "free",
    "_malloc_r",
    "_calloc_r",
    "_realloc_r",
    "_free_r",
];

/// Files of FreeRTOS, without the ending.
const KERNEL_FILES: &[&str] = &[
    "tasks",
    "queue",
    "list",
    "timers",
    "event_groups",
    "stream_buffer",
    "port",
    "portasm",
    "heap_1",
    "heap_2",
    "heap_3",
    "heap_4",
    "heap_5",
];

/// By which the names of ThreadX' functions begin.
const KERNEL_PREFIXES: &[&str] = &["_tx_", "_txe_", "tx_"];

/// Words of function names, by their usual abbreviations, that stand for a watchdog.
const WATCHDOG: &[&str] = &["watchdog", "wdt", "wdog", "wdg", "wwdg", "iwdg", "wwdt"];

/// Words that feed a watchdog, which is what a handler does that is not the watchdog's own.
const FEEDS: &[&str] = &["feed", "kick", "reload", "refresh", "pat", "setup", "init"];

/// Whether `function` is what a failed assertion calls.
pub fn is_assert(function: &str) -> bool {
    ASSERT.contains(&function)
}

/// Whether `function` is one by which firmware stops itself.
pub fn is_panic(function: &str) -> bool {
    PANIC.contains(&function)
        || RUST_PANIC.iter().any(|start| function.starts_with(start))
        || RUST_FAILED.contains(&function)
}

/// Whether `function` is what a failed assertion or a panic calls.
pub fn gives_up(function: &str) -> bool {
    is_assert(function) || is_panic(function)
}

/// The part of `frames`, innermost first, that led to a failed assertion or a panic: what that calls
/// to stop, such as `_exit`, is nobody's fault. All of them where nothing gave up.
pub fn before_giving_up<T>(frames: &[T], function: impl Fn(&T) -> &str) -> &[T] {
    let gives_up = |frame: &T| gives_up(function(frame));
    let first = frames.iter().position(gives_up).unwrap_or(0);
    let rest = frames.get(first..).unwrap_or(&[]);
    let run = rest.iter().take_while(|frame| gives_up(frame)).count();
    rest.get(run..).filter(|callers| !callers.is_empty()).unwrap_or(frames)
}

/// Whether `function` belongs to Rust's own libraries, which run on behalf of their caller.
pub fn is_rust_library(function: &str) -> bool {
    let has = |path: &str| RUST_LIBRARIES.iter().any(|start| path.starts_with(start));
    // Types without a path are built in: `<u32>::pow`, `<[u8] as core::ops::Index<usize>>::index`.
    let is_theirs = |ty: &str| has(ty) || !ty.contains("::");
    match function.strip_prefix('<') {
        None => has(function),
        Some(rest) => match rest.split_once(" as ") {
            Some((ty, implemented)) => has(implemented) && is_theirs(ty),
            None => rest.split_once(">::").is_some_and(|(ty, _)| is_theirs(ty)),
        },
    }
}

/// Whether `function` belongs to a kernel's path from a fault to the last loop.
pub fn is_fatal_path(function: &str) -> bool {
    FATAL_PATH.contains(&function)
}

/// Whether `function` is any of these.
pub fn is_machinery(function: &str) -> bool {
    gives_up(function) || is_fatal_path(function)
}

/// Whether `function` looks for overflowed stacks: what called it is not the one that overflowed.
pub fn is_stack_check(function: &str) -> bool {
    STACK_CHECKS.contains(&function)
}

/// Whether `function` is called when a stack canary was overwritten.
pub fn is_canary(function: &str) -> bool {
    CANARY.contains(&function)
}

/// Whether `function` belongs to an allocator.
pub fn is_allocator(function: &str) -> bool {
    ALLOCATORS.contains(&function)
}

/// Whether `function` of `file` belongs to a kernel by which a thread waits: FreeRTOS by the file,
/// since everybody names functions as it does, ThreadX by the name.
pub fn is_kernel_code(function: &str, file: Option<&str>) -> bool {
    let name = file.and_then(|file| file.rsplit(['/', '\\']).next());
    let stem = name.and_then(|name| Some(name.rsplit_once('.')?.0));
    stem.is_some_and(|stem| KERNEL_FILES.contains(&stem))
        || KERNEL_PREFIXES.iter().any(|prefix| function.starts_with(prefix))
}

/// Whether `function` is, by its name, what handles a watchdog that ran out.
pub fn is_watchdog(function: &str) -> bool {
    let name = function.to_ascii_lowercase();
    let has = |words: &[&str]| name.split('_').any(|part| words.contains(&part));
    (has(WATCHDOG) || name.contains("watchdog")) && !has(FEEDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_rust_itself_are_told_from_the_firmware_s() {
        for name in [
            "core::ptr::read_volatile::<u32>",
            "<core::option::Option<u32>>::unwrap",
            "<*const u32>::read_volatile",
            "<[u32] as core::ops::index::Index<usize>>::index",
            "__rustc::rust_begin_unwind",
            // Of alloc; Rust 1.85 gives it no path.
            "__rdl_oom",
        ] {
            assert!(is_rust_library(name), "{name}");
        }
        for name in [
            "corelib_init",
            "<app::Speed as core::fmt::Debug>::fmt",
            "<u32 as app::Read>::read",
            "<app::Baro>::read",
            "alloc_chunk",
        ] {
            assert!(!is_rust_library(name), "{name}");
        }
    }

    #[test]
    fn watchdogs_are_told_by_a_word_of_the_name() {
        for name in ["wdt_isr", "WWDG_IRQHandler", "task_wdt_trigger", "softwareWatchdogExpired"] {
            assert!(is_watchdog(name), "{name}");
        }
        for name in ["wdt_feed", "task_wdt_init", "bandwidth_isr", "SysTick_Handler"] {
            assert!(!is_watchdog(name), "{name}");
        }
    }
}
