//! Functions that every assertion and panic goes through: never the culprit themselves.

/// What a failed assertion calls, by kernel and C library.
const ASSERT: &[&str] = &[
    "assert_post_action",
    "assert_print",
    "__assert_func",
    "__assert_fail",
    "__assert",
    "__aeabi_assert",
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

/// Whether `function` is what a failed assertion calls.
pub fn is_assert(function: &str) -> bool {
    ASSERT.contains(&function)
}

/// Whether `function` is one by which firmware stops itself.
pub fn is_panic(function: &str) -> bool {
    PANIC.contains(&function)
}

/// Whether `function` belongs to a kernel's path from a fault to the last loop.
pub fn is_fatal_path(function: &str) -> bool {
    FATAL_PATH.contains(&function)
}

/// Whether `function` is any of these.
pub fn is_machinery(function: &str) -> bool {
    is_assert(function) || is_panic(function) || is_fatal_path(function)
}
