//! Capturing: registers, System Control Space, what explains the crash, then the rest.
//!
//! What was read stays, whatever happens later: a server that dies, a user who interrupts and
//! memory that cannot be read all end in a snapshot that says what is missing.

use super::plan::{self, CPUID, CapturePlan, ICTR, PlannedRange, Purpose};
use super::{LiveMemory, Registers, Target, TargetError, is_device, mpu};
use crate::arch::cortex_m::mpu::{MPU_RNR, MPU_TYPE};
use crate::arch::cortex_m::security::has_security_extension;
use crate::base::{Address, AddressRange, Memory};
use crate::snapshot::{Gap, MemoryImage, Origin, RegisterSet, Snapshot};

/// How far a capture has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes dealt with, read or not.
    pub done: u64,
    /// Bytes to deal with, as far as known.
    pub total: u64,
    /// What is being read.
    pub current: PlannedRange,
}

/// Names ranges to read first, from the registers and the memory of the stopped target: stacks
/// and kernel objects, which only somebody with symbols can know.
pub type Prioritise<'a> = dyn FnMut(&RegisterSet, &dyn Memory) -> Vec<PlannedRange> + 'a;

/// What a capture gave.
#[derive(Debug)]
pub struct Captured {
    /// Everything that was read. [`Origin::complete`] tells whether anything is missing apart
    /// from registers of the System Control Space, which not every core has.
    pub snapshot: Snapshot,
    /// Why the capture ended early.
    pub error: Option<TargetError>,
}

/// Captures `target`, which is stopped, after `plan`.
///
/// `progress` may stop the capture with `false`.
pub fn capture(
    target: &mut dyn Target,
    plan: &CapturePlan,
    prioritise: &mut Prioritise<'_>,
    progress: &mut dyn FnMut(&Progress) -> bool,
) -> Captured {
    let mut snapshot = Snapshot {
        origin: Origin {
            format: target.route().to_owned(),
            server: Some(target.server()),
            ..Origin::default()
        },
        reason: target.stop_reason(),
        ..Snapshot::default()
    };
    match target.read_registers() {
        Ok(Registers { set, remarks }) => {
            snapshot.registers = set;
            snapshot.remarks = remarks;
        }
        // Memory without registers is worth having; without a connection there is none.
        Err(error) if error.is_answer() || matches!(error, TargetError::Unexpected { .. }) => {
            snapshot.remarks.push(format!("registers could not be read: {error}"));
        }
        Err(error) => {
            snapshot.origin.complete = Some(false);
            return Captured { snapshot, error: Some(error) };
        }
    }

    let mut capturing = Capturing {
        target,
        progress,
        runs: Vec::new(),
        gaps: Vec::new(),
        done: 0,
        total: plan.size(),
        error: None,
        missing: false,
    };
    if !plan.skip_system_control {
        capturing.ranges(&plan::system_control());
        if capturing.error.is_none() && capturing.word(CPUID).is_none() {
            snapshot.remarks.push(
                "the server does not give the System Control Space, as memory or by its console: \
                 the fault registers are missing"
                    .to_owned(),
            );
        }
        let ictr = capturing.word(ICTR);
        capturing.ranges(&plan::nvic(ictr));
        if has_security_extension(|address| capturing.word(address)) {
            capturing.ranges(&plan::non_secure());
        }
        if plan.all_mpu_regions && capturing.error.is_none() {
            let found = capturing.mpu_regions();
            snapshot.mpu_regions = found.regions;
            snapshot.remarks.extend(found.remarks);
        }
    }
    if capturing.error.is_none() {
        let live = LiveMemory::new(capturing.target);
        let first = prioritise(&snapshot.registers, &live);
        // What finding them took is not read again.
        let seen = live.into_runs();
        // Stacks and objects mostly lie inside the regions, whose bytes are counted already.
        for outside in first.iter().map(|first| first.range) {
            let inside = plan.ranges.iter().filter_map(|r| r.range.intersection(outside));
            let inside = inside.fold(0, |sum: u64, part| sum.saturating_add(part.size()));
            let outside = outside.size().saturating_sub(inside);
            capturing.total = capturing.total.saturating_add(outside);
        }
        capturing.keep(&seen, first.iter().chain(&plan.ranges).map(|planned| planned.range));
        capturing.ranges(&first);
    }
    capturing.registers(&plan.registers);
    capturing.ranges(&plan.ranges);

    snapshot.origin.complete = Some(capturing.error.is_none() && !capturing.missing);
    let error = capturing.error.take();
    capturing.into_image(&mut snapshot.memory);
    Captured { snapshot, error }
}

