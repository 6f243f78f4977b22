//! Source lines of instructions. DWARF 5 section 6.2; the choice among rows of one address and
//! the form of file names are GDB's.

use std::collections::HashMap;

use super::dwarf::{DebugInfo, DieRef, Slice};
use super::elf::utf8_prefix;
use super::file::SymbolFile;
use super::objects::Object;
use super::types::TypeRef;
use crate::base::{Address, AddressRange};
use crate::symbols::CodeAddress;

/// Rows of one unit; no honest unit has more.
const MAX_ROWS: usize = 1 << 22;
/// Rows for one address that are looked at.
const MAX_SAME: usize = 256;
/// Pieces of code that are listed for one line.
const MAX_PIECES: usize = 1024;

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLocation<'d> {
    /// The file as DWARF and GDB name it: relative to `directory`, or absolute.
    pub file: String,
    /// The compiler's working directory.
    pub directory: Option<&'d str>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
}

impl SourceLocation<'_> {
    /// `file` as an absolute path, as far as the working directory is known.
    pub fn path(&self) -> String {
        match self.directory {
            Some(directory) if !is_absolute(&self.file) => join(directory, &self.file),
            _ => self.file.clone(),
        }
    }
}

struct Row {
    address: u32,
    /// 0: from here on no line is known.
    line: u32,
    column: u32,
    file: u64,
    is_stmt: bool,
}

struct Sequence {
    end: u32,
    rows: Vec<Row>,
}

/// The line table of a unit.
#[derive(Default)]
pub(super) struct LineTable<'d> {
    /// By start.
    sequences: Vec<Sequence>,
    header: Option<gimli::LineProgramHeader<Slice<'d>>>,
}

impl<'d> LineTable<'d> {
    /// Rows up to a malformed instruction count.
    pub(super) fn build(info: &DebugInfo<'d>, unit: u32) -> LineTable<'d> {
        let program = info.unit(unit).and_then(|unit| unit.line_program.clone());
        let Some(program) = program else { return LineTable::default() };
        let mut table = LineTable { sequences: Vec::new(), header: Some(program.header().clone()) };
        let mut rows: Vec<Row> = Vec::new();
        let mut total = 0_usize;
        let mut program = program.rows();
        while let Ok(Some((_, row))) = program.next_row() {
            total = total.saturating_add(1);
            let Ok(address) = u32::try_from(row.address()) else { continue };
            if row.end_sequence() {
                table.add_sequence(info, std::mem::take(&mut rows), address);
                continue;
            }
            if total > MAX_ROWS {
                break;
            }
            let (column, line) = match row.column() {
                gimli::ColumnType::LeftEdge => (0, row.line()),
                gimli::ColumnType::Column(column) => (column.get(), row.line()),
            };
            rows.push(Row {
                address,
                line: line.and_then(|line| u32::try_from(line.get()).ok()).unwrap_or(0),
                column: u32::try_from(column).unwrap_or(0),
                file: row.file_index(),
                is_stmt: row.is_stmt(),
            });
        }
        table.sequences.sort_by_key(|s| s.rows.first().map(|r| r.address));
        table
    }

    fn add_sequence(&mut self, info: &DebugInfo<'d>, mut rows: Vec<Row>, end: u32) {
        let start = rows.first().map_or(end, |row| row.address);
        if info.program.live(u64::from(start), u64::from(end)).is_some() {
            // Addresses only grow within a sequence of an honest file.
            rows.sort_by_key(|row| row.address);
            self.sequences.push(Sequence { end, rows });
        }
    }

    fn row_at(&self, address: u32) -> Option<&Row> {
        let start = |s: &Sequence| s.rows.first().map_or(u32::MAX, |row| row.address);
        let after = self.sequences.partition_point(|s| start(s) <= address);
        let sequence = self.sequences.get(after.checked_sub(1)?)?;
        if address >= sequence.end {
            return None;
        }
        let after = sequence.rows.partition_point(|row| row.address <= address);
        let last = sequence.rows.get(after.checked_sub(1)?)?;
        // Of several rows for one address the last that starts a statement counts.
        let same = sequence.rows.get(..after)?.iter().rev().take(MAX_SAME);
        let mut same = same.take_while(|row| row.address == last.address);
        Some(same.find(|row| row.is_stmt && row.line != 0).unwrap_or(last))
    }

    /// The pieces of code of `line` in files that `is_file` names by their numbers.
    fn pieces(&self, line: u32, mut is_file: impl FnMut(u64) -> bool) -> Vec<AddressRange> {
        let mut pieces: Vec<AddressRange> = Vec::new();
        for sequence in &self.sequences {
            // From the end: of several rows for one address all reach to the next address.
            let (mut end, mut next) = (sequence.end, sequence.end);
            for row in sequence.rows.iter().rev() {
                if row.address < next {
                    (end, next) = (next, row.address);
                }
                let size = u64::from(end.saturating_sub(row.address));
                if row.line != line || size == 0 || !is_file(row.file) {
                    continue;
                }
                // Neighbours that differ by their columns only are one piece.
                let joined = pieces.pop_if(|last| u64::from(last.start().0) <= u64::from(end));
                let end = joined.map_or(u64::from(end), |last| last.end());
                let size = end.saturating_sub(u64::from(row.address));
                pieces.extend(AddressRange::new(Address(row.address), size));
                if pieces.len() >= MAX_PIECES {
                    return pieces;
                }
            }
        }
        pieces
    }

    /// The file with that number, as the unit names it.
    pub(super) fn file(&self, info: &DebugInfo<'d>, unit: u32, number: u64) -> Option<String> {
        let header = self.header.as_ref()?;
        let entry = header.file(number)?;
        let text = |value| info.string(unit, &value);
        let name = text(entry.path_name())?;
        if is_absolute(name) || entry.directory_index() == 0 {
            return Some(name.to_owned());
        }
        match entry.directory(header).and_then(text) {
            Some(directory) => Some(join(directory, name)),
            None => Some(name.to_owned()),
        }
    }
}

impl<'d> DebugInfo<'d> {
    fn location(&self, unit: u32, file: u64, line: u32, column: u32) -> Option<SourceLocation<'d>> {
        let directory = self.unit(unit)?.comp_dir.map(|dir| utf8_prefix(dir.slice()));
        Some(SourceLocation {
            file: self.lines(unit)?.file(self, unit, file)?,
            directory,
            line: (line != 0).then_some(line),
            column: (column != 0).then_some(column),
        })
    }

