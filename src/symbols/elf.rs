//! An ELF file in memory: sections, segments, notes. System V gABI chapters 4 and 5; AAELF32.
//!
//! Takes 32-bit little-endian Arm executables only. A core file, an object file or a file for
//! another machine is refused with what was found. Compressed sections (`SHF_COMPRESSED` and
//! `.zdebug_*`) are unpacked on first use, with a bound on their size.

use std::sync::OnceLock;

use object::read::{CompressedData, CompressionFormat};

use crate::base::{Address, AddressRange, Reader, Truncated};

const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const ET_CORE: u16 = 4;
const EM_ARM: u16 = 40;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const SHT_NULL: u32 = 0;
const SHT_NOTE: u32 = 7;
const SHT_NOBITS: u32 = 8;
const SHF_WRITE: u32 = 1;
const SHF_ALLOC: u32 = 2;
const SHF_EXECINSTR: u32 = 4;
const SHF_COMPRESSED: u32 = 0x800;
const SHN_XINDEX: u16 = 0xffff;
const PF_X: u32 = 1;
const PF_W: u32 = 2;
const NT_GNU_BUILD_ID: u32 = 3;
/// zlib cannot do better than about 1:1032; more is a forged header.
const MAX_COMPRESSION_RATIO: u64 = 1100;
/// No debug section of a microcontroller program comes near this.
const MAX_UNPACKED: u64 = 1 << 30;

/// Longest name of anything, in bytes. Without a bound one forged string that others end in, or that
/// many entries share, costs time and memory by the square of its length.
const MAX_NAME: usize = 4096;

/// Why bytes cannot serve as a symbol file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// The magic number is missing.
    #[error("not an ELF file: it starts with {found:02x?}")]
    NotElf {
        /// The first bytes, at most four.
        found: Vec<u8>,
    },
    /// Not a 32-bit file.
    #[error("ELF class {found}, but a Cortex-M program is class 1 (32-bit)")]
    WrongClass {
        /// `EI_CLASS`.
        found: u8,
    },
    /// Not little endian.
    #[error("ELF data encoding {found}, but only 1 (little endian) is supported")]
    WrongEndianness {
        /// `EI_DATA`.
        found: u8,
    },
    /// For another processor.
    #[error("ELF machine {found}, but a Cortex-M program is machine 40 (Arm)")]
    WrongMachine {
        /// `e_machine`.
        found: u16,
    },
    /// A core file: it holds a crash, not symbols.
    #[error("this ELF is a core file (ET_CORE): it holds a crash, not symbols")]
    CoreFile,
    /// Neither an executable nor a shared object.
    #[error("ELF type {found}, but a linked program is type 2 (ET_EXEC) or 3 (ET_DYN)")]
    WrongType {
        /// `e_type`.
        found: u16,
    },
    /// A header announces more than there is.
    #[error("the {what} ends at offset {end}, but the file has {size} bytes")]
    Truncated {
        /// What does not fit.
        what: &'static str,
        /// Where it would end.
        end: u64,
        /// The size of the file.
        size: u64,
    },
    /// The entries of a table are smaller than ELF asks for.
    #[error("the {what} has entries of {found} bytes, but ELF asks for {expected}")]
    BadEntrySize {
        /// Which table.
        what: &'static str,
        /// What the header says.
        found: u16,
        /// What it must be at least.
        expected: u16,
    },
}

/// A loadable segment (`PT_LOAD`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'d> {
    /// Where the program finds it (`p_vaddr`).
    pub address: Address,
    /// Where it is stored before start-up code copies it (`p_paddr`).
    pub load_address: Address,
    /// The bytes that the file holds for it; shorter than `size` when the rest is zero.
    pub bytes: &'d [u8],
    /// Bytes in memory.
    pub size: u32,
    /// `PF_W`.
    pub writable: bool,
    /// `PF_X`.
    pub executable: bool,
}

impl Segment<'_> {
    /// The addresses it covers at run time; empty when it would wrap around.
    pub fn range(&self) -> AddressRange {
        AddressRange::new(self.address, u64::from(self.size)).unwrap_or_default()
    }
}

/// The section that linkers put the build ID in, and most link scripts keep.
pub const BUILD_ID_NOTE: &str = ".note.gnu.build-id";

