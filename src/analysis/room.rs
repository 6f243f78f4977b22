//! How much fits one report: a bound on its size, and so on the time and the memory that it takes.
//!
//! Real firmware stays far below. A damaged or forged list of threads can name hundreds that all
//! unwind through the same long stack, each frame with every local in full.

use super::Options;
use crate::report::{Frame, Notes, Severity, Variable};

/// Frames of all threads together.
const FRAMES: usize = 1 << 12;
/// Values of locals, parts of aggregates included.
const LOCALS: usize = 1 << 18;
/// Values of globals. Large firmware has some thousand, many of them arrays of structures.
const GLOBALS: usize = 1 << 20;
/// What finding a variable costs, in values.
const VARIABLE: usize = 8;
/// Characters that count as much as one more value or frame.
const TEXT: usize = 64;

/// What still fits.
#[derive(Debug)]
pub(super) struct Room {
    /// Locals are wanted at all.
    pub(super) locals: bool,
    /// Most frames of one thread.
    pub(super) max_frames: usize,
    frames: usize,
    values: usize,
    /// Something was left out.
    frames_cut: bool,
    values_cut: bool,
}

impl Room {
    /// For all threads, with locals if `options` say so.
    pub(super) fn for_threads(options: &Options) -> Room {
        let Options { locals, max_frames, .. } = *options;
        let (frames, values) = (FRAMES, LOCALS);
        Room { locals, max_frames, frames, values, frames_cut: false, values_cut: false }
    }

    /// For globals alone.
    pub(super) fn for_globals() -> Room {
        Room { values: GLOBALS, ..Room::for_threads(&Options::default()) }
    }

    /// Gives away half of what is left.
    pub(super) fn split(&mut self) -> Room {
        let half = |left: &mut usize| {
            let given = *left / 2;
            *left = left.saturating_sub(given);
            given
        };
        Room {
            frames: half(&mut self.frames),
            values: half(&mut self.values),
            frames_cut: false,
            values_cut: false,
            ..*self
        }
    }

    /// Takes back what is left of `other`.
    pub(super) fn merge(&mut self, other: Room) {
        self.frames = self.frames.saturating_add(other.frames);
        self.values = self.values.saturating_add(other.values);
        self.frames_cut |= other.frames_cut;
        self.values_cut |= other.values_cut;
    }

    /// Whether one more frame fits. A frame that does not is noted.
    pub(super) fn for_frame(&mut self) -> bool {
        self.frames_cut |= self.frames == 0;
        self.frames > 0
    }

    /// Whether one more value fits. A value that does not is noted.
    pub(super) fn for_value(&mut self) -> bool {
        self.values_cut |= self.values == 0;
        self.values > 0
    }

    /// Takes the room of `frame` without its variables.
    pub(super) fn take_frame(&mut self, frame: &Frame) {
        let texts = [&frame.function, &frame.file, &frame.remark];
        let text = texts.into_iter().flatten().map(String::len).fold(0, usize::saturating_add);
        self.frames = self.frames.saturating_sub((text / TEXT).saturating_add(1));
    }

    /// Takes the room of `variable` with its parts.
    pub(super) fn take_value(&mut self, variable: &Variable) {
        self.values = self.values.saturating_sub(size(variable).saturating_add(VARIABLE));
    }

    /// Says what was left out, `who` being whose values they are: locals or globals.
    pub(super) fn remark(&self, who: &str, notes: &mut Notes) {
        if self.frames_cut {
            let text = format!("all backtraces together have more than {FRAMES} frames: some end");
            notes.add(Severity::Warning, "frames_cut", format!("{text} early"));
        }
        if self.values_cut {
            let text =
                format!("there are too many values of {who} for a report: some are left out");
            notes.add(Severity::Warning, "values_cut", text);
        }
    }
}

/// Values in `variable`, which the symbols' limits keep small in number and depth; long texts count
/// as several.
fn size(variable: &Variable) -> usize {
    let value = variable.value.as_ref().map_or(0, String::len);
    let text = value.saturating_add(variable.name.len()).saturating_add(variable.type_name.len());
    let own = (text / TEXT).saturating_add(1);
    variable.children.iter().map(size).fold(own, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_used_up_by_parts_and_by_long_texts() {
        let part = Variable { value: Some("x".repeat(10 * TEXT)), ..Variable::default() };
        let whole = Variable { children: vec![part; 3], ..Variable::default() };
        assert_eq!(size(&whole), 1 + 3 * 11);
        let mut room = Room { values: 50, ..Room::for_globals() };
        room.take_value(&whole);
        assert!(room.for_value() && !room.values_cut);
        room.take_value(&whole);
        assert!(!room.for_value());
        let half = room.split();
        room.merge(half);
        let mut notes = Notes::default();
        room.remark("locals", &mut notes);
        let codes: Vec<String> = notes.into_vec().into_iter().map(|note| note.code).collect();
        assert_eq!(codes, ["values_cut"]);
    }
}