    /// A place given by file number, line and column, as `DW_AT_call_file` and its kin do.
    pub(super) fn stated_location(
        &self,
        unit: u32,
        file: Option<u64>,
        line: Option<u64>,
        column: Option<u64>,
    ) -> Option<SourceLocation<'d>> {
        let number = |value: Option<u64>| value.and_then(|v| u32::try_from(v).ok()).unwrap_or(0);
        self.location(unit, file?, number(line), number(column))
    }

    /// Where the source declares the entry `die` (`DW_AT_decl_file`, `DW_AT_decl_line`).
    pub(super) fn declaration(&self, die: DieRef) -> Option<SourceLocation<'d>> {
        let entry = self.entry(die);
        let number = |name| {
            let (unit, value) = entry.attribute(name)?;
            let number = match value {
                gimli::AttributeValue::FileIndex(index) => index,
                other => other.udata_value()?,
            };
            Some((unit, number))
        };
        // File and line may stand at different ends of a chain of origins, in different units.
        let (unit, file) = number(gimli::DW_AT_decl_file)?;
        let line = number(gimli::DW_AT_decl_line).map(|(_, line)| line);
        self.stated_location(unit, Some(file), line, None)
    }

    /// The line of the instruction at `address` in `unit`.
    pub(super) fn line_at(&self, unit: u32, address: u32) -> Option<SourceLocation<'d>> {
        let row = self.lines(unit)?.row_at(address)?;
        if row.line == 0 {
            return None;
        }
        self.location(unit, row.file, row.line, row.column)
    }
}

impl<'d> SymbolFile<'d> {
    /// The source line of the instruction that `address` stands for.
    pub fn line_at(&self, address: CodeAddress) -> Option<SourceLocation<'d>> {
        let info = self.debug_info()?;
        let at = address.lookup().0;
        info.units_at(at).into_iter().find_map(|unit| info.line_at(unit, at))
    }

    /// The code of `line` of the source file whose path is `file` or ends with it, by address.
    pub fn code_of_line(&self, file: &str, line: u32) -> Vec<AddressRange> {
        let Some(info) = self.debug_info() else { return Vec::new() };
        let mut pieces = Vec::new();
        for unit in info.units() {
            let Some(table) = info.lines(unit) else { continue };
            // Of few files there are many rows.
            let mut known: HashMap<u64, bool> = HashMap::new();
            pieces.extend(table.pieces(line, |number| {
                *known.entry(number).or_insert_with(|| {
                    let location = info.location(unit, number, line, 0);
                    location.is_some_and(|location| ends_with(&location.path(), file))
                })
            }));
        }
        pieces.sort();
        pieces.dedup();
        pieces
    }

    /// Where the source declares the function around `address`.
    pub fn declaration_of_function(&self, address: Address) -> Option<SourceLocation<'d>> {
        let info = self.debug_info()?;
        info.declaration(info.function_at(address.0)?)
    }

    /// Where the source declares the variable that `object` is or is a part of.
    pub fn declaration_of(&self, object: &Object) -> Option<SourceLocation<'d>> {
        self.debug_info()?.declaration(object.die)
    }

    /// Where the source declares a type; `None` for one without an entry of its own.
    pub fn declaration_of_type(&self, ty: TypeRef) -> Option<SourceLocation<'d>> {
        self.debug_info()?.declaration(ty.die?)
    }
}

/// Whether `path` is `end` or ends with it behind a separator.
fn ends_with(path: &str, end: &str) -> bool {
    let is_separator = |front: &str| front.is_empty() || front.ends_with(['/', '\\']);
    !end.is_empty() && path.strip_suffix(end).is_some_and(is_separator)
}

fn is_absolute(path: &str) -> bool {
    let drive = path.as_bytes().get(1) == Some(&b':');
    path.starts_with('/') || path.starts_with('\\') || drive
}

fn join(directory: &str, name: &str) -> String {
    // A directory of Windows keeps its separator: `C:\work` and `src\main.c`.
    let separator = if directory.contains('\\') && !directory.contains('/') { '\\' } else { '/' };
    match directory.ends_with(['/', '\\']) {
        true => format!("{directory}{name}"),
        false => format!("{directory}{separator}{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_joined_with_the_working_directory_unless_absolute() {
        let location = |file: &str, directory| {
            let file = file.to_owned();
            SourceLocation { file, directory, line: Some(1), column: None }.path()
        };
        assert_eq!(location("src/main.c", Some("/work")), "/work/src/main.c");
        assert_eq!(location("/abs/main.c", Some("/work")), "/abs/main.c");
        assert_eq!(location("src\\main.c", Some("C:\\work")), "C:\\work\\src\\main.c");
        assert_eq!(location("C:/a/main.c", Some("/work")), "C:/a/main.c");
        assert_eq!(location("main.c", None), "main.c");
    }
}
