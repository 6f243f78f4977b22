//! The kernel's doubly linked lists, walked forwards, and where they are damaged backwards too.

use super::layout::Layout;
use crate::base::{Address, Memory};

/// Longest list that is followed.
const LONGEST: usize = super::MOST_TASKS;

/// What a walk found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Walk {
    /// Items, in the list's order.
    pub(super) items: Vec<Address>,
    /// Where the list is broken, and how.
    pub(super) damage: Option<(Address, String)>,
}

/// Walks the list at `list`. One that was never initialised is empty.
pub(super) fn walk(memory: &dyn Memory, layout: &Layout, list: Address) -> Walk {
    let mut found = Walk::default();
    let Some(end) = list.checked_add(layout.list.end) else { return found };
    let word = |base: Address, offset| memory.read_u32(base.checked_add(offset)?).ok();
    let Some(count) = word(list, layout.list.count) else {
        found.damage = Some((list, "is not captured".into()));
        return found;
    };
    if word(end, layout.item.next) == Some(0) && count == 0 {
        return found;
    }
    found.damage = follow(memory, layout, list, end, layout.item.next, &mut found.items);
    if found.damage.is_some() {
        // What lies behind the break hangs on the other end.
        let mut behind = Vec::new();
        follow(memory, layout, list, end, layout.item.previous, &mut behind);
        behind.retain(|item| !found.items.contains(item));
        found.items.extend(behind.into_iter().rev());
    } else if found.items.len() != usize::try_from(count).unwrap_or(usize::MAX) {
        let text = format!("holds {} entries and counts {count}", found.items.len());
        found.damage = Some((list, text));
    }
    found
}

/// Follows one direction, up to the first thing that is wrong.
fn follow(
    memory: &dyn Memory,
    layout: &Layout,
    list: Address,
    end: Address,
    link: u32,
    items: &mut Vec<Address>,
) -> Option<(Address, String)> {
    let word = |base: Address, offset| memory.read_u32(base.checked_add(offset)?).ok();
    let mut from = end;
    loop {
        let Some(at) = word(from, link).map(Address) else {
            return Some((from, format!("leads to {from}, which is not captured")));
        };
        if at == end {
            return None;
        }
        if items.contains(&at) {
            return Some((from, format!("loops at {at}")));
        }
        if items.len() >= LONGEST {
            return Some((from, format!("is longer than {LONGEST} entries")));
        }
        if !at.is_aligned(4) || word(at, layout.item.container) != Some(list.0) {
            return Some((from, format!("leads to {at}, which is no entry of it")));
        }
        items.push(at);
        from = at;
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::{ItemLayout, ListLayout};
    use super::*;
    use crate::snapshot::MemoryImage;

    const LIST: u32 = 0x2000_0000;
    const END: u32 = LIST + 8;

    fn layout() -> Layout {
        Layout {
            list: ListLayout { size: 20, count: 0, end: 8 },
            item: ItemLayout {
                value: 0,
                value_size: 4,
                next: 4,
                previous: 8,
                owner: 12,
                container: 16,
            },
            ..Layout::default()
        }
    }

    fn item(number: u32) -> u32 {
        LIST + 0x100 + number * 0x20
    }

    /// A list of `count` items, then `patches` over it.
    fn walked(count: u32, patches: &[(u32, u32)]) -> Walk {
        let mut memory = MemoryImage::default();
        let node = |n: u32| if n == 0 || n > count { END } else { item(n) };
        let mut words: Vec<(u32, u32)> =
            vec![(LIST, count), (END + 4, node(1)), (END + 8, node(count))];
        for n in 1..=count {
            words.extend([
                (item(n) + 4, node(n + 1)),
                (item(n) + 8, node(n - 1)),
                (item(n) + 16, LIST),
            ]);
        }
        // What is inserted first counts.
        for (at, word) in patches.iter().chain(&words) {
            memory.insert(Address(*at), word.to_le_bytes().to_vec()).unwrap();
        }
        walk(&memory, &layout(), Address(LIST))
    }

    fn items(numbers: &[u32]) -> Vec<Address> {
        numbers.iter().map(|n| Address(item(*n))).collect()
    }

    #[test]
    fn whole_list_is_walked_in_order() {
        assert_eq!(walked(3, &[]), Walk { items: items(&[1, 2, 3]), damage: None });
        assert_eq!(walked(0, &[]), Walk::default());
    }

    #[test]
    fn list_that_was_never_initialised_is_empty() {
        assert_eq!(walked(0, &[(END + 4, 0), (END + 8, 0)]), Walk::default());
    }

    #[test]
    fn broken_list_is_walked_from_both_ends() {
        let found = walked(4, &[(item(2) + 4, 0xdead_beef)]);
        assert_eq!(found.items, items(&[1, 2, 3, 4]));
        let (at, text) = found.damage.unwrap();
        assert_eq!(
            (at, text.as_str()),
            (Address(item(2)), "leads to 0xdeadbeef, which is no entry of it")
        );
    }

    #[test]
    fn list_with_a_loop_ends() {
        let found =
            walked(3, &[(item(3) + 4, item(1)), (END + 8, item(3)), (item(1) + 8, item(3))]);
        assert_eq!(found.items, items(&[1, 2, 3]));
        assert!(found.damage.unwrap().1.starts_with("loops at"));
    }

    #[test]
    fn wrong_count_is_told() {
        let found = walked(2, &[(LIST, 5)]);
        assert_eq!(found.damage.unwrap().1, "holds 2 entries and counts 5");
    }
}
