//! Crashes that QEMU cannot make: captured cores with other fault registers.

use crate::support::file;
use mflt::analysis::{Options, analyze};
use mflt::arch::cortex_m::prologue::follows_call;
use mflt::arch::cortex_m::system::{
    BFAR, CFSR, DHCSR, HFSR, ICSR, MMFAR, SFAR, SFSR, SHCSR, SystemRegister,
};
use mflt::base::{Address, Memory};
use mflt::report::{Category, Confidence, Hex32, Report, Style, render_text};
use mflt::snapshot::{MemoryImage, Register};
use mflt::symbols::{ElfImage, SymbolFile};

/// The report on the core of `case`, with the system registers of `changed` replaced.
fn report(case: &str, changed: &[(SystemRegister, u32)]) -> Report {
    report_at(case, changed, &[])
}

/// The same with other registers of the stopped core.
fn report_at(
    case: &str,
    changed: &[(SystemRegister, u32)],
    registers: &[(Register, u32)],
) -> Report {
    let words = changed.iter().map(|(register, value)| (register.address, vec![*value]));
    report_with(case, words.collect(), registers)
}

/// The same with other words of memory.
fn report_with(
    case: &str,
    words: Vec<(Address, Vec<u32>)>,
    registers: &[(Register, u32)],
) -> Report {
    let core = std::fs::read(file(&format!("fixtures/cores/{case}.core"))).unwrap();
    let image = case.rsplitn(2, "-Og-").last().unwrap();
    let elf = std::fs::read(file(&format!("fixtures/elf/{image}-Og.elf"))).unwrap();
    let mut snapshot = mflt::format::open(&core).unwrap();
    // What is inserted first stays.
    let mut memory = MemoryImage::default();
    for (address, words) in words {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        memory.insert(address, bytes).unwrap();
    }
    for segment in snapshot.memory.segments() {
        memory.insert(segment.range().start(), segment.bytes().to_vec()).unwrap();
    }
    snapshot.memory = memory;
    for (register, value) in registers {
        snapshot.registers.set(*register, *value);
    }
    let elf = ElfImage::parse(&elf).unwrap();
    analyze(&snapshot, &[SymbolFile::new(&elf)], &Options::default())
}

fn bits(report: &Report) -> Vec<String> {
    let fault = report.fault.as_ref().unwrap();
    let named = fault.bits.iter().filter(|bit| bit.register != "SHCSR");
    named.map(|bit| format!("{}.{}", bit.register, bit.name)).collect()
}

#[test]
fn imprecise_bus_fault_does_not_blame_the_program_counter() {
    let report = report("mps2-an385-Og-buswrite", &[(CFSR, 0x0400), (BFAR, 0x5000_0000)]);
    assert_eq!(report.category, Category::BusFault);
    assert_eq!(report.cause.confidence, Confidence::Possible);
    assert!(report.cause.summary.contains("imprecise"), "{}", report.cause.summary);
    let evidence = report.cause.evidence.join("\n");
    assert!(evidence.contains("not the culprit") && evidence.contains("DISDEFWBUF"), "{evidence}");
    assert!(!evidence.contains("0x50000000"), "BFAR is not marked valid: {evidence}");
    assert_eq!(report.fault.as_ref().unwrap().address, None);
    assert_eq!(bits(&report), ["CFSR.IMPRECISERR"]);
}

#[test]
fn every_set_bit_is_reported_with_its_escalation() {
    let changed = [(CFSR, 0x0200_8280), (HFSR, 0x4000_0000), (MMFAR, 4), (BFAR, 8)];
    let report = report("mps2-an385-Og-buswrite", &changed);
    let expected =
        ["CFSR.MMARVALID", "CFSR.PRECISERR", "CFSR.BFARVALID", "CFSR.DIVBYZERO", "HFSR.FORCED"];
    assert_eq!(bits(&report), expected);
    let fault = report.fault.unwrap();
    assert_eq!(fault.escalated_from.as_deref(), Some("BusFault"));
    assert_eq!(fault.address, Some(Hex32(4)));
}

#[test]
fn lockup_is_named_before_everything_else() {
    let report = report("mps2-an385-Og-undef", &[(DHCSR, 1 << 19 | 1 << 17)]);
    assert_eq!(report.category, Category::HardFault);
    assert!(report.title.ends_with("[Lockup]"), "{}", report.title);
    assert_eq!(report.cause.confidence, Confidence::Certain);
}

