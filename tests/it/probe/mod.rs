//! Debug probes: probe-rs' own Arm stack, from the program's interface down to the registers of a
//! debug port, which the tests simulate with a fixture's memory behind it.

mod black_magic;
mod chip;
mod cores;
mod port;
mod remote;
mod wire;

use self::chip::Chip;
use self::port::Plugged;
use crate::support::file;
use crate::support::manifest::{self, Case};
use crate::support::program::{mflt, run};
use mflt::analysis::{Options, analyze};
use mflt::base::{Address, AddressRange};
use mflt::format;
use mflt::snapshot::{Register, Snapshot};
use mflt::symbols::{ElfImage, SymbolFile};
use mflt::target::probe::{Attach, ProbeTarget, probes};
use mflt::target::{
    CapturePlan, Captured, Catch, Leave, PlannedRange, Target as _, TargetError, Watch, capture,
};

const M3: &str = "mps2-an385-Og-buswrite";

fn core(case: &Case) -> Snapshot {
    format::open(&std::fs::read(file(case.text("core"))).unwrap()).unwrap()
}

fn chip(case: &Case) -> Chip {
    let core = core(case);
    let mut chip = Chip::new(core.clone(), std::fs::read(file(case.elf())).unwrap());
    // QEMU 7 shows one stack pointer, a chip all. The crashed thread's is below its frame.
    let frame = core.threads.first().and_then(|crashed| crashed.registers.sp()).unwrap_or(0);
    chip.registers.set(Register::MSP, core.registers.sp());
    chip.registers.set(Register::PSP, frame - 32);
    chip
}

fn plug(product: u16, chip: Chip) -> Plugged {
    Plugged::new(product, "1", chip)
}

fn how(plugged: &Plugged, chip: &str) -> Attach {
    let probe = Some(plugged.selector(true));
    Attach { probe, chip: Some(chip.to_string()), ..Attach::default() }
}

fn attach(plugged: &Plugged, chip: &str) -> ProbeTarget {
    ProbeTarget::attach(&how(plugged, chip), None).unwrap()
}

fn range(start: u32, size: u64) -> AddressRange {
    AddressRange::new(Address(start), size).unwrap()
}

fn capture_ram(target: &mut ProbeTarget, core: &Snapshot) -> Captured {
    let ram = core.memory.segments().iter().map(|segment| segment.range());
    let plan = CapturePlan::of_regions(ram.filter(|range| range.start().0 < 0xe000_0000));
    capture(target, &plan, &mut |_, _| Vec::<PlannedRange>::new(), &mut |_| true)
}

#[test]
fn crash_behind_a_probe_is_captured_as_over_gdb() {
    let case = manifest::case(M3);
    let plugged = plug(0x0101, chip(case));
    let mut target = attach(&plugged, "Cortex-M3");
    assert_eq!(target.was_running(), Some(true));
    assert_eq!(target.server(), "Simulated (Cortex-M3)");
    let core = core(case);
    let captured = capture_ram(&mut target, &core);
    assert_eq!(captured.error, None);
    let snapshot = captured.snapshot;
    assert_eq!((&*snapshot.origin.format, snapshot.origin.complete), ("debug probe", Some(true)));
    for (register, value) in core.registers.iter() {
        assert_eq!(snapshot.registers.get(register), Some(value), "{register}");
    }
    for segment in core.memory.segments().iter().filter(|s| s.range().start().0 < 0xe000_0000) {
        let found = snapshot.memory.slice_from(segment.range().start()).unwrap();
        assert!(found.starts_with(segment.bytes()), "{}", segment.range());
    }
    let elf = std::fs::read(file(case.elf())).unwrap();
    let image = ElfImage::parse(&elf).unwrap();
    let symbols = [SymbolFile::new(&image)];
    let explain = |snapshot: &Snapshot| {
        let report = analyze(snapshot, &symbols, &Options::default());
        let frames =
            report.threads.iter().map(|t| t.frames.iter().map(|f| f.pc).collect::<Vec<_>>());
        (report.title.clone(), report.cause.clone(), frames.collect::<Vec<_>>())
    };
    let (title, cause, frames) = explain(&snapshot);
    let (title_by_gdb, cause_by_gdb, frames_by_gdb) = explain(&core);
    assert_eq!((title, cause), (title_by_gdb, cause_by_gdb));
    assert_eq!(frames, frames_by_gdb);

    assert_eq!(target.leave(Leave::AsFound), Ok(Some(true)));
    drop(target);
    let chip = plugged.chip();
    assert!(!chip.halted && !chip.debug_enabled && chip.runs > 0);
}