/// A section that occupies target memory (`SHF_ALLOC`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocatedSection<'d> {
    /// Its name.
    pub name: &'d str,
    /// Its number in the section table, as symbols refer to it.
    pub index: u16,
    /// The addresses it covers at run time.
    pub range: AddressRange,
    /// Where its bytes are stored before start-up code copies them.
    pub load_address: Address,
    /// Its contents; `None` for a section that only reserves memory (`SHT_NOBITS`).
    pub bytes: Option<&'d [u8]>,
    /// `SHF_WRITE`. Zephyr sets it on some sections that stay in flash: see [`Self::is_ram`].
    pub writable: bool,
    /// `SHF_EXECINSTR`.
    pub executable: bool,
    shares_segment_with_nobits: bool,
}

impl AllocatedSection<'_> {
    /// Whether the program may change these bytes, so that the file's contents prove nothing.
    ///
    /// The write flag alone does not tell: Zephyr's interrupt table (`sw_isr_table`) has it and
    /// lies in flash. What is copied at start-up, zeroed at start-up, or writable in the SRAM
    /// region of the system address map (0x20000000 to 0x3fffffff, Armv7-M ARM B3.1) is RAM.
    pub fn is_ram(&self) -> bool {
        let start = self.range.start();
        let in_sram_region = (0x2000_0000..0x4000_0000).contains(&start.0);
        self.bytes.is_none()
            || start != self.load_address
            || (self.writable && (in_sram_region || self.shares_segment_with_nobits))
    }
}

struct Section<'d> {
    name: &'d str,
    kind: u32,
    flags: u32,
    address: u32,
    size: u32,
    link: u32,
    bytes: Option<&'d [u8]>,
    unpacked: OnceLock<Option<Vec<u8>>>,
}

/// An ELF file in memory: sections (unpacked when needed), segments, build ID.
pub struct ElfImage<'d> {
    entry: u32,
    sections: Vec<Section<'d>>,
    segments: Vec<Segment<'d>>,
    notes: Vec<&'d [u8]>,
}

impl std::fmt::Debug for ElfImage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ElfImage")
            .field("sections", &self.sections.len())
            .field("segments", &self.segments.len())
            .finish_non_exhaustive()
    }
}

impl<'d> ElfImage<'d> {
    /// Reads the headers; contents are looked at when asked for.
    ///
    /// # Errors
    /// [`ElfError`] when the bytes are not a linked 32-bit little-endian Arm program, or when
    /// the header tables do not fit the file. A single section whose bytes do not fit counts
    /// as having none.
    pub fn parse(bytes: &'d [u8]) -> Result<ElfImage<'d>, ElfError> {
        let header = Header::parse(bytes)?;
        match header.kind {
            ET_EXEC | ET_DYN => {}
            ET_CORE => return Err(ElfError::CoreFile),
            found => return Err(ElfError::WrongType { found }),
        }
        let (segments, mut notes) = parse_segments(bytes, &header)?;
        let sections = parse_sections(bytes, &header)?;
        notes.extend(sections.iter().filter(|s| s.kind == SHT_NOTE).filter_map(|s| s.bytes));
        Ok(ElfImage { entry: header.entry, sections, segments, notes })
    }

    /// Whether `bytes` are an Arm core file (`ET_CORE`), which [`ElfImage::parse`] refuses.
    pub fn is_core(bytes: &[u8]) -> bool {
        Header::parse(bytes).is_ok_and(|header| header.kind == ET_CORE)
    }

    /// The contents of the section `name`, unpacked when compressed; `None` when it is missing,
    /// has no bytes in the file or cannot be unpacked. `.debug_x` also finds `.zdebug_x`.
    pub fn section(&self, name: &str) -> Option<&[u8]> {
        if let Some(section) = self.find(name) {
            if section.flags & SHF_COMPRESSED == 0 {
                return section.bytes;
            }
            return section.unpacked.get_or_init(|| unpack_gabi(section.bytes?)).as_deref();
        }
        let rest = name.strip_prefix(".debug_")?;
        let section =
            self.sections.iter().find(|s| s.name.strip_prefix(".zdebug_") == Some(rest))?;
        section.unpacked.get_or_init(|| unpack_gnu(section.bytes?)).as_deref()
    }

    /// The run-time address of the section `name`.
    pub fn section_address(&self, name: &str) -> Option<Address> {
        self.find(name).map(|section| Address(section.address))
    }

    /// The build ID that the linker wrote (`NT_GNU_BUILD_ID`), from a segment or a section.
    pub fn build_id(&self) -> Option<&'d [u8]> {
        self.notes.iter().find_map(|notes| find_build_id(notes))
    }

