//! Arguments, locals and globals. DWARF 5 sections 4.1 (data objects) and 3.3.8.3 (instances of
//! inlined functions).
//!
//! A variable that the linker dropped with its section keeps its entry, with an address near 0.
//! GDB reads it as if it were there; here it counts as optimised out.

use super::dwarf::{AttrValue, DebugInfo, Die, DieRef, is_block};
use super::elf::utf8_prefix;
use super::entry::Entry;
use super::expression::{Evaluator, FrameContext, NoFrame};
use super::file::SymbolFile;
use super::index::{VariableEntry, is_static};
use super::place::{Missing, Place};
use super::scopes::ScopeRef;
use super::symtab::SymbolKind;
use super::types::TypeRef;
use super::values::{Limits, Value};
use crate::base::{Address, FastSet, Memory, Unreadable, join};

/// Variables of one function.
const MAX_LOCALS: usize = 4096;

/// Values of all variables of one frame; what comes later is not looked into.
const MAX_VALUES: usize = 1 << 16;

/// What sort of variable it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VariableKind {
    /// A parameter of the function.
    Argument,
    /// A variable of the function or of a block in it.
    Local,
}

/// A variable of a frame with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable<'d> {
    /// Its name.
    pub name: &'d str,
    /// Argument or local.
    pub kind: VariableKind,
    /// How many blocks it is inside: 0 for the function itself.
    pub block: usize,
    /// Whether a variable of the same name in an inner block hides it.
    pub shadowed: bool,
    /// Its value.
    pub value: Value<'d>,
}

/// A variable with a fixed address.
#[derive(Clone, Debug, PartialEq)]
pub struct Global<'d> {
    /// Its name in the source.
    pub name: &'d str,
    /// Its type.
    pub ty: TypeRef,
    /// Where it is.
    pub place: Place,
    /// The source file of its unit, as the compiler was given it.
    pub unit: Option<&'d str>,
    /// The function that it is `static` in.
    pub function: Option<&'d str>,
    /// Whether other units can name it.
    pub external: bool,
    pub(super) die: DieRef,
}

impl Global<'_> {
    /// Its name as reports spell it: `function::name` for a `static` of a function.
    pub fn full_name(&self) -> String {
        match self.function {
            Some(function) => format!("{function}::{}", self.name),
            None => self.name.to_owned(),
        }
    }
}

/// A variable of a frame, before its value is known.
struct Listed<'i, 'd> {
    at: DieRef,
    entry: Entry<'i, 'd>,
    kind: VariableKind,
    block: usize,
}

/// Memory that has nothing: where a variable is must not depend on it.
struct NoMemory;

impl Memory for NoMemory {
    fn read(&self, address: Address, _: &mut [u8]) -> Result<(), Unreadable> {
        Err(Unreadable { address })
    }
}

impl<'d> DebugInfo<'d> {
    /// Where `variable` is, for the frame that `evaluator` is about.
    fn variable_place(&self, variable: &Entry<'_, 'd>, evaluator: &Evaluator<'_, 'd>) -> Place {
        let size = variable.ty().and_then(|ty| self.type_size(TypeRef::new(Some(ty))));
        let size = size.unwrap_or(0);
        if let Some((_, value)) = variable.attribute(gimli::DW_AT_const_value) {
            return constant_place(&value, size);
        }
        match variable.attribute(gimli::DW_AT_location) {
            Some((unit, value)) => evaluator.in_unit(unit).place(&value, size),
            None => Place::Missing(Missing::OptimizedOut),
        }
    }

    /// Variables of the scope at `pc`: outermost block first.
    fn variables_in(&self, scope: ScopeRef, pc: u32) -> Vec<Listed<'_, 'd>> {
        let nested = self.nested_at(scope.die, pc);
        let inner = nested.iter().take_while(|step| !step.inlined).map(|step| step.die);
        let blocks: Vec<DieRef> = [scope.die].into_iter().chain(inner).collect();
        let mut found = Vec::new();
        let mut origins = FastSet::default();
        for (depth, block) in blocks.iter().enumerate() {
            self.add_variables(*block, depth, &mut origins, &mut found);
        }
        // What an instance leaves out of its abstract original is optimised out, not absent.
        for (depth, block) in blocks.iter().enumerate() {
            let instance = self.die(*block);
            if let Some(original) = instance.and_then(|die| self.origin(block.unit, &die)) {
                self.add_variables(original, depth, &mut origins, &mut found);
            }
        }
        found.sort_by_key(|variable| variable.block);
        found
    }

