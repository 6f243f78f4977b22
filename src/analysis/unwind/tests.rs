//! The unwinder on fixture cores.

use super::*;
use crate::symbols::{ElfImage, SymbolFile};

#[test]
fn frames_between_call_and_callee_are_those_of_tail_calls() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/elf/mps2-an385-O2.elf");
    let bytes = std::fs::read(path).unwrap();
    let image = ElfImage::parse(&bytes).unwrap();
    let symbols = SymbolFile::new(&image);
    let set = Symbols::new([&symbols]);
    let system = SystemState::default();
    let environment = |max_frames| Environment::bare(&symbols, &set, &system, max_frames);
    // `sensor_thread` called `accel_submit`, whose last instruction jumps to the function at
    // whose first instruction the CPU is stopped.
    let callee = symbols.symbol("k_work_submit_to_queue").unwrap().address;
    let caller = symbols.symbol("sensor_thread").unwrap();
    let mut returns = (caller.address.0..caller.address.0 + caller.size).map(Address);
    let back = returns.find(|at| !symbols.tail_calls(*at, callee).is_empty()).unwrap();
    let mut registers = RegisterSet::default();
    registers.set(Register::PC, callee.0);
    registers.set(Register::LR, back.0 | 1);
    registers.set(Register::SP, 0x2000_1000);
    registers.set(Register::core(4).unwrap(), 0x1234);

    let context = thread(&registers, &environment(16));
    let frames: Vec<_> = context.frames.iter().take(3).collect();
    let names = frames.iter().map(|frame| symbols.function_name(frame.pc).unwrap());
    let expected = ["k_work_submit_to_queue", "accel_submit", "sensor_thread"];
    assert_eq!(names.collect::<Vec<_>>(), expected);
    assert_eq!(frames[1].found_by, FoundBy::TailCall);
    assert_eq!(frames[1].cfa, frames[0].cfa);
    assert_eq!(frames[1].registers.pc(), Some(frames[1].pc.address().0));
    assert_eq!(frames[1].registers.core(4), Some(0x1234));
    assert_eq!(frames[2].pc, CodeAddress::Return(back));

    let context = thread(&registers, &environment(2));
    assert_eq!(context.frames.len(), 2);
    assert_eq!(context.ended.as_deref(), Some("stopped after 2 frames"));
}