#[test]
fn secure_fault_registers_are_decoded_on_armv8m_only() {
    let changed = [(CFSR, 0), (SFSR, 0x48), (SFAR, 0x1000_0000), (SHCSR, 0x10)];
    let secure = report("mps2-an505-Og-mpu", &changed);
    assert_eq!(bits(&secure), ["SFSR.AUVIOL", "SFSR.SFARVALID"]);
    assert_eq!(secure.fault.unwrap().address, Some(Hex32(0x1000_0000)));
    let other = report("mps2-an385-Og-mpu", &changed);
    assert!(bits(&other).is_empty(), "{:?}", bits(&other));
}

#[test]
fn cortex_m0_has_no_fault_status_and_the_instruction_tells() {
    let report = report("microbit-Og-unaligned", &[(CFSR, u32::MAX), (HFSR, u32::MAX)]);
    assert!(report.fault.as_ref().unwrap().registers.get("CFSR").is_none());
    assert!(report.cause.summary.contains("Unaligned access"), "{}", report.cause.summary);
}

#[test]
fn lockup_is_told_by_what_the_program_counter_reads() {
    let report = report_at("mps2-an386-Og-hang", &[], &[(Register::PC, 0xffff_fffe)]);
    assert!(report.title.ends_with("[Lockup]"), "{}", report.title);
    assert!(report.cause.evidence[0].contains("0xfffffffe"), "{:?}", report.cause.evidence);
}

#[test]
fn core_that_runs_where_no_code_is_has_jumped_to_nowhere() {
    let report = report_at("mps2-an386-Og-hang", &[], &[(Register::PC, 0x015f_5456)]);
    assert_eq!(report.category, Category::DebuggerHalted);
    assert_eq!(report.title, "Debugger Halted at 0x015f5456 [Jump to Nowhere]");
    let summary = &report.cause.summary;
    assert!(summary.contains("0x015f5456, where the firmware has no code"), "{summary}");
}

#[test]
fn loop_with_interrupts_locked_is_a_hang() {
    let pending = [(ICSR, 1 << 26)];
    let locked = report_at("mps2-an386-Og-hang", &pending, &[(Register::BASEPRI, 0x20)]);
    assert!(locked.cause.summary.starts_with("Hang: "), "{}", locked.cause.summary);
    assert!(locked.cause.evidence.contains(&"BASEPRI is 0x20".to_string()));
    let halted = report("mps2-an386-Og-hang", &[(ICSR, 0)]);
    assert!(halted.cause.summary.starts_with("Nothing faulted: "), "{}", halted.cause.summary);
}

#[test]
fn imprecise_fault_of_a_cortex_m7_is_not_told_to_set_a_bit_that_it_lacks() {
    let report = report("mps2-an500-Og-buswrite", &[(CFSR, 0x0400)]);
    let evidence = report.cause.evidence.join("\n");
    assert!(evidence.contains("put a DSB") && !evidence.contains("DISDEFWBUF"), "{evidence}");
}

#[test]
fn fatal_code_is_what_the_svc_was_given_before_any_function_carries_it() {
    let elf = std::fs::read(file("fixtures/elf/mps2-an386-Og.elf")).unwrap();
    let image = ElfImage::parse(&elf).unwrap();
    let symbols = SymbolFile::new(&image);
    // The CPU has just taken the exception: nothing of the handler has run.
    let at_entry = [
        (Register::PC, symbols.symbol("z_arm_svc").unwrap().address.0 & !1),
        (Register::LR, 0xffff_fffd),
        (Register::XPSR, 11),
    ];
    let report = report_at("mps2-an386-Og-panic", &[], &at_entry);
    assert_eq!(report.title, "Panic at crash_panic");
    let evidence = &report.cause.evidence;
    assert!(evidence.contains(&"the kernel's fatal error is K_ERR_KERNEL_PANIC (4)".into()));
}

#[test]
fn loop_without_a_way_out_is_a_hang_with_interrupts_locked_or_in_a_handler() {
    let elf = std::fs::read(file("fixtures/elf/mps2-an386-Og.elf")).unwrap();
    let image = ElfImage::parse(&elf).unwrap();
    let symbols = SymbolFile::new(&image);
    // `b .`
    let reset = symbols.symbol("z_arm_reset").unwrap();
    let mut code = (0..reset.size).step_by(2).map(|offset| Address(reset.address.0 + offset));
    let at = code.find(|at| symbols.read_u16(*at) == Ok(0xe7fe)).unwrap();
    let halted = |registers: &[(Register, u32)]| {
        let registers = [&[(Register::PC, at.0)], registers].concat();
        report_at("mps2-an386-Og-hang", &[(ICSR, 0)], &registers)
    };
    // Nothing is pending yet.
    let locked = halted(&[(Register::PRIMASK, 1)]);
    assert!(locked.title.ends_with("[Interrupts Locked]"), "{}", locked.title);
    assert_eq!(locked.cause.confidence, Confidence::Certain);
    assert!(locked.cause.evidence.contains(&"PRIMASK is 0x1".to_string()));
    let handler = halted(&[(Register::XPSR, 0x0100_000f), (Register::LR, 0xffff_fffd)]);
    assert!(handler.title.ends_with("[Endless Loop]"), "{}", handler.title);
    assert_eq!(handler.cause.confidence, Confidence::Certain);
    // A scheduler may still take the CPU away.
    let open = halted(&[(Register::PRIMASK, 0), (Register::BASEPRI, 0)]);
    assert_eq!(open.cause.confidence, Confidence::Possible, "{}", open.cause.summary);
}

