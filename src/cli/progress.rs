//! A progress bar for what takes longer than a second, on terminals only.

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
            let style = ProgressStyle::with_template(
                "{wide_bar} {bytes} of {total_bytes}  {binary_bytes_per_sec}  {eta} left",
            );
            // The template is a constant; should it ever be wrong, the default one will do.
            self.bar = Some(match style {
                Ok(style) => bar.with_style(style).with_elapsed(self.started.elapsed()),
                Err(_) => bar,
            });
        }
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