#[test]
fn core_that_was_halted_stays_so() {
    let mut halted = chip(manifest::case(M3));
    (halted.halted, halted.debug_enabled) = (true, true);
    let plugged = plug(0x0102, halted);
    let mut target = attach(&plugged, "Cortex-M3");
    assert_eq!(target.was_running(), Some(false));
    assert_eq!(target.leave(Leave::AsFound), Ok(Some(false)));
    drop(target);
    let chip = plugged.chip();
    assert!(chip.halted && chip.debug_enabled);
    assert_eq!(chip.runs, 0);
}

#[test]
fn registers_of_the_fpu_and_of_both_worlds_are_read() {
    let mut secure = chip(manifest::case("mps2-an505-Og-buswrite"));
    let names = [
        "msp",
        "psp",
        "msp_s",
        "psp_s",
        "msp_ns",
        "psp_ns",
        "msplim_s",
        "psplim_s",
        "msplim_ns",
        "psplim_ns",
        "fpscr",
        "s0",
        "s17",
        "s31",
    ];
    let masks = ["primask", "control", "basepri_s", "control_s", "faultmask_ns", "primask_ns"];
    let names = names.into_iter().zip((0x2000_0000..).step_by(8));
    let expected: Vec<(&str, u32)> = names.chain(masks.into_iter().zip(1..)).collect();
    for (name, value) in &expected {
        secure.registers.set(Register::from_name(name).unwrap(), *value);
    }
    // MVFR0: single precision; ID_PFR1: the Security Extension.
    secure.written.insert(0xe000_ef40, 0x1011_0021);
    secure.written.insert(0xe000_ed44, 0x0000_0210);
    let plugged = plug(0x0103, secure);
    let mut target = attach(&plugged, "Cortex-M33");
    let registers = target.read_registers().unwrap();
    assert_eq!(registers.remarks, [""; 0]);
    for (name, value) in expected {
        let register = Register::from_name(name).unwrap();
        assert_eq!(registers.set.get(register), Some(value), "{name}");
    }
}

#[test]
fn memory_that_faults_is_a_gap_between_what_can_be_read() {
    let mut holed = chip(manifest::case(M3));
    holed.holes = vec![0x2000_0400..0x2000_0408, 0x2000_0900..0x2000_1100];
    let plugged = plug(0x0104, holed);
    let mut target = attach(&plugged, "Cortex-M3");
    let read = target.read_memory(&[range(0x2000_0001, 0x1fff)], &mut |_| true);
    assert_eq!(read.error, None);
    let gaps: Vec<_> = read.gaps.iter().map(|gap| (gap.range, &*gap.reason)).collect();
    assert_eq!(gaps, [(range(0x2000_0400, 8), "a fault"), (range(0x2000_0900, 0x800), "a fault")]);
    let core = core(manifest::case(M3));
    for (start, bytes) in &read.runs {
        assert!(core.memory.slice_from(*start).unwrap().starts_with(bytes), "{start}");
    }
    let sizes: Vec<_> = read.runs.iter().map(|(_, bytes)| bytes.len()).collect();
    assert_eq!(sizes, [0x3ff, 0x4f8, 0xf00]);
}

#[test]
fn registers_of_peripherals_are_read_in_their_own_size() {
    let plugged = plug(0x0105, chip(manifest::case(M3)));
    let mut target = attach(&plugged, "Cortex-M3");
    plugged.chip().reads.clear();
    let plan = CapturePlan {
        registers: vec![
            range(0x2000_0001, 1),
            range(0x2000_0006, 2),
            range(0x2000_0008, 4),
            range(0x4000_4000, 4),
        ],
        skip_system_control: true,
        ..CapturePlan::default()
    };
    let captured = capture(&mut target, &plan, &mut |_, _| Vec::new(), &mut |_| true);
    assert_eq!(captured.error, None);
    let gaps: Vec<_> = captured.snapshot.memory.gaps().iter().map(|gap| gap.range).collect();
    assert_eq!(gaps, [range(0x4000_4000, 4)]);
    let chip = plugged.chip();
    let reads: Vec<_> = chip.reads.iter().filter(|(at, _)| *at < 0xe000_0000).copied().collect();
    assert_eq!(reads, [(0x2000_0001, 1), (0x2000_0006, 2), (0x2000_0008, 4), (0x4000_4000, 4)]);
    assert!(chip.written.is_empty(), "nothing is written: {:x?}", chip.written);
}