    /// The variables of one block. `origins` keeps an instance and its original from being
    /// listed both.
    fn add_variables<'i>(
        &'i self,
        block: DieRef,
        depth: usize,
        origins: &mut FastSet<DieRef>,
        found: &mut Vec<Listed<'i, 'd>>,
    ) {
        let mut add = |at: DieRef, kind: VariableKind| {
            let entry = self.entry(at);
            if origins.insert(entry.root()) {
                found.push(Listed { at, entry, kind, block: depth });
            }
            found.len() < MAX_LOCALS
        };
        let abstract_block = self.die(block).is_some_and(|die| !Self::has_ranges(&die));
        let mut transparent = Vec::new();
        self.children(block, |at, die| {
            if let Some(kind) = variable_kind(die) {
                return add(at, kind);
            }
            if is_block(die.tag()) && !Self::has_ranges(die) && !abstract_block {
                transparent.push(at);
            }
            true
        });
        // A block without addresses of its own belongs to what is around it.
        for inner in transparent {
            self.children(inner, |at, die| variable_kind(die).is_none_or(|kind| add(at, kind)));
        }
    }
}

fn variable_kind(die: &Die<'_>) -> Option<VariableKind> {
    match die.tag() {
        gimli::DW_TAG_formal_parameter => Some(VariableKind::Argument),
        // `extern int x;` inside a function names a global.
        gimli::DW_TAG_variable if !die.has_attr(gimli::DW_AT_declaration) => {
            Some(VariableKind::Local)
        }
        _ => None,
    }
}

/// A value that the debug information itself gives.
fn constant_place(value: &AttrValue<'_>, size: u64) -> Place {
    if let gimli::AttributeValue::Block(block) = value {
        return Place::of_bytes(block.slice());
    }
    let text = match value {
        gimli::AttributeValue::String(text) => Some(text.slice()),
        _ => None,
    };
    if let Some(text) = text {
        return Place::of_bytes(text);
    }
    let Some(number) = super::types::constant(value) else {
        return Place::Missing(Missing::Unreadable { reason: "constant is malformed" });
    };
    // A signed constant fills all of its type.
    let mut bytes = i128::from(number).to_le_bytes();
    let size = usize::try_from(size).unwrap_or(usize::MAX).min(bytes.len());
    Place::of_bytes(bytes.get_mut(..size).unwrap_or_default())
}

