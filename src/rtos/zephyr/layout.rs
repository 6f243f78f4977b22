//! Where Zephyr's kernel objects keep what a thread list needs.

use crate::base::{Address, Memory};
use crate::symbols::SymbolFile;

/// Offsets in bytes; `None` for members that this build does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// `_kernel.cpus[0].current`, from `_kernel`.
    pub(super) current: Option<u32>,
    /// `_kernel.cpus[0].idle_thread`, from `_kernel`.
    pub(super) idle_thread: Option<u32>,
    /// `_kernel.threads`, from `_kernel`; only with CONFIG_THREAD_MONITOR.
    pub(super) threads: Option<u32>,
    // The rest counts from the start of `struct k_thread`.
    pub(super) next_thread: Option<u32>,
    pub(super) entry: Option<u32>,
    pub(super) thread_state: Option<u32>,
    pub(super) prio: Option<u32>,
    pub(super) pended_on: Option<u32>,
    pub(super) timeout_next: Option<u32>,
    pub(super) name: Option<u32>,
    pub(super) name_size: Option<usize>,
    pub(super) stack_start: Option<u32>,
    pub(super) stack_size: Option<u32>,
    /// First of r4 to r11.
    pub(super) callee_saved: Option<u32>,
    pub(super) psp: Option<u32>,
    /// s16 to s31 of a thread that uses the FPU.
    pub(super) preempt_float: Option<u32>,
    /// Low byte of the thread's EXC_RETURN.
    pub(super) exc_return: Option<u32>,
    /// CONFIG_USE_SWITCH: pointer to the saved frame, which replaces `psp`.
    pub(super) switch_handle: Option<u32>,
    /// The saved frame of CONFIG_USE_SWITCH begins with the floating-point part.
    pub(super) switch_has_float: bool,
    /// The saved frame of CONFIG_USE_SWITCH holds PSPLIM.
    pub(super) switch_has_limit: bool,
    /// CONFIG_USE_SWITCH: where a thread goes on that was interrupted within an instruction that can
    /// be continued, else 0.
    pub(super) interrupted_pc: Option<u32>,
    /// State bit 0x04 means sleeping (after 4.0), not prestart.
    pub(super) sleeping_bit: bool,
}

/// Entry of the offset table for a member that is not there.
const ABSENT: u32 = u32::MAX;
/// More entries than any version has: 17 are known.
const TABLE_LIMIT: u32 = 64;

impl Layout {
    /// From DWARF, else from the offset table, else an explanation.
    pub(super) fn find(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Result<Layout, String> {
        Layout::from_dwarf(symbols).or_else(|| Layout::from_table(memory, symbols)).ok_or_else(
            || {
                "threads cannot be listed: the ELF has neither debug information for \
                 `struct k_thread` nor the offset table of CONFIG_DEBUG_THREAD_INFO"
                    .into()
            },
        )
    }

    fn from_dwarf(symbols: &SymbolFile<'_>) -> Option<Layout> {
        let offset = |type_name: &str, path: &str| {
            let member = symbols.layout(type_name, path)?;
            u32::try_from(member.offset_bytes).ok()
        };
        let size = |type_name: &str, path: &str| symbols.layout(type_name, path)?.size_bytes;
        let kernel = |path: &str| offset("z_kernel", path);
        let thread = |path: &str| offset("k_thread", path);
        let user_options = size("k_thread", "base.user_options");
        // CONFIG_USE_SWITCH for Cortex-M came with a link register among the callee-saved ones.
        let uses_switch = thread("callee_saved.lr").is_some();
        Some(Layout {
            current: kernel("cpus[0].current").or_else(|| kernel("current")),
            idle_thread: kernel("cpus[0].idle_thread"),
            threads: kernel("threads"),
            next_thread: thread("next_thread"),
            entry: thread("entry.pEntry"),
            thread_state: Some(thread("base.thread_state")?),
            prio: thread("base.prio"),
            pended_on: thread("base.pended_on"),
            timeout_next: thread("base.timeout.node.next"),
            name: thread("name"),
            name_size: size("k_thread", "name").and_then(|size| usize::try_from(size).ok()),
            stack_start: thread("stack_info.start"),
            stack_size: thread("stack_info.size"),
            callee_saved: thread("callee_saved"),
            psp: thread("callee_saved.psp"),
            preempt_float: thread("arch.preempt_float"),
            exc_return: thread("arch.mode_exc_return"),
            switch_handle: if uses_switch { thread("switch_handle") } else { None },
            switch_has_float: is_set(symbols, "CONFIG_FPU"),
            switch_has_limit: is_set(symbols, "CONFIG_BUILTIN_STACK_GUARD"),
            interrupted_pc: thread("arch.iciit_pc"),
            sleeping_bit: user_options == Some(2),
        })
    }

    /// The table that Zephyr keeps for debuggers: 32-bit offsets in a fixed order. It is in
    /// flash, so it comes from the ELF where the dump holds RAM only.
    fn from_table(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<Layout> {
        let symbol = |new: &str, old: &str| symbols.symbol(new).or_else(|| symbols.symbol(old));
        let table = symbol("_kernel_thread_info_offsets", "_kernel_openocd_offsets")?.address;
        let count = symbol("_kernel_thread_info_num_offsets", "_kernel_openocd_num_offsets")?;
        let width = symbol("_kernel_thread_info_size_t_size", "_kernel_openocd_size_t_size")?;
        let count = memory.read_u32(count.address).ok()?.min(TABLE_LIMIT);
        if memory.read_u8(width.address).ok()? != 4 {
            return None;
        }
        let entry = |index: u32| {
            let at = table.checked_add(index.checked_mul(4)?).filter(|_| index < count)?;
            memory.read_u32(at).ok().filter(|value| *value != ABSENT)
        };
        let arch = entry(10);
        let in_arch = |index: u32| arch?.checked_add(entry(index)?);
        let absolute = |name: &str| symbols.absolute(name);
        let stack_info = absolute("___thread_t_stack_info_OFFSET");
        let in_stack_info = |name: &str| stack_info?.checked_add(absolute(name)?);
        Some(Layout {
            current: entry(1),
            threads: entry(2),
            entry: entry(3),
            next_thread: entry(4),
            thread_state: Some(entry(5)?),
            prio: entry(7),
            callee_saved: entry(8).and_then(|psp| psp.checked_sub(32)),
            psp: entry(8),
            name: entry(9),
            preempt_float: in_arch(11),
            exc_return: in_arch(13),
            stack_start: in_stack_info("___thread_stack_info_t_start_OFFSET"),
            stack_size: in_stack_info("___thread_stack_info_t_size_OFFSET"),
            switch_handle: absolute("___thread_t_switch_handle_OFFSET"),
            switch_has_float: is_set(symbols, "CONFIG_FPU"),
            switch_has_limit: is_set(symbols, "CONFIG_BUILTIN_STACK_GUARD"),
            ..Layout::default()
        })
    }
}

fn is_set(symbols: &SymbolFile<'_>, setting: &str) -> bool {
    symbols.absolute(setting) == Some(1)
}

/// `base` plus a member's offset.
pub(super) fn member(base: Address, offset: Option<u32>) -> Option<Address> {
    base.checked_add(offset?)
}
