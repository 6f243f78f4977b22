//! A device whose registers are those of a fixture's core, and files that were made to do harm.

use super::*;
use crate::base::Address;
use crate::format;

const DEVICE: &str = r#"<?xml version="1.0"?>
<device><name>TEST</name><size>32</size><peripherals>
<peripheral><name>SysTick</name><description>system
   timer</description><baseAddress>0xE000E010</baseAddress><registers>
 <register><name>CTRL</name><addressOffset>0</addressOffset><fields>
  <field><name>ENABLE</name><bitRange>[0:0]</bitRange></field>
  <field><name>CLKSOURCE</name><bitOffset>2</bitOffset><bitWidth>1</bitWidth><enumeratedValues><name>clock</name>
   <enumeratedValue><name>external</name><value>0</value></enumeratedValue>
   <enumeratedValue><name>processor</name><value>#1</value></enumeratedValue></enumeratedValues></field>
  <field derivedFrom="CLKSOURCE"><name>AGAIN</name></field>
 </fields></register>
 <register><name>LOAD</name><addressOffset>4</addressOffset><fields>
  <field><name>RELOAD</name><lsb>0</lsb><msb>23</msb></field></fields></register>
 <register><name>KEY</name><addressOffset>8</addressOffset><access>write-only</access></register>
</registers></peripheral>
<peripheral><name>NVIC</name><baseAddress>0xE000E100</baseAddress><registers>
 <cluster><name>G[%s]</name><dim>2</dim><dimIncrement>0x100</dimIncrement><addressOffset>0</addressOffset>
  <register><name>BITS</name><addressOffset>0</addressOffset><fields>
   <field><name>L%s</name><dim>32</dim><dimIncrement>1</dimIncrement><bitRange>[0:0]</bitRange></field>
  </fields></register></cluster>
 <register><dim>4</dim><dimIncrement>1</dimIncrement><name>IP%s</name><size>8</size><addressOffset>0x314</addressOffset></register>
</registers></peripheral>
<peripheral derivedFrom="SysTick"><name>FAR</name><baseAddress>0x40000000</baseAddress></peripheral>
<peripheral derivedFrom="SysTick"><name>NEAR</name><baseAddress>0xE000E010</baseAddress></peripheral>
</peripherals></device>"#;

fn memory() -> MemoryImage {
    let core = include_bytes!("../../fixtures/cores/mps2-an385-Og-irq.core");
    format::open(core).unwrap().memory
}

// SysTick counts 24999 to 0, interrupt 20 is enabled at priority 0x40: fixtures/firmware/src/kernel.c.
#[test]
fn captured_registers_are_named_and_decoded() {
    let decoded = decode(DEVICE, &memory()).unwrap();
    let names: Vec<&str> = decoded.peripherals.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["SysTick", "NEAR", "NVIC"]);
    let systick = &decoded.peripherals[0];
    assert_eq!(systick.description.as_deref(), Some("system timer"));
    assert_eq!(systick.registers.len(), 2, "write-only ones are left out");
    let ctrl = &systick.registers[0];
    let said: Vec<_> =
        ctrl.fields.iter().map(|f| (&*f.name, f.value, f.meaning.as_deref())).collect();
    let processor = Some("processor");
    let expected = [("ENABLE", 1, None), ("CLKSOURCE", 1, processor), ("AGAIN", 1, processor)];
    assert_eq!(said, expected);
    assert_eq!(systick.registers[1].fields[0].value, 24999);
    assert_eq!(systick.registers[1].fields[0].bits, "23:0");

    let nvic = &decoded.peripherals[2].registers;
    let register = |name: &str| nvic.iter().find(|register| register.name == name).unwrap();
    let enabled: Vec<&str> =
        register("G[0].BITS").fields.iter().filter(|f| f.value == 1).map(|f| &*f.name).collect();
    assert_eq!(enabled, ["L20"]);
    assert_eq!(register("G[1].BITS").address.0, 0xe000_e200);
    assert_eq!((register("IP0").value.0, register("IP0").size), (0x40, 8));
}

#[test]
fn file_that_is_no_svd_is_refused_with_the_reason() {
    let memory = memory();
    let refused = |text: &str| decode(text, &memory).unwrap_err().to_string();
    assert_eq!(refused("<html></html>"), "the outermost element is `html`, not `device`");
    assert!(refused("not xml").starts_with("not XML: "));
    assert!(refused("<device><peripherals>").starts_with("not XML: "));
    let deep = "<device>".repeat(1_000_000);
    assert_eq!(refused(&deep), "elements are nested 65 deep, more than 64");
    let bomb = "<!DOCTYPE d [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><device>&b;</device>";
    assert!(refused(bomb).starts_with("not XML: "));
}

#[test]
fn arrays_and_references_without_end_are_cut() {
    let mut memory = MemoryImage::default();
    memory.insert(Address(0), vec![0xff; 16]).unwrap();
    let array =
        "<dim>0xffffffff</dim><dimIncrement>0</dimIncrement><dimIndex>0-4294967295</dimIndex>";
    let text = format!(
        "<device><peripherals><peripheral><name>P%s</name>{array}<baseAddress>0</baseAddress>\
         <registers><cluster><name>C%s</name>{array}<addressOffset>0</addressOffset>\
         <register><name>R%s</name>{array}<addressOffset>0xffffffffffffffff</addressOffset></register>\
         </cluster></registers></peripheral></peripherals></device>"
    );
    let decoded = decode(&text, &memory).unwrap();
    assert_eq!(decoded.remarks.len(), 1);
    let circle = "<device><peripherals>\
        <peripheral derivedFrom='B'><name>A</name><baseAddress>0</baseAddress></peripheral>\
        <peripheral derivedFrom='A'><name>B</name><baseAddress>0</baseAddress><registers>\
        <register derivedFrom='S'><name>R</name></register>\
        <register derivedFrom='R'><name>S</name></register>\
        <register derivedFrom='A.R.R.R'><name>T</name><addressOffset>0</addressOffset></register>\
        </registers></peripheral></peripherals></device>";
    let decoded = decode(circle, &memory).unwrap();
    assert_eq!(decoded.peripherals.len(), 2);
}

#[test]
fn long_names_of_an_array_are_not_copied_without_end() {
    let mut memory = MemoryImage::default();
    memory.insert(Address(0), vec![0xff; 16]).unwrap();
    let text = format!(
        "<device><peripherals><peripheral><name>P</name><baseAddress>0</baseAddress><registers>\
         <register><name>{}</name><addressOffset>0</addressOffset><dim>60000</dim>\
         <dimIndex>{}</dimIndex></register></registers></peripheral></peripherals></device>",
        "N".repeat(100_000),
        "A,".repeat(60_000)
    );
    let decoded = decode(&text, &memory).unwrap();
    assert!(decoded.peripherals[0].registers.len() < 1000);
    assert_eq!(decoded.remarks.len(), 1);
}

#[test]
fn any_prefix_of_a_file_is_refused_or_read() {
    let memory = memory();
    for end in (0..DEVICE.len()).filter(|end| DEVICE.is_char_boundary(*end)) {
        assert!(decode(&DEVICE[..end], &memory).is_err());
    }
}
