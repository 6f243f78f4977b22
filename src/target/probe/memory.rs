//! Reading memory through an access port: blocks, holes narrowed down.
//!
//! What cannot be read becomes a gap; nothing is filled with zeros.

use probe_rs::{Core, MemoryInterface as _};

use super::ProbeTarget;
use super::attach::chain;
use crate::base::{Address, AddressRange};
use crate::snapshot::Gap;
use crate::target::plan::CPUID;
use crate::target::{MemoryRead, TargetError, is_device};

/// Bytes per transfer: MEM-APs count their address up within 1 KiB at least.
const BLOCK: u64 = 1 << 10;
/// Registers are read in smaller blocks: a larger one fails as a whole.
const DEVICE_BLOCK: u64 = 64;
/// A hole of this size or less whose first and last words fail counts as a whole.
const FINE: u64 = 256;
/// Refused reads in one call before whole blocks count as holes.
const MAX_REFUSED: usize = 4096;

/// Reads `ranges`; see [`crate::target::Target::read_memory`].
pub(super) fn read(
    target: &mut ProbeTarget,
    ranges: &[AddressRange],
    progress: &mut dyn FnMut(u64) -> bool,
) -> MemoryRead {
    let mut read = MemoryRead::default();
    let mut done = 0_u64;
    let mut refusals = 0;
    let mut ranges: Vec<AddressRange> = ranges.to_vec();
    ranges.sort();
    for range in ranges {
        let block = if is_device(range.start()) { DEVICE_BLOCK } else { BLOCK };
        let mut at = u64::from(range.start().0);
        while at < range.end() {
            // Blocks begin at multiples of their size.
            let end = at.saturating_add(1).next_multiple_of(block).min(range.end());
            if read.error.is_none() {
                let result = match target.core() {
                    Ok(mut core) => narrow(&mut core, (at, end), &mut read, &mut refusals),
                    Err(error) => Err(error),
                };
                read.error = result.err();
                done = done.saturating_add(end.saturating_sub(at));
                if read.error.is_none() && (!progress(done) || target.is_cancelled()) {
                    read.error = Some(TargetError::Cancelled);
                    at = end;
                    continue;
                }
            }
            if let Some(error) = &read.error {
                let reason = format!("not read: {error}");
                add_gap(&mut read.gaps, (at, range.end()), reason);
                break;
            }
            at = end;
        }
    }
    read
}

/// Start and end of a range.
type Span = (u64, u64);

/// Reads a block, or as much of it as can be read.
fn narrow(
    core: &mut Core<'_>,
    span: Span,
    read: &mut MemoryRead,
    refusals: &mut usize,
) -> Result<(), TargetError> {
    let reason = match bytes(core, span) {
        Ok(bytes) => {
            add_run(&mut read.runs, span.0, bytes);
            return Ok(());
        }
        Err(error) => refused(core, address(span.0), error),
    };
    let TargetError::Refused { code, .. } = reason else { return Err(reason) };
    *refusals = refusals.saturating_add(1);
    let size = span.1.saturating_sub(span.0);
    if size <= 4 || *refusals > MAX_REFUSED {
        add_gap(&mut read.gaps, span, code);
        return Ok(());
    }
    if size <= FINE {
        let first = bytes(core, (span.0, span.0.saturating_add(4)));
        let last = bytes(core, (span.1.saturating_sub(4), span.1));
        if first.is_err() && last.is_err() {
            add_gap(&mut read.gaps, span, code);
            return Ok(());
        }
    }
    let middle = span.0.saturating_add((size / 2).next_multiple_of(4)).min(span.1);
    for half in [(span.0, middle), (middle, span.1)] {
        if half.0 < half.1 {
            narrow(core, half, read, refusals)?;
        }
    }
    Ok(())
}

fn bytes(core: &mut Core<'_>, (start, end): Span) -> Result<Vec<u8>, probe_rs::Error> {
    let size = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
    let mut bytes = vec![0; size];
    core.read(start, &mut bytes)?;
    Ok(bytes)
}

/// Whether the chip refused, or the way to it is broken: CPUID can always be read.
pub(super) fn refused(
    core: &mut Core<'_>,
    address: Address,
    error: probe_rs::Error,
) -> TargetError {
    match core.read_word_32(u64::from(CPUID.0)) {
        Ok(_) => TargetError::Refused { request: address.to_string(), code: "a fault".to_owned() },
        Err(_) => TargetError::Probe(chain(&error)),
    }
}

fn address(at: u64) -> Address {
    Address(u32::try_from(at).unwrap_or(u32::MAX))
}

fn add_run(runs: &mut Vec<(Address, Vec<u8>)>, start: u64, mut bytes: Vec<u8>) {
    match runs.last_mut() {
        Some((at, run)) if u64::from(at.0).saturating_add(run.len() as u64) == start => {
            run.append(&mut bytes);
        }
        _ => runs.push((address(start), bytes)),
    }
}

fn add_gap(gaps: &mut Vec<Gap>, (start, end): Span, reason: String) {
    let size = |from: u64| end.saturating_sub(from);
    if let Some(last) = gaps.last_mut().filter(|g| g.range.end() == start && g.reason == reason) {
        let from = last.range.start();
        last.range = AddressRange::new(from, size(u64::from(from.0))).unwrap_or(last.range);
    } else {
        let range = AddressRange::new(address(start), size(start));
        gaps.extend(range.map(|range| Gap { range, reason }));
    }
}