#[test]
fn probe_that_is_pulled_out_leaves_what_was_read() {
    let case = manifest::case(M3);
    let plugged = plug(0x0106, chip(case));
    let mut target = attach(&plugged, "Cortex-M3");
    plugged.chip().accesses_left = 1500;
    let captured = capture_ram(&mut target, &core(case));
    assert!(matches!(captured.error, Some(TargetError::Probe(_))), "{:?}", captured.error);
    let snapshot = captured.snapshot;
    assert!(snapshot.registers.pc().is_some());
    assert!(snapshot.memory.size() > 1000, "{}", snapshot.memory.size());
    assert_eq!(snapshot.origin.complete, Some(false));
    assert!(snapshot.memory.gaps().last().unwrap().reason.starts_with("not read: "));
}

#[test]
fn watch_behind_a_probe_halts_by_vector_catch_and_restores_it() {
    let mut crashing = chip(manifest::case(M3));
    crashing.crashes_after = Some(3);
    let plugged = plug(0x0107, crashing);
    let mut target = attach(&plugged, "Cortex-M3");
    let before = plugged.chip().demcr;
    let catch = Catch { vectors: true, breakpoints: Vec::new() };
    let mut watch = Watch::begin(&mut target, &catch).unwrap();
    assert_eq!(plugged.chip().demcr & 0x7f0, 0x7f0);
    watch.resume(&mut target).unwrap();
    let halt = watch.wait(&mut target, &mut || true).unwrap().unwrap();
    assert_eq!(Some(halt.pc.0), core(manifest::case(M3)).registers.pc());
    assert_eq!(halt.exception, 5);
    watch.end(&mut target).unwrap();
    assert_eq!(plugged.chip().demcr, before);
    target.leave(Leave::Running).unwrap();
    assert!(!plugged.chip().halted);
}

#[test]
fn ram_is_what_the_description_of_the_chip_says() {
    let plugged = plug(0x0109, chip(manifest::case("mps2-an386-Og-buswrite")));
    let mut target = attach(&plugged, "STM32F407VGTx");
    let ram = target.ram().unwrap();
    assert!(
        ram.contains(&range(0x2000_0000, 0x1_c000)) || ram.contains(&range(0x2000_0000, 0x2_0000)),
        "{ram:?}"
    );
}

#[test]
fn what_keeps_from_attaching_is_told() {
    let one = plug(0x0201, chip(manifest::case(M3)));
    let error = |attach: &Attach| ProbeTarget::attach(attach, None).unwrap_err();
    let wanted = how(&one, "Cortex-M3");
    let nowhere = Some("1209:0fff".to_string());
    assert_eq!(error(&Attach { probe: nowhere, ..wanted.clone() }), TargetError::NoProbe);
    let nonsense = Attach { probe: Some("my probe".to_string()), ..wanted.clone() };
    assert_eq!(error(&nonsense), TargetError::BadSelector("my probe".to_string()));
    let TargetError::UnknownChip { similar, .. } = error(&how(&one, "nRF52840_xxXX")) else {
        panic!()
    };
    assert!(similar.contains(&"nRF52840_xxAA".to_string()), "{similar:?}");
    assert_eq!(error(&Attach { core: 1, ..wanted }), TargetError::NoCore { number: 1, count: 1 });
    // What was halted to be looked at goes on.
    assert!(!one.chip().halted);

    let two = Plugged::new(0x0201, "2", chip(manifest::case(M3)));
    let both = Attach { probe: Some(two.selector(false)), ..how(&two, "Cortex-M3") };
    let TargetError::SeveralProbes(names) = error(&both) else { panic!() };
    assert_eq!(names, ["1209:0201:1 (Simulated)", "1209:0201:2 (Simulated)"]);
    let listed = probes();
    let listed = listed.iter().find(|probe| probe.selector == "1209:0201:2").unwrap();
    assert_eq!((&*listed.name, &*listed.kind, listed.accessible), ("Simulated", "simulated", true));
}

