//! How well a name fits what was typed of it.

use memchr::memmem::Finder;

/// Points for a character that stands where a word begins, and for one behind the last found.
const WORD_START: u64 = 8;
const NEXT: u64 = 4;
/// Points for what was typed in one piece, more than characters apart can have.
const WHOLE: u64 = 1 << 16;

/// What was typed of a name, ready to be looked for in many.
pub(super) struct Typed<'t> {
    bytes: &'t [u8],
    finder: Finder<'t>,
}

impl<'t> Typed<'t> {
    /// `typed` is in lower case.
    pub(super) fn new(typed: &'t str) -> Typed<'t> {
        Typed { bytes: typed.as_bytes(), finder: Finder::new(typed) }
    }

    /// Points for `name` when it holds the characters that were typed, in this order; letters count
    /// without their case. More for what stands in one piece, at the starts of words, and in short
    /// names. `lower` is the name with its ASCII letters in lower case.
    pub(super) fn score(&self, name: &str, lower: &str) -> Option<u64> {
        let found = self
            .in_one_piece(name.as_bytes(), lower.as_bytes())
            .or_else(|| in_order(name.as_bytes(), lower.as_bytes(), self.bytes))?;
        let spare = 255_usize.saturating_sub(name.len());
        Some(found.saturating_mul(256).saturating_add(u64::try_from(spare).unwrap_or(0)))
    }

    /// Whether `lower`, which is in lower case, holds it as it was typed.
    pub(super) fn is_in(&self, lower: &str) -> bool {
        self.finder.find(lower.as_bytes()).is_some()
    }

    fn in_one_piece(&self, name: &[u8], lower: &[u8]) -> Option<u64> {
        let mut places = self.finder.find_iter(lower);
        let first = places.next()?;
        let starts_word = std::iter::once(first).chain(places).any(|at| is_word_start(name, at));
        Some(WHOLE.saturating_add(if starts_word { WORD_START } else { 0 }))
    }
}

fn in_order(name: &[u8], lower: &[u8], typed: &[u8]) -> Option<u64> {
    let mut points: u64 = 0;
    let mut from = 0_usize;
    for want in typed {
        let skipped = lower.get(from..)?.iter().position(|have| have == want)?;
        let at = from.saturating_add(skipped);
        let start = if is_word_start(name, at) { WORD_START } else { 0 };
        let next = if skipped == 0 && from > 0 { NEXT } else { 0 };
        points = points.saturating_add(start).saturating_add(next);
        from = at.saturating_add(1);
    }
    Some(points)
}

/// `rx_ring`, `rxRing`, `app::ring`.
fn is_word_start(name: &[u8], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).and_then(|before| name.get(before)) else { return true };
    let here = name.get(at).is_some_and(u8::is_ascii_uppercase);
    !before.is_ascii_alphanumeric() || (here && before.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(name: &str, typed: &str) -> Option<u64> {
        Typed::new(typed).score(name, &name.to_ascii_lowercase())
    }

    #[test]
    fn better_names_have_more_points() {
        let ranked = |typed: &str, names: &[&str]| {
            let points: Vec<_> = names.iter().map(|name| score(name, typed)).collect();
            assert!(points.windows(2).all(|pair| pair[0] > pair[1]), "{typed}: {points:?}");
        };
        ranked("ring", &["ring", "rx_ring", "string", "rx_i_nothing", "rain"]);
        ranked("rr", &["barred", "rxRing", "rx_ring", "xrxr", "run"]);
    }

    #[test]
    fn order_counts_and_case_does_not() {
        assert!(score("RxRing", "rxr").is_some());
        assert!(score("rx_ring", "gnir").is_none());
        assert!(score("", "a").is_none());
        assert!(score("é", "é").is_some(), "bytes that are no letters are compared as they are");
    }
}