struct Capturing<'t, 'p> {
    target: &'t mut dyn Target,
    progress: &'p mut dyn FnMut(&Progress) -> bool,
    /// In the order in which they were read; they do not overlap.
    runs: Vec<(Address, Vec<u8>)>,
    gaps: Vec<Gap>,
    done: u64,
    total: u64,
    error: Option<TargetError>,
    /// Whether anything but system registers could not be read.
    missing: bool,
}

impl Capturing<'_, '_> {
    /// Reads what of `ranges` is not yet known, all that serve one purpose at once.
    fn ranges(&mut self, ranges: &[PlannedRange]) {
        for alike in ranges.chunk_by(|a, b| a.purpose == b.purpose && are_alike(a.range, b.range)) {
            let mut wanted: Vec<AddressRange> = Vec::new();
            for planned in alike {
                let known = wanted.clone();
                let parts = self.not_yet_read(planned.range);
                wanted.extend(parts.into_iter().flat_map(|part| without(part, known.clone())));
            }
            if let (Some(first), false) = (alike.first(), wanted.is_empty()) {
                self.range(*first, &wanted);
            }
        }
    }

    fn range(&mut self, planned: PlannedRange, wanted: &[AddressRange]) {
        if let Some(error) = &self.error {
            let reason = || format!("not read: {error}");
            self.gaps.extend(wanted.iter().map(|range| Gap { range: *range, reason: reason() }));
            self.missing = true;
            return;
        }
        let size = wanted.iter().fold(0, |sum: u64, range| sum.saturating_add(range.size()));
        let before = self.done;
        let total = self.total;
        let system = matches!(planned.purpose, Purpose::SystemControl(_));
        let report = &mut *self.progress;
        let read = self.target.read_memory(wanted, &mut |bytes| {
            let bytes = if system { 0 } else { bytes.min(size) };
            report(&Progress { done: before.saturating_add(bytes), total, current: planned })
        });
        if !system {
            self.done = before.saturating_add(size);
        }
        self.missing |= !system && !read.gaps.is_empty();
        self.runs.extend(read.runs);
        self.gaps.extend(read.gaps);
        self.error = read.error;
    }

    /// Reads registers of peripherals. One that cannot be read, for want of a clock, is a gap.
    fn registers(&mut self, registers: &[AddressRange]) {
        let new = registers.iter().flat_map(|range| self.not_yet_read(*range));
        for range in new.collect::<Vec<_>>() {
            let size = u32::try_from(range.size()).unwrap_or(0);
            let read = match self.error.clone() {
                Some(error) => Err(error),
                None => self.target.read_register(range.start(), size),
            };
            let current = PlannedRange { range, purpose: Purpose::Peripheral };
            match read {
                Ok(bytes) => self.runs.push((range.start(), bytes)),
                Err(TargetError::Refused { code, .. }) => {
                    self.missing = true;
                    self.gaps.push(Gap { range, reason: code });
                }
                Err(error) => {
                    self.missing = true;
                    self.gaps.push(Gap { range, reason: format!("not read: {error}") });
                    self.error = Some(error);
                }
            }
            let now = Progress { done: self.done, total: self.total, current };
            if !(self.progress)(&now) {
                self.error.get_or_insert(TargetError::Cancelled);
            }
        }
    }

