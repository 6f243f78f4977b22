//! Code whose values are followed, assembled by hand.

use super::*;
use crate::snapshot::MemoryImage;

const START: u32 = 0x100;

fn body(code: &[u16]) -> Body {
    let mut memory = MemoryImage::default();
    let bytes: Vec<u8> = code.iter().flat_map(|half| half.to_le_bytes()).collect();
    let range = AddressRange::new(Address(START), bytes.len() as u64).unwrap();
    memory.insert(Address(START), bytes).unwrap();
    Body::decode(&memory, range, &|_| true).unwrap()
}

/// The origin of `register` at the last instruction, which is `code`'s last `length` halfwords.
fn origin(code: &[u16], length: usize, register: u8) -> Option<Source> {
    let at = Address(START + 2 * (code.len() - length) as u32);
    body(code).origin(at, register).map(|origin| origin.source)
}

// Encodings by arm-none-eabi-as.
#[test]
fn value_is_followed_through_copies_and_calls_to_its_load() {
    let load = Source::Load { base: 4, offset: 12, size: 4 };
    // ldr r3, [r4, #12]; mov r5, r3; bl; ldr r0, [r5]
    assert_eq!(origin(&[0x68e3, 0x461d, 0xf7ff, 0xfffe, 0x6828], 1, 5), Some(load));
    // ldr.w r3, [r4, #12]; ldr r0, [r3]
    assert_eq!(origin(&[0xf8d4, 0x300c, 0x6818], 1, 3), Some(load));
    // bl; ldr r0, [r0]
    let target = Some(Address(START));
    assert_eq!(origin(&[0xf7ff, 0xfffe, 0x6800], 1, 0), Some(Source::Returned(target)));
    assert_eq!(origin(&[0xf7ff, 0xfffe, 0x6818], 1, 3), None, "a call loses r3");
    assert_eq!(origin(&[0xb510, 0x6803], 1, 0), Some(Source::Entry));
}

#[test]
fn value_behind_a_label_or_a_condition_is_not_told() {
    // movs r3, #0; 1: ldr r0, [r3]; b 1b
    let looped = body(&[0x2300, 0x6818, 0xe7fd]);
    assert_eq!(looped.origin(Address(START + 2), 3), None);
    // movs r3, #0; ldr r0, [r3]
    assert_eq!(origin(&[0x2300, 0x6818], 1, 3), Some(Source::Constant(0)));
    // it eq; moveq r3, #0; ldr r0, [r3]
    assert_eq!(origin(&[0xbf08, 0x2300, 0x6818], 1, 3), None);
    // movs r3, #0; b .; ldr r0, [r3]
    assert_eq!(origin(&[0x2300, 0xe7fe, 0x6818], 1, 3), None);
}

#[test]
fn sources_have_the_right_fields() {
    let cases: [(&[u16], u8, Source); 14] = [
        (&[0xf240, 0x1334], 3, Source::Constant(0x134)), // movw r3, #0x134
        // movw r1, #0x235c; movs r2, #1; movt r1, #0x2000
        (&[0xf242, 0x315c, 0x2201, 0xf2c2, 0x0100], 1, Source::Constant(0x2000_235c)),
        (&[0x6821, 0xf2c2, 0x0100], 1, Source::Computed), // ldr r1, [r4]; movt r1, #0x2000
        (&[0xf04f, 0x33ff], 3, Source::Constant(u32::MAX)), // mov.w r3, #-1
        (&[0xf06f, 0x0304], 3, Source::Constant(!4)),     // mvn.w r3, #4
        (&[0xf1a4, 0x0308], 3, Source::Sum { from: 4, amount: 8u32.wrapping_neg() }),
        (&[0xf204, 0x130c], 3, Source::Sum { from: 4, amount: 0x10c }), // addw r3, r4, #0x10c
        (&[0xab02], 3, Source::Sum { from: SP, amount: 8 }),            // add r3, sp, #8
        (&[0x1f23], 3, Source::Sum { from: 4, amount: 4u32.wrapping_neg() }), // subs r3, r4, #4
        (&[0xf854, 0x3c08], 3, Source::Load { base: 4, offset: 8u32.wrapping_neg(), size: 4 }),
        (&[0xf854, 0x3025], 3, Source::Indexed { base: 4, index: 5, shift: 2, size: 4 }),
        (&[0x5d63], 3, Source::Indexed { base: 4, index: 5, shift: 0, size: 1 }),
        (&[0xe9d4, 0x2102], 2, Source::Load { base: 4, offset: 8, size: 4 }), // ldrd r2, r1, [r4, #8]
        (&[0xe9d4, 0x2102], 1, Source::Load { base: 4, offset: 12, size: 4 }),
    ];
    for (code, register, expected) in cases {
        let all: Vec<u16> = code.iter().copied().chain([0x6818]).collect();
        assert_eq!(origin(&all, 1, register), Some(expected), "{code:04x?}");
    }
}

#[test]
fn jumps_to_a_call_are_found_through_its_arguments() {
    // cmp r0, #0; bgt 1f; 2: movs r1, #7; bl; 1: cmp r1, #1; ble 2b; bx lr
    let body = body(&[0x2800, 0xdc02, 0x2107, 0xf7ff, 0xfffb, 0x2901, 0xddfa, 0x4770]);
    let at = |half: u32| Address(START + 2 * half);
    assert_eq!(body.jumps_before(at(3)), Some((at(2), vec![at(6)])));
    assert_eq!(body.jumps_before(at(5)), Some((at(5), vec![at(1)])));
    assert_eq!(body.jumps_before(at(7)), None, "a jump stands in between");
}

#[test]
fn loop_is_endless_when_nothing_leads_out_of_it() {
    let cases: [(&[u16], bool); 6] = [
        (&[0xe7fe], true),                          // b .
        (&[0x681a, 0x3201, 0x601a, 0xe7fb], true),  // ldr; adds; str; b
        (&[0x681a, 0x2a00, 0xd0fc, 0x4770], false), // ldr; cmp; beq; bx lr
        (&[0xbf30, 0xe7fd], false),                 // wfi; b
        (&[0xf7ff, 0xfffe, 0xe7fc], false),         // bl; b
        (&[0x681a, 0x2a00, 0xd0fc, 0xe7fb], true),  // ldr; cmp; beq; b
    ];
    for (code, expected) in cases {
        let mut memory = MemoryImage::default();
        let bytes: Vec<u8> = code.iter().flat_map(|half| half.to_le_bytes()).collect();
        memory.insert(Address(START), bytes).unwrap();
        assert_eq!(body(code).is_endless(&memory, Address(START)), expected, "{code:04x?}");
    }
}

#[test]
fn every_halfword_decodes_without_harm() {
    for first in 0..=u16::MAX {
        for second in [0, 0x7fff, 0x8fff, 0xffff, 0xf0f0, 0x0d04] {
            let mut memory = MemoryImage::default();
            let halves = [first, second, 0xbf00];
            let bytes = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
            memory.insert(Address(0xffff_fff0), bytes).unwrap();
            let range = AddressRange::new(Address(0xffff_fff0), 6).unwrap();
            let body = Body::decode(&memory, range, &|_| true);
            body.and_then(|body| body.origin(Address(0xffff_fff4), 3));
        }
    }
}
