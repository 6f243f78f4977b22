//! Numbers as people type them, and as they read them.

use std::time::Duration;

pub(super) use crate::base::number::{format_size, parse_number, parse_size};

/// `20260228T130509Z`: a time since 1970-01-01 UTC, for names of files.
pub(super) fn compact_time(time: Duration) -> String {
    let ms = u64::try_from(time.as_millis()).unwrap_or(0);
    let [year, month, day, hour, minute, second] = civil_time(ms);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// `2026-02-28T13:05:09Z`-like parts of a time in milliseconds since 1970-01-01 UTC:
/// year, month, day, hour, minute, second.
pub(super) fn civil_time(ms: u64) -> [u64; 6] {
    let seconds = ms / 1000;
    // Days since 0000-03-01, in eras of 400 years: leap days then end their year.
    let days = seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let time = seconds % 86_400;
    [year, month, day, time / 3600, time / 60 % 60, time % 60]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_time_knows_leap_years() {
        assert_eq!(civil_time(0), [1970, 1, 1, 0, 0, 0]);
        assert_eq!(civil_time(951_782_400_000), [2000, 2, 29, 0, 0, 0]);
        assert_eq!(civil_time(1_709_251_199_999), [2024, 2, 29, 23, 59, 59]);
        assert_eq!(civil_time(4_107_542_400_000), [2100, 3, 1, 0, 0, 0]);
    }
}
