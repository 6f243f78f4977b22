//! Reading a real program (`fixtures/elf/`): expectations are GDB 13's answers.

use super::*;
use crate::base::{Address, Memory, Unreadable};

/// Memory at start-up: what the file holds for `.data`, zeros for `.bss`.
struct AtStart<'d>(Vec<AllocatedSection<'d>>);

impl Memory for AtStart<'_> {
    fn read(&self, address: Address, buffer: &mut [u8]) -> Result<(), Unreadable> {
        let section = self.0.iter().find(|s| s.range.contains(address));
        let section = section.ok_or(Unreadable { address })?;
        let start = (address.0 - section.range.start().0) as usize;
        let bytes = section.bytes.unwrap_or_default();
        for (index, byte) in buffer.iter_mut().enumerate() {
            *byte = bytes.get(start + index).copied().unwrap_or(0);
        }
        Ok(())
    }
}

/// A frame with a value in every register and no caller.
struct AnyFrame<'m>(Address, AtStart<'m>);

impl FrameContext for AnyFrame<'_> {
    fn register(&self, number: u16) -> Option<u64> {
        Some(0x2000_0000 + u64::from(number) * 4)
    }
    fn cfa(&self) -> Option<Address> {
        Some(Address(0x2000_0100))
    }
    fn memory(&self) -> &dyn Memory {
        &self.1
    }
    fn pc(&self) -> CodeAddress {
        CodeAddress::Instruction(self.0)
    }
    fn caller(&self) -> Option<&dyn FrameContext> {
        Some(self)
    }
}

fn fixture() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/elf/mps2-an385-O2.elf");
    std::fs::read(path).unwrap()
}

#[test]
fn layouts_of_kernel_structures_are_those_of_the_program() {
    let bytes = fixture();
    let image = ElfImage::parse(&bytes).unwrap();
    let symbols = SymbolFile::new(&image);
    assert_eq!(symbols.size_of("struct k_thread"), Some(184));
    let psp = symbols.layout("k_thread", "callee_saved.psp").unwrap();
    assert_eq!((psp.offset_bytes, psp.size_bytes, psp.bits), (0x50, Some(4), None));
    let current = symbols.layout("struct z_kernel", "cpus[0].current").unwrap();
    assert_eq!(current.offset_bytes, 8);
    assert_eq!(&*symbols.type_name(current.ty), "struct k_thread *");
    assert_eq!(symbols.layout("k_thread", "name").unwrap().size_bytes, Some(32));
    assert_eq!(symbols.layout("z_kernel", "cpus[1].current"), None, "there is one");
    assert_eq!(symbols.layout("k_thread", "no_such_member"), None);
}

#[test]
fn types_inside_of_types_are_found_where_a_language_has_them() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/rust/firmware.elf");
    let bytes = std::fs::read(path).unwrap();
    let image = ElfImage::parse(&bytes).unwrap();
    let symbols = SymbolFile::new(&image);
    // A variant of `Option`, inside of which it is.
    assert!(symbols.type_by_name("Some").is_some());
    let named = symbols.named_types();
    assert!(named.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0] != pair[1]));
    assert!(named.iter().any(|(name, _)| *name == "Some"));
}

