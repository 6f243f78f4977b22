//! A live target as memory, so that what reads dumps can also read a stopped core.

use std::cell::RefCell;
use std::collections::HashMap;

use super::Target;
use crate::base::{Address, AddressRange, Memory, Unreadable};

const PAGE: u32 = 256;
/// Pages kept; beyond that everything is forgotten. 16 MiB.
const MAX_PAGES: usize = 1 << 16;

/// Memory of a stopped target, read page by page and remembered.
///
/// Peripherals and system registers are read exactly as asked for, and every time.
pub struct LiveMemory<'t> {
    state: RefCell<State<'t>>,
}

struct State<'t> {
    target: &'t mut dyn Target,
    /// By page number. A page without bytes could not be read as a whole.
    pages: HashMap<u32, Option<Vec<u8>>>,
    failed: bool,
}

impl std::fmt::Debug for LiveMemory<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveMemory").finish_non_exhaustive()
    }
}

impl<'t> LiveMemory<'t> {
    /// The memory of `target`, which must be stopped and stay so.
    pub fn new(target: &'t mut dyn Target) -> LiveMemory<'t> {
        LiveMemory { state: RefCell::new(State { target, pages: HashMap::new(), failed: false }) }
    }

    /// What was read and is remembered: pages, lowest address first, those that touch in one.
    pub(super) fn into_runs(self) -> Vec<(Address, Vec<u8>)> {
        let mut pages: Vec<(u32, Vec<u8>)> = (self.state.into_inner().pages.into_iter())
            .filter_map(|(number, bytes)| Some((number, bytes?)))
            .collect();
        pages.sort_unstable_by_key(|(number, _)| *number);
        pages
            .chunk_by(|(number, _), (next, _)| number.checked_add(1) == Some(*next))
            .filter_map(|run| {
                let (first, _) = run.first()?;
                let bytes = run.iter().flat_map(|(_, bytes)| bytes).copied().collect();
                Some((Address(first.saturating_mul(PAGE)), bytes))
            })
            .collect()
    }
}

impl Memory for LiveMemory<'_> {
    fn read(&self, address: Address, buffer: &mut [u8]) -> Result<(), Unreadable> {
        let unreadable = Unreadable { address };
        // Borrowed already only if a target read itself through this; there is no answer then.
        let mut state = self.state.try_borrow_mut().map_err(|_| unreadable)?;
        let range = AddressRange::new(address, buffer.len() as u64).ok_or(unreadable)?;
        if super::is_device(address) {
            let bytes = state.exact(range).ok_or(unreadable)?;
            return copy(&bytes, buffer).ok_or(unreadable);
        }
        let mut done = 0_usize;
        while done < buffer.len() {
            let at = address.wrapping_add(done as i64);
            let offset = usize::try_from(at.0 % PAGE).unwrap_or(0);
            let missing = Unreadable { address: at };
            let rest = buffer.get_mut(done..).unwrap_or_default();
            let page_left = usize::try_from(PAGE).unwrap_or(0).saturating_sub(offset);
            let count = rest.len().min(page_left);
            let part = rest.get_mut(..count).unwrap_or_default();
            match state.page(at.0 / PAGE) {
                Some(page) => copy(page.get(offset..).unwrap_or_default(), part),
                // The page lies across the end of memory: just what is wanted, then.
                None => AddressRange::new(at, count as u64)
                    .and_then(|range| state.exact(range))
                    .and_then(|bytes| copy(&bytes, part)),
            }
            .ok_or(missing)?;
            done = done.saturating_add(count);
        }
        Ok(())
    }
}

fn copy(from: &[u8], to: &mut [u8]) -> Option<()> {
    to.copy_from_slice(from.get(..to.len())?);
    Some(())
}

impl State<'_> {
    fn page(&mut self, number: u32) -> Option<&[u8]> {
        if !self.pages.contains_key(&number) {
            let start = Address(number.saturating_mul(PAGE));
            let bytes = self.exact(AddressRange::new(start, u64::from(PAGE))?);
            if self.pages.len() >= MAX_PAGES {
                self.pages.clear();
            }
            self.pages.insert(number, bytes);
        }
        self.pages.get(&number)?.as_deref()
    }

    fn exact(&mut self, range: AddressRange) -> Option<Vec<u8>> {
        if self.failed {
            return None;
        }
        let read = self.target.read_memory(&[range], &mut |_| true);
        self.failed = read.error.is_some();
        let (start, bytes) = read.runs.into_iter().next()?;
        (start == range.start() && bytes.len() as u64 == range.size()).then_some(bytes)
    }
}
