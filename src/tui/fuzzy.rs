//! How well a name fits what was typed of it.

/// Points for a character that stands where a word begins, and for one behind the last found.
const WORD_START: u64 = 8;
const NEXT: u64 = 4;
/// Points for what was typed in one piece, more than characters apart can have.
const WHOLE: u64 = 1 << 16;

/// Points for `name` when it holds the characters of `typed`, which are lower case, in this order;
/// letters count without their case. More for what stands in one piece, at the starts of words, and
/// in short names.
pub(super) fn score(name: &str, typed: &str) -> Option<u64> {
    let (name, typed) = (name.as_bytes(), typed.as_bytes());
    let found = in_one_piece(name, typed).or_else(|| in_order(name, typed))?;
    let spare = 255_usize.saturating_sub(name.len());
    Some(found.saturating_mul(256).saturating_add(u64::try_from(spare).unwrap_or(0)))
}

fn in_one_piece(name: &[u8], typed: &[u8]) -> Option<u64> {
    let last = name.len().checked_sub(typed.len())?;
    let is_here = |at: &usize| {
        name.get(*at..).is_some_and(|rest| {
            rest.iter().zip(typed).all(|(have, want)| have.eq_ignore_ascii_case(want))
        })
    };
    let mut places = (0..=last).filter(is_here);
    let first = places.next()?;
    let starts_word = std::iter::once(first).chain(places).any(|at| is_word_start(name, at));
    Some(WHOLE.saturating_add(if starts_word { WORD_START } else { 0 }))
}

fn in_order(name: &[u8], typed: &[u8]) -> Option<u64> {
    let mut points: u64 = 0;
    let mut from = 0_usize;
    for want in typed {
        let rest = name.get(from..)?;
        let skipped = rest.iter().position(|have| have.eq_ignore_ascii_case(want))?;
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