#[test]
fn globals_are_rendered_as_by_gdb() {
    let bytes = fixture();
    let image = ElfImage::parse(&bytes).unwrap();
    let symbols = SymbolFile::new(&image);
    let memory = AtStart(image.allocated_sections());
    let text = |name: &str| {
        let global = symbols.global(name).unwrap();
        let value = symbols.global_value(&global, &memory, Limits::default());
        (value.type_name.to_string(), symbols.render(&value, &memory, Limits::default()))
    };
    for (name, type_name, value) in [
        ("g_i8", "int8_t", "-8 '\\370'"),
        ("g_u64", "uint64_t", "18000000000000000000"),
        ("g_long", "long", "-99"),
        ("g_ull", "unsigned long long", "81985529216486895"),
        ("g_bool_true", "_Bool", "true"),
        ("g_char", "char", "90 'Z'"),
        ("g_float", "float", "3.14159274"),
        ("g_double", "double", "2.7182818284590451"),
        ("g_double_big", "double", "-1.0000000000000001e+300"),
        ("g_enum", "enum sensor_kind", "SENSOR_GYRO"),
        ("g_enum_flags", "enum sensor_flags", "(FLAG_POWERED | FLAG_CALIBRATED)"),
        ("g_enum_unknown", "enum sensor_kind", "77"),
        ("g_packed", "struct packed", "{a = 1 '\\001', b = 3735928559, c = 4660}"),
        ("g_matrix", "int16_t [3][4]", "{{1, 2, 3, 4}, {-1, -2, -3, -4}, {100, 200, 300, 400}}"),
        (
            "g_cube",
            "uint8_t [2][2][3]",
            r#"{{"\001\002\003", "\004\005\006"}, {"\a\b\t", "\n\v\f"}}"#,
        ),
        ("g_long_array", "uint16_t [80]", "{1, 2, 3, 0 <repeats 76 times>, 79}"),
        ("g_chararray", "char [12]", r#""hello\000\000\000\000\000\000""#),
        ("g_const_volatile", "const volatile uint32_t", "18"),
    ] {
        assert_eq!(text(name), (type_name.to_owned(), value.to_owned()), "{name}");
    }
    assert!(text("g_string").1.ends_with("\"a string in flash\""));
    assert!(text("g_intptr").1.ends_with("<g_i32>"));
}

#[test]
fn function_is_described_at_its_first_instruction() {
    let bytes = fixture();
    let image = ElfImage::parse(&bytes).unwrap();
    let symbols = SymbolFile::new(&image);
    let start = symbols.symbol("compute_fft").unwrap().address;
    assert!(symbols.is_code(start));
    assert_eq!(symbols.function_start(Address(start.0 + 2)), Some(start));
    let frames = symbols.frames_at(CodeAddress::Instruction(start));
    let outer = frames.last().unwrap();
    assert_eq!(
        (outer.function, outer.inlined, outer.low_pc),
        (Some("compute_fft"), false, Some(start))
    );
    let location = outer.location.as_ref().unwrap();
    assert!(location.file.ends_with("src/accel.c"), "{}", location.file);
    // A return address at the start of a function belongs to the one before it.
    let before = symbols.frames_at(CodeAddress::Return(start));
    assert_ne!(before.last().and_then(|f| f.function), Some("compute_fft"));
}

#[test]
fn file_vouches_for_constants_but_not_for_variables() {
    fn shared_between_threads<T: Send + Sync>(_: &T) {}
    let bytes = fixture();
    let image = ElfImage::parse(&bytes).unwrap();
    let symbols = SymbolFile::new(&image);
    shared_between_threads(&symbols);
    let constant = symbols.symbol("g_const_table").unwrap().address;
    assert_eq!(symbols.read_u16(constant), Ok(9), "x of the first vector");
    let variable = symbols.symbol("g_u32").unwrap().address;
    assert_eq!(symbols.read_u32(variable), Err(Unreadable { address: variable }));
}

/// Asks everything there is to ask.
fn exercise(bytes: &[u8]) {
    let Ok(image) = ElfImage::parse(bytes) else { return };
    let symbols = SymbolFile::new(&image);
    let memory = AtStart(image.allocated_sections());
    let limits = Limits { depth: 4, elements: 8, nodes: 100, string: 16 };
    for symbol in symbols.symbols().iter().step_by(9) {
        let at = Address(symbol.address.0.wrapping_add(6));
        let frame = AnyFrame(at, AtStart(image.allocated_sections()));
        let _ = symbols.function_start(at);
        for source in symbols.frames_at(frame.pc()) {
            for variable in symbols.locals_at(source.scope, &frame, limits) {
                let _ = symbols.render(&variable.value, &memory, limits);
                let _ = symbols.dereference(&variable.value, &frame, limits);
            }
        }
    }
    for global in symbols.globals() {
        let value = symbols.global_value(global, &memory, limits);
        let _ = symbols.render(&value, &memory, limits);
    }
    let _ = symbols.layout("k_thread", "callee_saved.psp");
    let _ = symbols.build_id_text();
}

impl SymbolFile<'_> {
    fn build_id_text(&self) -> Option<String> {
        self.image().build_id().map(crate::base::hex::encode)
    }
}

