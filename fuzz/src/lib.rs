//! What the fuzz targets do with arbitrary bytes: everything that a user's command would do with
//! them. A panic, an overflow, too much memory or time is a find; a refusal is not.

mod server;

use mflt::analysis::{self, Options};
use mflt::base::{Address, AddressRange};
use mflt::diff::{self, Side};
use mflt::format::{self, coredump, elf_core, probe_rs, raw, zephyr};
use mflt::gdb::{self, ServedDump};
use mflt::report::{Report, Style, render_text};
use mflt::snapshot::{MemoryImage, RegisterSet, Snapshot};
use mflt::symbols::{CodeAddress, ElfImage, SymbolFile, Symbols};
use mflt::target::rsp::GdbClient;
use mflt::target::{CapturePlan, Leave, Target, capture};
use mflt::wire::{
    self, Body, Decoder, Dictionary, Found, LogRingHeader, LogText, Message, MetricKey,
    MetricValues, Metrics,
};

/// `mflt analyze DUMP`, and `mflt convert` to every format and back.
pub fn dump(bytes: &[u8]) {
    let Ok(snapshot) = format::open(bytes) else { return };
    show(&analysis::analyze(&snapshot, &[], &Options::default()));
    if let Ok(core) = elf_core::write(&snapshot) {
        let again = format::open(&core).expect("what was written can be read");
        assert_eq!(memory(&again), memory(&snapshot), "memory is kept");
        assert_eq!(registers(&again), registers(&snapshot), "registers are kept");
    }
    let compact = [
        coredump::write(&snapshot),
        probe_rs::write(&snapshot),
        zephyr::write(&snapshot),
        zephyr::write_log(&snapshot),
        raw::write_hex(&snapshot),
    ];
    for written in compact.into_iter().flatten() {
        format::open(&written.bytes).expect("what was written can be read");
    }
}

/// `mflt symbols`, and `mflt analyze` of a dump without memory.
pub fn elf(bytes: &[u8]) {
    let Ok(image) = ElfImage::parse(bytes) else { return };
    let file = SymbolFile::new(&image);
    for symbol in file.symbols().iter().take(64) {
        file.symbol_at(symbol.address);
        file.line_at(CodeAddress::Instruction(symbol.address));
        file.frames_at(CodeAddress::Return(symbol.address));
    }
    for variable in file.variables_by_address().iter().take(64) {
        file.object_name(variable.address);
        file.slots(variable.ty, true);
    }
    analyze(&Snapshot::default(), &file);
}

/// `mflt analyze DUMP --elf ELF`; the ELF begins at the last ELF header.
pub fn pair(bytes: &[u8]) {
    let Some(at) = bytes.windows(4).rposition(|magic| magic == b"\x7fELF") else { return };
    let (dump, elf) = bytes.split_at(at);
    let (Ok(snapshot), Ok(image)) = (format::open(dump), ElfImage::parse(elf)) else { return };
    analyze(&snapshot, &SymbolFile::new(&image));
}

/// `mflt analyze DUMP --svd SVD` of a dump with two kinds of peripheral.
pub fn svd(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut memory = MemoryImage::default();
    for base in [0x4000_0000, 0x4000_4000, 0xe000_e000] {
        memory.insert(Address(base), vec![0x5a; 0x100]).expect("an address of a peripheral");
    }
    let _ = mflt::svd::decode(text, &memory);
    let _ = mflt::svd::select(text, &["A".to_string(), "A.B".to_string()]);
}

/// `mflt diff A B`, with `bytes` as the second of two dumps.
pub fn diff(bytes: &[u8]) {
    let Ok(b) = format::open(bytes) else { return };
    let a = demo();
    let options = Options::default();
    let [report_a, report_b] = [&a, &b].map(|dump| analysis::analyze(dump, &[], &options));
    let a = Side { snapshot: &a, report: &report_a };
    let b = Side { snapshot: &b, report: &report_b };
    diff::compare(a, b, Some(&Symbols::default()));
    diff::compare(b, a, None);
}

/// `mflt gdbserver DUMP`, and a debugger that sends the lines of `bytes`.
pub fn gdbserver(bytes: &[u8]) {
    let snapshot = demo();
    let report = analysis::analyze(&snapshot, &[], &Options::default());
    let dump = ServedDump::new(&snapshot, &[], &report);
    gdb::serve(&dump, server::Debugger::new(bytes), server::Debugger::next);
}

fn demo() -> Snapshot {
    let core = include_bytes!("../../fixtures/demo/crash.core");
    format::open(core).expect("the core of the demo")
}

/// `mflt decode STREAM`.
pub fn wire(bytes: &[u8]) {
    if let Ok(ring) = LogRingHeader::parse(bytes) {
        ring.records(bytes);
    }
    let Ok(stream) = wire::chunks(bytes) else { return };
    let mut decoder = Decoder::new();
    let mut found = Vec::new();
    for chunk in stream.chunks {
        match chunk {
            Ok(chunk) => found.extend(decoder.push(&chunk)),
            Err(damaged) => found.extend(decoder.skip(damaged.to_string())),
        }
    }
    found.extend(decoder.finish());
    let metrics = MetricKey::parse_table(bytes);
    let names = Dictionary { metrics, log_formats: bytes.to_vec(), ..Dictionary::default() };
    for found in found {
        let Found::Message { message, .. } = found else { continue };
        let Ok(message) = Message::parse(&message.bytes) else { continue };
        if !message.kind.has_events() {
            continue;
        }
        for event in wire::parse_events(&message.payload).events {
            name(&names, event.body);
        }
    }
}

fn name(names: &Dictionary, body: Body) {
    match body {
        Body::Metrics(Metrics { session, values: MetricValues::Positional(values) }) => {
            // Another count than the firmware's is refused.
            let _ = names.name_metrics(session, &values);
        }
        Body::Logs(lines) => {
            for line in lines {
                if let LogText::Compact(log) = line.text {
                    names.format_log(&log);
                }
            }
        }
        _ => {}
    }
}

/// `mflt coredump --gdb`, with a server that answers with the lines of `bytes`.
pub fn gdb(bytes: &[u8]) {
    let transport = Box::new(server::Scripted::new(bytes));
    let Ok(mut client) = GdbClient::new(transport, None) else { return };
    let region = AddressRange::new(Address(0x2000_0000), 0x400).expect("a range of RAM");
    let plan = CapturePlan::of_regions([region]);
    let _ = capture(&mut client, &plan, &mut |_, _| Vec::new(), &mut |_| true);
    let _ = client.leave(Leave::AsFound);
}

fn analyze(snapshot: &Snapshot, file: &SymbolFile<'_>) {
    show(&analysis::analyze(snapshot, std::slice::from_ref(file), &Options::default()));
}

fn show(report: &Report) {
    render_text(report, Style { full: true, ..Style::default() });
}

fn memory(snapshot: &Snapshot) -> &MemoryImage {
    &snapshot.memory
}

fn registers(snapshot: &Snapshot) -> &RegisterSet {
    &snapshot.registers
}
