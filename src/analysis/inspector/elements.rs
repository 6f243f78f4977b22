//! Elements of an array by the page; equal ones share a row, as in a value on one line.

use super::Inspector;
use super::values::{Children, SHALLOW};
use crate::base::Address;
use crate::report::Status;
use crate::symbols::{ArrayLayout, NoFrame, Place, REPEATS, SymbolFile};

/// Rows that are given at once.
const PAGE: usize = 100;
/// Bytes that are looked through for equal elements at once, and for a page.
const CHUNK: u64 = 1 << 16;
const MOST_COMPARED: u64 = 1 << 24;
/// Elements without a value that share a row.
const MOST_MISSING: u64 = 1 << 16;

impl<'d> Inspector<'_, 'd> {
    /// The elements of the array at `place`, from number `from` on.
    pub(super) fn elements(
        &self,
        file: &SymbolFile<'d>,
        array: &ArrayLayout,
        place: &Place,
        from: u64,
    ) -> Children {
        let memory = self.memory();
        let mut room = MOST_COMPARED;
        let mut items = Vec::new();
        let mut index = from.min(array.count);
        while index < array.count && items.len() < PAGE {
            let place = place.part(array.stride.saturating_mul(8).saturating_mul(index));
            let left = array.count.saturating_sub(index);
            let start = place.address();
            let equal = start.map_or(1, |start| self.equal(start, array.stride, left, &mut room));
            let value = file.read_value(array.element, &place, memory, SHALLOW);
            let count = if equal < REPEATS { 1 } else { equal };
            let next = index.saturating_add(count);
            let name = match count {
                1 => format!("[{index}]"),
                _ => format!("[{index}..{}]", next.saturating_sub(1)),
            };
            let mut item = self.item(file, &name, &value, &NoFrame(memory));
            if count > 1 && item.status == Status::Ok {
                item.text.push_str(&format!(" <repeats {count} times>"));
            }
            items.push(item);
            index = next;
        }
        Children { items, next: index, more: array.count.saturating_sub(index) }
    }

    /// How many of `count` elements from `start` on hold what the first holds, or are as little
    /// known. Takes what it looks through from `room`.
    fn equal(&self, start: Address, stride: u64, count: u64, room: &mut u64) -> u64 {
        let Some(size) = usize::try_from(stride).ok().filter(|_| (1..=CHUNK).contains(&stride))
        else {
            return 1;
        };
        let memory = self.memory();
        let element = |index: u64| {
            let offset = u32::try_from(index.saturating_mul(stride)).ok();
            offset.and_then(|offset| start.checked_add(offset))
        };
        let mut first = vec![0; size];
        if memory.read(start, &mut first).is_err() {
            // Neither end can be read, and for the same reason.
            let is_missing = |at: Address| {
                let last = u32::try_from(size.saturating_sub(1)).ok();
                [Some(at), last.and_then(|last| at.checked_add(last))]
                    .into_iter()
                    .flatten()
                    .all(|end| memory.read_u8(end).is_err())
            };
            let redacted = memory.is_redacted(start);
            let same = (0..count.min(MOST_MISSING)).take_while(|index| {
                let at = element(*index);
                at.is_some_and(|at| is_missing(at) && memory.is_redacted(at) == redacted)
            });
            return same.count().max(1) as u64;
        }
        let mut equal = 1_u64;
        // More and more at once, so that elements that differ cost little.
        let mut most = CHUNK.checked_div(stride).unwrap_or(1);
        let mut step = REPEATS.min(most);
        let mut bytes = Vec::new();
        while equal < count && *room > 0 {
            step = step.min(count.saturating_sub(equal)).max(1);
            bytes.resize(size.saturating_mul(usize::try_from(step).unwrap_or(1)), 0);
            let read = element(equal).map(|at| memory.read(at, &mut bytes));
            if !matches!(read, Some(Ok(()))) {
                if step == 1 {
                    break;
                }
                // What is captured ends within these.
                step /= 2;
                most = step;
                continue;
            }
            *room = room.saturating_sub(bytes.len() as u64);
            let same = bytes.chunks_exact(size).take_while(|next| *next == first).count() as u64;
            equal = equal.saturating_add(same);
            if same < step {
                break;
            }
            step = step.saturating_mul(2).min(most);
        }
        equal
    }
}
