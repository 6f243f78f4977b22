//! The queue of timeouts (`kernel/timeout.c`): each entry keeps the ticks since the one before it.

use super::layout::member;
use crate::base::{Address, FastMap, Memory};
use crate::symbols::SymbolFile;

/// Most entries; a longer queue is taken for a corrupted one.
const MOST: usize = 4096;

/// When timeouts end.
#[derive(Debug, Default)]
pub(super) struct Timeouts {
    /// Ticks from the last that the kernel was told of, by the address of `struct _timeout`.
    ticks: FastMap<Address, u64>,
    rate: Option<u32>,
}

impl Timeouts {
    /// The queue as far as `memory` holds it.
    pub(super) fn read(memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Timeouts {
        let rate = symbols.absolute("CONFIG_SYS_CLOCK_TICKS_PER_SEC").filter(|rate| *rate > 0);
        let mut timeouts = Timeouts { rate, ..Timeouts::default() };
        timeouts.follow(memory, symbols);
        timeouts
    }

    fn follow(&mut self, memory: &dyn Memory, symbols: &SymbolFile<'_>) -> Option<()> {
        let head = symbols.symbol("timeout_list")?.address;
        let layout = symbols.layout("_timeout", "dticks")?;
        let delta = u32::try_from(layout.offset_bytes).ok()?;
        let mut at = Address(memory.read_u32(head).ok()?);
        let mut ticks = 0_u64;
        while at != head && self.ticks.len() < MOST {
            let place = member(at, Some(delta))?;
            let passed = match layout.size_bytes? {
                4 => i64::from(memory.read_u32(place).ok()? as i32),
                _ => {
                    let high = memory.read_u32(member(place, Some(4))?).ok()?;
                    (i64::from(high as i32) << 32) | i64::from(memory.read_u32(place).ok()?)
                }
            };
            // One that is overdue counts as due.
            ticks = ticks.saturating_add(u64::try_from(passed).unwrap_or(0));
            if self.ticks.insert(at, ticks).is_some() {
                return None;
            }
            at = Address(memory.read_u32(at).ok()?);
        }
        Some(())
    }

    /// Ticks that the timeout at `address` has left, when it is in the queue.
    pub(super) fn ticks_left(&self, address: Address) -> Option<u64> {
        self.ticks.get(&address).copied()
    }

    /// `ticks` in milliseconds.
    pub(super) fn milliseconds(&self, ticks: u64) -> Option<u64> {
        let milliseconds = u128::from(ticks).checked_mul(1000)?.checked_div(self.rate?.into())?;
        u64::try_from(milliseconds).ok()
    }
}