    /// The loadable segments in file order.
    pub fn segments(&self) -> &[Segment<'d>] {
        &self.segments
    }

    /// The sections that occupy target memory, in file order; empty ones are left out.
    pub fn allocated_sections(&self) -> Vec<AllocatedSection<'d>> {
        let sections = self.sections.iter().enumerate();
        sections.filter_map(|(index, section)| self.allocated(index, section)).collect()
    }

    /// Whether there is DWARF.
    pub fn has_debug_info(&self) -> bool {
        self.section(".debug_info").is_some_and(|bytes| !bytes.is_empty())
    }

    /// The entry point (`e_entry`) with the Thumb bit cleared.
    pub fn entry(&self) -> Address {
        Address(self.entry).without_thumb_bit()
    }

    /// The bytes of the first section of type `kind`, and those of the section it links to.
    pub(super) fn section_of_type(&self, kind: u32) -> Option<(&'d [u8], Option<&'d [u8]>)> {
        let section = self.sections.iter().find(|s| s.kind == kind)?;
        let linked = usize::try_from(section.link).ok().and_then(|i| self.sections.get(i));
        Some((section.bytes?, linked.and_then(|s| s.bytes)))
    }

    fn find(&self, name: &str) -> Option<&Section<'d>> {
        self.sections.iter().find(|s| s.name == name)
    }

    fn allocated(&self, index: usize, section: &Section<'d>) -> Option<AllocatedSection<'d>> {
        if section.flags & SHF_ALLOC == 0 || section.size == 0 {
            return None;
        }
        let address = Address(section.address);
        let range = AddressRange::new(address, u64::from(section.size))?;
        let segment = self.segments.iter().find(|s| s.range().contains_range(range));
        let load_address =
            segment.and_then(|s| s.load_address.checked_add(address.0.checked_sub(s.address.0)?));
        Some(AllocatedSection {
            name: section.name,
            index: u16::try_from(index).ok()?,
            range,
            load_address: load_address.unwrap_or(address),
            bytes: if section.kind == SHT_NOBITS { None } else { section.bytes },
            writable: section.flags & SHF_WRITE != 0,
            executable: section.flags & SHF_EXECINSTR != 0,
            shares_segment_with_nobits: segment
                .is_some_and(|s| u64::from(s.size) > s.bytes.len() as u64),
        })
    }
}

struct Header {
    kind: u16,
    entry: u32,
    segments: Table,
    sections: Table,
    names: u16,
}

struct Table {
    offset: u32,
    entry_size: u16,
    count: u16,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Header, ElfError> {
        let magic = bytes.get(..4).unwrap_or(bytes);
        if magic != b"\x7fELF" {
            return Err(ElfError::NotElf { found: magic.to_vec() });
        }
        let size = bytes.len() as u64;
        let short = |_| ElfError::Truncated { what: "ELF header", end: 52, size };
        let mut reader = Reader::at(bytes, 4);
        let class = reader.u8().map_err(short)?;
        let encoding = reader.u8().map_err(short)?;
        if class != 1 {
            return Err(ElfError::WrongClass { found: class });
        }
        if encoding != 1 {
            return Err(ElfError::WrongEndianness { found: encoding });
        }
        let header = Header::parse_body(bytes).map_err(short)?;
        match header {
            (EM_ARM, header) => Ok(header),
            (found, _) => Err(ElfError::WrongMachine { found }),
        }
    }

    fn parse_body(bytes: &[u8]) -> Result<(u16, Header), Truncated> {
        let mut r = Reader::at(bytes, 16);
        let kind = r.u16()?;
        let machine = r.u16()?;
        r.skip(4)?;
        let entry = r.u32()?;
        let segment_offset = r.u32()?;
        let section_offset = r.u32()?;
        r.skip(6)?;
        let segments = Table { offset: segment_offset, entry_size: r.u16()?, count: r.u16()? };
        let sections = Table { offset: section_offset, entry_size: r.u16()?, count: r.u16()? };
        let names = r.u16()?;
        Ok((machine, Header { kind, entry, segments, sections, names }))
    }
}