#[test]
fn recursion_that_went_on_below_the_stack_is_the_cause_of_a_crash_elsewhere() {
    let case = "mps2-an386-Og-isr";
    let before = report(case, &[]);
    assert_eq!(before.title, "Bus Fault at level3 [in SysTick handler]");
    let victim = before.threads.iter().find(|thread| thread.current).unwrap();
    let stack = victim.stack.as_ref().unwrap().start.0;
    let elf = std::fs::read(file("fixtures/elf/mps2-an386-Og.elf")).unwrap();
    let image = ElfImage::parse(&elf).unwrap();
    let symbols = SymbolFile::new(&image);
    let function = symbols.symbol("fft_recurse").unwrap();
    let mut inside =
        (0..function.size).step_by(2).map(|offset| Address(function.address.0 + offset));
    let back = inside.find(|at| follows_call(&symbols, *at)).unwrap().0 | 1;
    // Frames of 40 bytes: 8 within the stack, `below` of them below it.
    let crashed = |below: u32| {
        let frame = [[1; 9].as_slice(), &[back]].concat();
        let words = frame.repeat(8 + below as usize);
        report_with(case, vec![(Address(stack - below * 40), words)], &[])
    };
    let after = crashed(3);
    assert_eq!(after.category, Category::StackOverflow);
    assert_eq!(after.cause.confidence, Confidence::Certain);
    let name = &victim.name;
    assert_eq!(after.title, format!("Bus Fault at fft_recurse [Stack Overflow in {name}]"));
    assert!(after.cause.summary.contains("recursion of fft_recurse"), "{}", after.cause.summary);
    // A recursion that kept to its stack is no cause.
    assert_eq!(crashed(0).title, before.title);
}

#[test]
fn stale_frame_within_an_overflowed_stack_is_not_that_of_the_fault() {
    let case = "mps2-an386-Og-stackoverflow-noframe";
    let before = report(case, &[]);
    let overflowed = before.threads.iter().find(|thread| thread.current).unwrap();
    let start = overflowed.stack.as_ref().unwrap().start.0;
    // A frame of an earlier exception, in an inlined function; the kernel has cleared the status,
    // and keeps its code in r0.
    let mut innermost = before.threads.iter().filter_map(|thread| thread.frames.first());
    let stale = innermost.find(|frame| frame.inlined).unwrap();
    let stopped = |code: u32| {
        let frame = vec![0, 0, 0, 0, 0, 0, stale.pc.0, 0x0100_0000];
        let words = vec![(CFSR.address, vec![0]), (Address(start + 64), frame)];
        report_with(case, words, &[(Register::core(0).unwrap(), code)])
    };
    let innermost = |report: &Report| {
        let thread = report.threads.iter().find(|thread| thread.current).unwrap();
        thread.frames[0].function.clone()
    };
    let checked = stopped(2);
    let evidence = &checked.cause.evidence;
    let code = "the kernel's fatal error is K_ERR_STACK_CHK_FAIL (2)";
    assert!(evidence.contains(&code.to_string()), "{evidence:?}");
    assert_eq!(innermost(&checked).as_deref(), Some("compute_fft"));
    assert_eq!(checked.title, before.title);
    // Another code says nothing about the stack: the frame may be the right one.
    let other = stopped(0);
    assert_eq!(innermost(&other), stale.function);
    // The doubt about its place is told once, not for the functions that it was inlined into too.
    let text = render_text(&other, Style { width: 400, ..Style::default() });
    assert_eq!(text.matches("PSP is not in the dump").count(), 1, "{text}");
}

#[test]
fn merely_halted_target_has_no_block_of_zeros_and_tells_each_wait_once() {
    let report = report("mps2-an386-Og-hang", &[(ICSR, 0)]);
    let text = render_text(&report, Style { width: 200, ..Style::default() });
    assert!(!text.contains("\nFault\n"), "{text}");
    let wait = "mutex bus_lock, owned by mutex_owner";
    assert_eq!(text.matches(wait).count(), 1, "{text}");
    let full = render_text(&report, Style { full: true, ..Style::default() });
    assert!(full.contains("\nFault\n"), "{full}");
}