impl<'d> SymbolFile<'d> {
    /// Arguments and locals of a scope of [`SymbolFile::frames_at`] in the frame `context`,
    /// in the order of the source, those of inner blocks last. Blocks count when they hold the
    /// frame's address.
    pub fn locals_at(
        &self,
        scope: ScopeRef,
        context: &dyn FrameContext,
        limits: Limits,
    ) -> Vec<Variable<'d>> {
        let Some(info) = self.debug_info() else { return Vec::new() };
        let found = info.variables_in(scope, context.pc().lookup().0);
        let mut variables = Vec::new();
        let mut left = MAX_VALUES;
        for Listed { at, entry, kind, block } in found {
            let Some(name) = entry.name() else { continue };
            let evaluator = Evaluator::new(info, context, at.unit, Some(scope.function));
            let mut place = info.variable_place(&entry, &evaluator);
            if entry.own().is_some_and(is_static) {
                place = self.checked(name, place);
            }
            let ty = TypeRef::new(entry.ty());
            let limits = Limits { nodes: limits.nodes.min(left), ..limits };
            let (value, count) = self.read_counted(ty, &place, context.memory(), limits);
            left = left.saturating_sub(count);
            variables.push(Variable { name, kind, block, shadowed: false, value });
        }
        let mut inner: FastSet<&str> = FastSet::default();
        let mut seen_block = usize::MAX;
        let mut current: Vec<&str> = Vec::new();
        for variable in variables.iter_mut().rev() {
            if variable.block != seen_block {
                inner.extend(current.drain(..));
                seen_block = variable.block;
            }
            variable.shadowed = inner.contains(variable.name);
            current.push(variable.name);
        }
        variables
    }

    /// See [`SymbolFile::globals`].
    pub(super) fn find_globals(&self) -> Vec<Global<'d>> {
        let Some(info) = self.debug_info() else { return Vec::new() };
        info.index_all();
        let of_units = |units: std::ops::Range<u32>| -> Vec<Global<'d>> {
            let entries = units.filter_map(|unit| info.index(unit)).flat_map(|i| &i.variables);
            entries.filter_map(|entry| self.global_of(info, entry)).collect()
        };
        let units = info.units();
        let middle = units.end / 2;
        let (second, mut globals) =
            join(|| of_units(middle..units.end), || of_units(units.start..middle));
        globals.extend(second);
        let mut seen = FastSet::default();
        globals.retain(|g| seen.insert((g.name, g.place.address(), g.function)));
        // An entry without address is of no use beside one of the same name and file with it.
        let placed: FastSet<(&str, Option<&str>, Option<&str>)> = globals
            .iter()
            .filter(|g| !matches!(g.place, Place::Missing(_)))
            .map(|g| (g.name, g.unit, g.function))
            .collect();
        globals.retain(|g| {
            !matches!(g.place, Place::Missing(_)) || !placed.contains(&(g.name, g.unit, g.function))
        });
        globals
    }

    /// The variable of that name: one that exists before one that was optimised out, one that
    /// other units can name before a `static` one, none that is `static` in a function.
    pub fn global(&self, name: &str) -> Option<Global<'d>> {
        let named = self.globals().iter().filter(|g| g.name == name && g.function.is_none());
        let rank = |g: &&Global<'d>| (matches!(g.place, Place::Missing(_)), !g.external);
        named.min_by_key(rank).cloned()
    }

    /// The value of a global.
    pub fn global_value(
        &self,
        global: &Global<'d>,
        memory: &dyn Memory,
        limits: Limits,
    ) -> Value<'d> {
        self.read_value(global.ty, &global.place, memory, limits)
    }

    fn global_of(&self, info: &DebugInfo<'d>, entry: &VariableEntry) -> Option<Global<'d>> {
        let die = entry.die;
        let described = info.entry(die);
        let name = described.name()?;
        let context = NoFrame(&NoMemory);
        let evaluator = Evaluator::new(info, &context, die.unit, None);
        let place = self.checked(name, info.variable_place(&described, &evaluator));
        let unit = info.unit(die.unit).and_then(|unit| unit.name);
        let external = described.attribute(gimli::DW_AT_external);
        let place = match (external, described.attribute(gimli::DW_AT_location)) {
            // An alias of another variable has no location of its own, but a symbol.
            (Some(_), None) if matches!(place, Place::Missing(_)) => {
                let linked = described.linkage_name().unwrap_or(name);
                let symbol = self.symbol(linked).filter(|s| s.kind != SymbolKind::Function);
                symbol.map_or(place, |symbol| Place::Memory(symbol.address))
            }
            _ => place,
        };
        let ty = TypeRef::new(described.ty());
        // A member of a class that has no type here is only declared.
        ty.die?;
        Some(Global {
            name,
            ty,
            place,
            unit: unit.map(|name| utf8_prefix(name.slice())),
            function: entry.function.and_then(|function| info.name(function)),
            external: external.is_some(),
            die,
        })
    }

    /// `place`, unless it is in constant memory where no symbol confirms it: then the linker
    /// dropped the variable.
    fn checked(&self, name: &str, place: Place) -> Place {
        let Place::Memory(address) = place else { return place };
        let dropped = Place::Missing(Missing::OptimizedOut);
        match self.section_at(address) {
            Some(section) if section.is_ram() => place,
            Some(_) => {
                let table = self.table();
                let here = table.starting_at(address);
                // A `static` in a function has a number behind its name.
                let is_named = |symbol: &str| {
                    symbol
                        .strip_prefix(name)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                };
                // Other names are aliases; at 0, where dropped variables go, only the name counts.
                let confirmed = here.iter().any(|symbol| {
                    is_named(symbol.name) || (symbol.size > 0 && address != Address(0))
                });
                let known = confirmed || (table.all().is_empty() && address != Address(0));
                if known { place } else { dropped }
            }
            None => dropped,
        }
    }
}
