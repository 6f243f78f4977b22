//! A crash in one line, and what of a backtrace is worth naming: pure functions of a report.

mod machinery;
mod title;

pub use machinery::{
    before_giving_up, gives_up, is_allocator, is_assert, is_canary, is_fatal_path, is_kernel_code,
    is_machinery, is_panic, is_rust_library, is_stack_check, is_watchdog,
};
pub use title::{Naming, Title, title};