#[test]
fn other_core_than_the_chip_has_is_told_by_name() {
    let mut m0 = chip(manifest::case(M3));
    m0.set_cpuid(0x410c_c200);
    let plugged = plug(0x0202, m0);
    let error = ProbeTarget::attach(&how(&plugged, "Cortex-M3"), None).unwrap_err();
    assert_eq!(error.to_string(), "this is no Cortex-M3: a Cortex-M0 answers");
    assert!(!plugged.chip().halted, "it goes on");
}

#[test]
fn probe_that_the_system_guards_is_told_by_name() {
    let mut guarded = chip(manifest::case(M3));
    guarded.denied = true;
    let plugged = plug(0x0206, guarded);
    let error = ProbeTarget::attach(&how(&plugged, "Cortex-M3"), None).unwrap_err();
    assert_eq!(error, TargetError::ProbeDenied("Simulated".to_string()));
    let listed = probes();
    let listed = listed.iter().find(|probe| probe.selector == plugged.selector(true)).unwrap();
    assert!(!listed.accessible);
}

#[test]
fn locked_device_is_said_to_be_protected_and_not_erased() {
    let mut locked = chip(manifest::case("mps2-an386-Og-buswrite"));
    locked.locked = true;
    let plugged = plug(0x0203, locked);
    let error = ProbeTarget::attach(&how(&plugged, "nRF52840_xxAA"), None).unwrap_err();
    assert_eq!(error, TargetError::Locked);
    assert!(error.to_string().contains("read-out protection"));
    assert!(plugged.chip().written.is_empty());
}

#[test]
fn target_in_deep_sleep_is_told_from_one_that_refuses() {
    let mut asleep = chip(manifest::case(M3));
    asleep.asleep = true;
    let plugged = plug(0x0204, asleep);
    let error = ProbeTarget::attach(&how(&plugged, "Cortex-M3"), None).unwrap_err();
    assert!(matches!(error, TargetError::NoResponse(_)), "{error:?}");
    assert!(error.to_string().starts_with("no target answers: "), "{error}");
}

#[test]
fn way_to_the_chip_that_breaks_anywhere_is_one_error() {
    let case = manifest::case(M3);
    let core = core(case);
    let mut whole = 0;
    for accesses in (0..6000).step_by(173) {
        let mut cut = chip(case);
        cut.accesses_left = accesses;
        let plugged = plug(0x0205, cut);
        let Ok(mut target) = ProbeTarget::attach(&how(&plugged, "Cortex-M3"), None) else {
            continue;
        };
        let captured = capture_ram(&mut target, &core);
        let size = captured.snapshot.memory.size();
        match captured.error {
            Some(error) => assert!(!error.to_string().is_empty()),
            None => whole = size,
        }
        assert!(whole == 0 || size == whole, "more accesses never give less: {accesses}");
    }
    assert!(whole > 1000, "the last ones are enough for all of it");
}

#[test]
fn program_without_a_probe_says_what_to_do() {
    let output = run(mflt().arg("probes"));
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let attach = |probe: &str, chip: &str| {
        let mut command = mflt();
        command.args(["coredump", "-r", "0x20000000", "64", "--probe", probe, "--chip", chip]);
        run(&mut command)
    };
    for (probe, chip, says, hint) in [
        ("1209:0ffe", "Cortex-M3", "no such debug probe", "`mflt probes` lists"),
        ("nonsense", "Cortex-M3", "`nonsense` names no debug probe", "for example 1366:1015"),
        ("1209:0ffe", "STM32F407", "no single chip is called `STM32F407`", "known are STM32F407"),
        ("1209:0ffe", "Z80", "no single chip is called `Z80`", "the name of its core works too"),
    ] {
        let output = attach(probe, chip);
        assert_eq!(output.code, Some(1), "{}", output.stderr);
        assert!(output.stderr.contains(says), "{}", output.stderr);
        assert!(
            output.stderr.contains(&format!("hint: {hint}")) || output.stderr.contains(hint),
            "{}",
            output.stderr
        );
    }
}