impl Table {
    /// A reader for each entry, when all of the table is in the file.
    fn entries<'d>(
        &self,
        bytes: &'d [u8],
        what: &'static str,
        expected: u16,
    ) -> Result<Vec<Reader<'d>>, ElfError> {
        if self.count == 0 || self.offset == 0 {
            return Ok(Vec::new());
        }
        if self.entry_size < expected {
            return Err(ElfError::BadEntrySize { what, found: self.entry_size, expected });
        }
        let length = u64::from(self.entry_size).saturating_mul(u64::from(self.count));
        let end = u64::from(self.offset).saturating_add(length);
        let error = ElfError::Truncated { what, end, size: bytes.len() as u64 };
        let table = slice(bytes, self.offset, length).ok_or(error)?;
        Ok(table.chunks_exact(usize::from(self.entry_size)).map(Reader::new).collect())
    }
}

fn slice(bytes: &[u8], offset: u32, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    bytes.get(start..end)
}

type SegmentsAndNotes<'d> = (Vec<Segment<'d>>, Vec<&'d [u8]>);

fn parse_segments<'d>(bytes: &'d [u8], header: &Header) -> Result<SegmentsAndNotes<'d>, ElfError> {
    let mut segments = Vec::new();
    let mut notes = Vec::new();
    for mut entry in header.segments.entries(bytes, "program header table", 32)? {
        // The entry is 32 bytes long, checked above, so that no field can be missing.
        let Ok(fields) = read_words::<8>(&mut entry) else { continue };
        let [kind, offset, address, load_address, file_size, size, flags, _align] = fields;
        let contents = slice(bytes, offset, u64::from(file_size));
        match kind {
            PT_NOTE => notes.extend(contents),
            PT_LOAD => {
                let end = u64::from(offset).saturating_add(u64::from(file_size));
                let file = bytes.len() as u64;
                let error = ElfError::Truncated { what: "loadable segment", end, size: file };
                segments.push(Segment {
                    address: Address(address),
                    load_address: Address(load_address),
                    bytes: contents.ok_or(error)?,
                    size,
                    writable: flags & PF_W != 0,
                    executable: flags & PF_X != 0,
                });
            }
            _ => {}
        }
    }
    Ok((segments, notes))
}

fn parse_sections<'d>(bytes: &'d [u8], header: &Header) -> Result<Vec<Section<'d>>, ElfError> {
    let entries = header.sections.entries(bytes, "section header table", 40)?;
    let mut raw = Vec::with_capacity(entries.len());
    for mut entry in entries {
        let Ok(fields) = read_words::<10>(&mut entry) else { continue };
        raw.push(fields);
    }
    // More sections than fit the header: their number is in the `sh_link` of section 0.
    let names_index = match (header.names, raw.first()) {
        (SHN_XINDEX, Some(first)) => usize::try_from(first[6]).unwrap_or(usize::MAX),
        (index, _) => usize::from(index),
    };
    let names = raw.get(names_index).and_then(|f| slice(bytes, f[4], u64::from(f[5])));
    let sections = raw.iter().map(|fields| {
        let [name, kind, flags, address, offset, size, link, ..] = *fields;
        let contents = match kind {
            SHT_NULL | SHT_NOBITS => None,
            _ => slice(bytes, offset, u64::from(size)),
        };
        Section {
            name: names.map_or("", |names| string_at(names, name)),
            kind,
            flags,
            address,
            size,
            link,
            bytes: contents,
            unpacked: OnceLock::new(),
        }
    });
    Ok(sections.collect())
}

fn read_words<const N: usize>(reader: &mut Reader<'_>) -> Result<[u32; N], Truncated> {
    let mut words = [0; N];
    for word in &mut words {
        *word = reader.u32()?;
    }
    Ok(words)
}

/// The NUL-terminated string at `offset` of a string table, as far as it is UTF-8.
pub(super) fn string_at(table: &[u8], offset: u32) -> &str {
    let bytes = usize::try_from(offset).ok().and_then(|start| table.get(start..));
    let bytes = bytes.and_then(|bytes| bytes.get(..MAX_NAME).or(Some(bytes))).unwrap_or_default();
    utf8_prefix(bytes.split(|byte| *byte == 0).next().unwrap_or_default())
}

/// The part of `bytes` that is UTF-8, all of it in any honest file, and not too long.
pub(super) fn utf8_prefix(bytes: &[u8]) -> &str {
    let bytes = bytes.get(..MAX_NAME).unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            std::str::from_utf8(valid).unwrap_or_default()
        }
    }
}