    /// Keeps those parts of `runs` that lie in `wanted`.
    fn keep(
        &mut self,
        runs: &[(Address, Vec<u8>)],
        wanted: impl IntoIterator<Item = AddressRange>,
    ) {
        for range in wanted {
            for (start, bytes) in runs {
                let run = AddressRange::new(*start, bytes.len() as u64).unwrap_or_default();
                let parts = run.intersection(range).map(|part| self.not_yet_read(part));
                for part in parts.into_iter().flatten() {
                    let offset = part.start().0.saturating_sub(start.0);
                    let bytes = usize::try_from(offset).ok().and_then(|offset| {
                        bytes.get(offset..offset.checked_add(usize::try_from(part.size()).ok()?)?)
                    });
                    self.done = self.done.saturating_add(part.size());
                    self.runs.extend(bytes.map(|bytes| (part.start(), bytes.to_vec())));
                }
            }
        }
    }

    /// Every region of the MPU; what stays unknown counts as missing.
    fn mpu_regions(&mut self) -> mpu::Regions {
        let (mpu_type, selected) = (self.word(MPU_TYPE), self.word(MPU_RNR));
        let purpose = Purpose::SystemControl("MPU regions");
        let current = PlannedRange { range: mpu::window(), purpose };
        let now = Progress { done: self.done, total: self.total, current };
        let report = &mut *self.progress;
        let mut found = mpu::read_all(self.target, mpu_type, selected, &mut |_| report(&now));
        self.missing |= !found.complete;
        self.error = found.error.take();
        found
    }

    /// The parts of `range` that are neither read nor known to be unreadable.
    fn not_yet_read(&self, range: AddressRange) -> Vec<AddressRange> {
        let runs = self
            .runs
            .iter()
            .filter_map(|(start, bytes)| AddressRange::new(*start, bytes.len() as u64));
        without(range, runs.chain(self.gaps.iter().map(|gap| gap.range)))
    }

    fn word(&self, address: Address) -> Option<u32> {
        self.runs.iter().find_map(|(start, bytes)| {
            let offset = usize::try_from(address.0.checked_sub(start.0)?).ok()?;
            let word = bytes.get(offset..offset.checked_add(4)?)?;
            Some(u32::from_le_bytes(word.try_into().ok()?))
        })
    }

    /// Joins what belongs together, once, and hands it over.
    fn into_image(mut self, memory: &mut MemoryImage) {
        self.runs.sort_by_key(|(start, _)| *start);
        let mut joined: Vec<(Address, Vec<u8>)> = Vec::new();
        for (start, mut bytes) in self.runs {
            match joined.last_mut() {
                Some((at, run))
                    if u64::from(at.0).saturating_add(run.len() as u64) == u64::from(start.0) =>
                {
                    run.append(&mut bytes);
                }
                _ => joined.push((start, bytes)),
            }
        }
        for (start, bytes) in joined {
            // Every run lies inside a range, and no range passes the end of the address space.
            let _ = memory.insert(start, bytes);
        }
        for gap in self.gaps {
            memory.insert_gap(gap);
        }
    }
}

/// The parts of `range` that are in none of `known`.
fn without(
    range: AddressRange,
    known: impl IntoIterator<Item = AddressRange>,
) -> Vec<AddressRange> {
    let mut known: Vec<AddressRange> =
        known.into_iter().filter_map(|part| part.intersection(range)).collect();
    known.sort();
    let mut left = Vec::new();
    let mut reached = u64::from(range.start().0);
    for part in known {
        left.extend(between(reached, u64::from(part.start().0)));
        reached = reached.max(part.end());
    }
    left.extend(between(reached, range.end()));
    left
}

/// Whether both are memory or both are registers.
fn are_alike(a: AddressRange, b: AddressRange) -> bool {
    is_device(a.start()) == is_device(b.start())
}

fn between(start: u64, end: u64) -> Option<AddressRange> {
    let size = end.checked_sub(start).filter(|size| *size > 0)?;
    AddressRange::new(Address(u32::try_from(start).ok()?), size)
}
