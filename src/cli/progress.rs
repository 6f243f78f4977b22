//! Progress of what takes longer than a second, on terminals only.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is done sooner needs no bar.
const DELAY: Duration = Duration::from_secs(1);

/// Bytes done out of all, with rate and time left.
pub(super) struct Bar {
    interactive: bool,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Bar {
    pub(super) fn new(interactive: bool) -> Bar {
        Bar { interactive, started: Instant::now(), bar: None }
    }

    /// Shows that `done` of `total` bytes are done.
    pub(super) fn update(&mut self, done: u64, total: u64) {
        if !self.interactive {
            return;
        }
        if self.bar.is_none() && self.started.elapsed() > DELAY {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}  {msg}");
            // The template is a constant; should it ever be wrong, the default one will do.
            self.bar = Some(match style {
                Ok(style) => bar.with_style(style).with_elapsed(self.started.elapsed()),
                Err(_) => bar,
            });
        }
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(pace(done, total, self.started.elapsed()));
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// What has been looked at so far, when nobody knows how much there is.
pub(super) struct Count {
    interactive: bool,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Count {
    pub(super) fn new(interactive: bool) -> Count {
        Count { interactive, started: Instant::now(), bar: None }
    }

    /// Shows how far it is.
    pub(super) fn update(&mut self, message: impl FnOnce() -> String) {
        if !self.interactive || self.started.elapsed() < DELAY {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        });
        bar.set_message(message());
        bar.tick();
    }

    /// Takes the line away.
    pub(super) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Rate and time left since the beginning: what a link gives is steady.
fn pace(done: u64, total: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = done as f64 / seconds;
    let left = if rate > 0.0 { total.saturating_sub(done) as f64 / rate } else { 0.0 };
    format!("{:.0} KiB/s  {left:.0} s left", rate / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_is_that_of_the_whole_capture() {
        let pace_now = pace(50 << 10, 150 << 10, Duration::from_secs(2));
        assert_eq!(pace_now, "25 KiB/s  4 s left");
        assert_eq!(pace(0, 100, Duration::ZERO), "0 KiB/s  0 s left");
    }
}