fn find_build_id(notes: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(notes);
    while !reader.is_empty() {
        let name_size = usize::try_from(reader.u32().ok()?).ok()?;
        let size = usize::try_from(reader.u32().ok()?).ok()?;
        let kind = reader.u32().ok()?;
        let name = reader.bytes(name_size).ok()?;
        skip_padding(&mut reader, name_size);
        let description = reader.bytes(size).ok()?;
        skip_padding(&mut reader, size);
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" && !description.is_empty() {
            return Some(description);
        }
    }
    None
}

/// Notes are padded to four bytes; the last one may lack its padding.
fn skip_padding(reader: &mut Reader<'_>, size: usize) {
    let padding = size.wrapping_neg() & 3;
    let _ = reader.skip(padding.min(reader.left()));
}

fn unpack_gabi(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(bytes);
    let [kind, size, _align] = read_words::<3>(&mut reader).ok()?;
    let format = match kind {
        1 => CompressionFormat::Zlib,
        2 => CompressionFormat::Zstandard,
        _ => return None,
    };
    unpack(format, bytes.get(12..)?, u64::from(size))
}

fn unpack_gnu(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(bytes);
    if reader.bytes(4).ok()? != b"ZLIB" {
        return None;
    }
    let size = u64::from_be_bytes(reader.array().ok()?);
    unpack(CompressionFormat::Zlib, bytes.get(12..)?, size)
}

fn unpack(format: CompressionFormat, data: &[u8], uncompressed_size: u64) -> Option<Vec<u8>> {
    let limit = (data.len() as u64).saturating_mul(MAX_COMPRESSION_RATIO).min(MAX_UNPACKED);
    if uncompressed_size > limit {
        return None;
    }
    let packed = CompressedData { format, data, uncompressed_size };
    packed.decompress().ok().map(|bytes| bytes.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(class: u8, encoding: u8, kind: u16, machine: u16) -> Vec<u8> {
        let mut bytes = vec![0x7f, b'E', b'L', b'F', class, encoding, 1];
        bytes.resize(16, 0);
        bytes.extend(kind.to_le_bytes());
        bytes.extend(machine.to_le_bytes());
        bytes.resize(52, 0);
        bytes
    }

    #[test]
    fn foreign_files_are_refused_with_what_was_found() {
        let parse = |bytes: &[u8]| ElfImage::parse(bytes).err();
        assert_eq!(parse(b"MZ"), Some(ElfError::NotElf { found: b"MZ".to_vec() }));
        assert_eq!(parse(&header(2, 1, 2, 40)), Some(ElfError::WrongClass { found: 2 }));
        assert_eq!(parse(&header(1, 2, 2, 40)), Some(ElfError::WrongEndianness { found: 2 }));
        assert_eq!(parse(&header(1, 1, 2, 243)), Some(ElfError::WrongMachine { found: 243 }));
        assert_eq!(parse(&header(1, 1, 4, 40)), Some(ElfError::CoreFile));
        assert_eq!(parse(&header(1, 1, 1, 40)), Some(ElfError::WrongType { found: 1 }));
        let cut = ElfError::Truncated { what: "ELF header", end: 52, size: 40 };
        assert_eq!(parse(&header(1, 1, 2, 40)[..40]), Some(cut));
        assert!(ElfImage::is_core(&header(1, 1, 4, 40)));
        assert!(!ElfImage::is_core(&header(1, 1, 2, 40)));
    }

    #[test]
    fn build_id_is_found_behind_another_note() {
        let mut notes = Vec::new();
        for (name, kind, description) in
            [(b"ABC\0", 1u32, &b"12345"[..]), (b"GNU\0", 3, b"\xde\xad")]
        {
            notes.extend(4u32.to_le_bytes());
            notes.extend((description.len() as u32).to_le_bytes());
            notes.extend(kind.to_le_bytes());
            notes.extend(name);
            notes.extend(description);
            notes.resize(notes.len().next_multiple_of(4), 0);
        }
        assert_eq!(find_build_id(&notes), Some(&b"\xde\xad"[..]));
        notes.truncate(notes.len() - 5);
        assert_eq!(find_build_id(&notes), None);
    }

    #[test]
    fn forged_size_of_compressed_section_is_refused() {
        let mut bytes = vec![1, 0, 0, 0, 0xff, 0xff, 0xff, 0x3f, 1, 0, 0, 0];
        bytes.extend([0x78, 0x9c, 3, 0, 0, 0, 0, 1]);
        assert_eq!(unpack_gabi(&bytes), None);
    }
}
