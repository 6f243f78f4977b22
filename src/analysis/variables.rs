//! stub
use super::unwind::{Environment, UnwoundFrame};
use crate::report::Variable;
use crate::snapshot::MemoryImage;
use crate::symbols::SymbolFile;
pub(super) struct FrameState;
impl FrameState {
    pub(super) fn new(_e: &Environment<'_, '_>, _c: &[UnwoundFrame]) -> Option<FrameState> {
        None
    }
}
pub(super) fn globals(_s: &SymbolFile<'_>, _m: &MemoryImage) -> Vec<Variable> {
    Vec::new()
}
pub(super) fn of_frame(
    _s: &SymbolFile<'_>,
    _f: &crate::symbols::SourceFrame<'_>,
    _c: &FrameState,
) -> (Vec<Variable>, Vec<Variable>) {
    (Vec::new(), Vec::new())
}