/// Where the section header of each debug section has its size, and that size.
fn debug_section_sizes(bytes: &[u8]) -> Vec<(usize, usize, usize)> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let half = |at: usize| usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()));
    let (table, count, names) = (word(32), half(48), half(50));
    let names = word(table + names * 40 + 16);
    let headers = (0..count).map(|index| table + index * 40);
    let debug = headers.filter(|at| bytes[names + word(*at)..].starts_with(b".debug_"));
    debug.map(|at| (at + 20, word(at + 16), word(at + 20))).collect()
}

#[test]
fn truncated_file_is_refused_and_truncated_sections_are_survived() {
    let bytes = fixture();
    for part in 0..200 {
        assert!(ElfImage::parse(&bytes[..bytes.len() * part / 200]).is_err());
    }
    for (header, _, size) in debug_section_sizes(&bytes) {
        for part in 0..4_usize {
            let mut cut = bytes.clone();
            let short = (size * part / 4 + part) as u32;
            cut[header..header + 4].copy_from_slice(&short.to_le_bytes());
            exercise(&cut);
        }
    }
}

#[test]
fn flipped_bytes_in_debug_sections_are_survived() {
    let bytes = fixture();
    let sections = debug_section_sizes(&bytes);
    let mut state = 0x1234_5678_9abc_def0_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    for _ in 0..60 {
        let mut flipped = bytes.clone();
        for _ in 0..4 {
            let (_, offset, size) = sections[random() % sections.len()];
            flipped[offset + random() % size.max(1)] = random() as u8;
        }
        exercise(&flipped);
    }
}

#[test]
fn forged_size_of_a_value_in_a_register_is_bounded() {
    let bytes = fixture();
    let image = ElfImage::parse(&bytes).unwrap();
    let symbols = SymbolFile::new(&image);
    let frame = AnyFrame(Address(0x100), AtStart(image.allocated_sections()));
    let evaluator = expression::Evaluator::new(symbols.debug_info().unwrap(), &frame, 0, None);
    // DW_OP_reg0; DW_OP_addr 0x20000000, DW_OP_piece 0xffffffff.
    for location in [&[0x50][..], &[3, 0, 0, 0, 0x20, 0x93, 0xff, 0xff, 0xff, 0xff, 0x0f]] {
        let location = gimli::EndianSlice::new(location, gimli::LittleEndian);
        let value = gimli::AttributeValue::Exprloc(gimli::Expression(location));
        // The number of registers that such a value would fill cannot be counted to.
        let place = evaluator.place(&value, u64::MAX);
        assert!(matches!(place, Place::Bits { .. }), "{place:?}");
    }
}

#[test]
fn symbol_with_a_forged_size_does_not_hide_those_behind_it() {
    let mut bytes = fixture();
    let first = {
        let image = ElfImage::parse(&bytes).unwrap();
        let (symbols, _) = image.section_of_type(2).unwrap();
        symbols.as_ptr() as usize - bytes.as_ptr() as usize + 16
    };
    // `st_value` 0x100 and `st_size` 0xffffff00 of the first entry.
    bytes[first + 4..first + 12].copy_from_slice(&[0, 1, 0, 0, 0, 0xff, 0xff, 0xff]);
    let image = ElfImage::parse(&bytes).unwrap();
    let symbols = SymbolFile::new(&image);
    let main = symbols.symbol("main").unwrap().address;
    assert_eq!(symbols.symbol_at(main).unwrap().0.name, "main");
}

#[test]
fn name_without_an_end_is_cut() {
    let table = vec![b'x'; 1 << 20];
    assert_eq!(elf::string_at(&table, 5).len(), 4096);
    assert_eq!(elf::string_at(b"\0ab\0", 1), "ab");
    assert_eq!(elf::string_at(b"\0ab", 1), "ab");
    assert_eq!(elf::string_at(b"\0ab", 9), "");
}
