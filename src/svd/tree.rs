//! Walks peripherals, clusters and registers, and reads those that the dump holds.

use super::array::{elements, text, value};
use super::{Decoded, MOST_STEPS, field};
use crate::base::{Address, Memory as _};
use crate::report::{Peripheral, PeripheralRegister};
use crate::snapshot::MemoryImage;
use roxmltree::Node;
use std::collections::HashMap;

/// References behind references.
const LONGEST_CHAIN: usize = 8;
/// Clusters within each other.
const DEEPEST: usize = 8;
/// Children, or characters that are copied, that count as one look.
const SHARE: usize = 32;

/// One walk through a file. `'i` is the text, `'a` its tree.
pub(super) struct Walk<'a, 'i, 'm> {
    root: Node<'a, 'i>,
    memory: &'m MemoryImage,
    /// How much may still be looked at.
    steps: usize,
    peripherals: HashMap<&'a str, Node<'a, 'i>>,
    /// Lists of enumerated values that have a name.
    enumerations: Option<HashMap<&'a str, Node<'a, 'i>>>,
}

/// What registers inherit from what they stand in.
#[derive(Clone, Copy)]
struct Properties<'a> {
    size: u64,
    access: Option<&'a str>,
}

impl<'a> Properties<'a> {
    fn of(self, node: Node<'a, '_>) -> Properties<'a> {
        Properties {
            size: value(node, "size").unwrap_or(self.size),
            access: text(node, "access").or(self.access),
        }
    }
}

/// Where a walk stands.
struct Place<'a> {
    address: u64,
    prefix: String,
    properties: Properties<'a>,
    depth: usize,
}

impl<'a, 'i, 'm> Walk<'a, 'i, 'm> {
    pub(super) fn new(root: Node<'a, 'i>, memory: &'m MemoryImage) -> Walk<'a, 'i, 'm> {
        let mut peripherals = HashMap::new();
        for node in children(root, "peripherals").flat_map(|list| children(list, "peripheral")) {
            if let Some(name) = text(node, "name") {
                peripherals.entry(name).or_insert(node);
            }
        }
        Walk { root, memory, steps: MOST_STEPS, peripherals, enumerations: None }
    }

    pub(super) fn run(mut self) -> Decoded {
        let mut decoded = Decoded::default();
        let device = Properties { size: 32, access: None }.of(self.root);
        let lists = children(self.root, "peripherals");
        for node in lists.flat_map(|list| children(list, "peripheral")) {
            let chain = self.chain(node);
            let Some(base) = value(node, "baseAddress") else { continue };
            let properties = chain.iter().rev().fold(device, |from, node| from.of(*node));
            let find = |name| chain.iter().find_map(|node| children(*node, name).next());
            let Some(registers) = find("registers") else { continue };
            let description = chain.iter().find_map(|node| text(*node, "description"));
            for (name, distance) in elements(node) {
                if !self.step(node) || !self.copies(&name) {
                    break;
                }
                let address = base.wrapping_add(distance);
                let place = Place { address, prefix: String::new(), properties, depth: 0 };
                let mut found = Vec::new();
                self.registers(registers, &place, &mut found);
                found.sort_by_key(|register: &PeripheralRegister| register.address);
                if let (false, Ok(address)) = (found.is_empty(), u32::try_from(address)) {
                    decoded.peripherals.push(Peripheral {
                        name,
                        address: address.into(),
                        description: description.filter(|text| self.copies(text)).map(one_line),
                        registers: found,
                    });
                }
            }
        }
        decoded.peripherals.sort_by_key(|peripheral| peripheral.address);
        if self.steps == 0 {
            decoded.remarks.push("the SVD file is too large: not all of it was read".to_string());
        }
        decoded
    }

    /// Counts one look at `node`, by its children, all of which are passed over for each of its
    /// properties; false when there were too many.
    pub(super) fn step(&mut self, node: Node<'a, 'i>) -> bool {
        let children = node.children().count() / SHARE;
        self.steps = self.steps.saturating_sub(children.saturating_add(1));
        self.steps > 0
    }

    /// Counts `text`, which is copied; false when there was too much.
    pub(super) fn copies(&mut self, text: &str) -> bool {
        self.steps = self.steps.saturating_sub(text.len() / SHARE);
        self.steps > 0
    }

    /// The registers and clusters in `list`.
    fn registers(
        &mut self,
        list: Node<'a, 'i>,
        place: &Place<'a>,
        found: &mut Vec<PeripheralRegister>,
    ) {
        for node in list.children().filter(Node::is_element) {
            let kind = node.tag_name().name();
            if !matches!(kind, "register" | "cluster") {
                continue;
            }
            let base = self.derived(node, list);
            let Some(offset) =
                value(node, "addressOffset").or_else(|| value(base?, "addressOffset"))
            else {
                continue;
            };
            let inherited = base.map_or(place.properties, |base| place.properties.of(base));
            let properties = inherited.of(node);
            for (name, distance) in elements(node) {
                if !self.step(node) || !self.copies(&name) || !self.copies(&place.prefix) {
                    return;
                }
                let address = place.address.wrapping_add(offset).wrapping_add(distance);
                let name = format!("{}{name}", place.prefix);
                if kind == "register" {
                    found.extend(self.register(node, base, name, address, properties));
                } else if place.depth < DEEPEST {
                    let prefix = format!("{name}.");
                    let depth = place.depth.saturating_add(1);
                    let inner = Place { address, prefix, properties, depth };
                    let own = node.children().any(|child| child.has_tag_name("register"));
                    self.registers(base.filter(|_| !own).unwrap_or(node), &inner, found);
                }
            }
        }
    }

    fn register(
        &mut self,
        node: Node<'a, 'i>,
        base: Option<Node<'a, 'i>>,
        name: String,
        address: u64,
        properties: Properties<'a>,
    ) -> Option<PeripheralRegister> {
        // What reads give of a write-only register is not what was written.
        if matches!(properties.access, Some("write-only" | "writeOnce")) {
            return None;
        }
        let at = Address(u32::try_from(address).ok()?);
        let held = match properties.size {
            8 => self.memory.read_u8(at).ok()?.into(),
            16 => self.memory.read_u16(at).ok()?.into(),
            32 => self.memory.read_u32(at).ok()?,
            _ => return None,
        };
        let own = children(node, "fields").next().is_some();
        let described = base.filter(|_| !own).unwrap_or(node);
        let fields = field::decode(self, described, held.into());
        let description = text(node, "description").or_else(|| text(base?, "description"));
        let description = description.filter(|description| self.copies(description));
        Some(PeripheralRegister {
            name,
            address: at.into(),
            size: u8::try_from(properties.size).ok()?,
            value: held.into(),
            description: description.map(one_line),
            fields,
        })
    }

    /// What `node` is derived from: a neighbour in `list`, or a path from a peripheral on.
    pub(super) fn derived(
        &mut self,
        node: Node<'a, 'i>,
        list: Node<'a, 'i>,
    ) -> Option<Node<'a, 'i>> {
        let path = node.attribute("derivedFrom")?;
        let mut found = None;
        for other in list.children().filter(|other| other.tag_name() == node.tag_name()) {
            if !self.step(other) {
                return None;
            }
            if text(other, "name") == Some(path) && other != node {
                found = Some(other);
                break;
            }
        }
        found.or_else(|| self.by_path(path)).filter(|found| *found != node)
    }

    /// `TIM1.CH0.CCR`: a peripheral, then clusters, registers and fields by name.
    fn by_path(&mut self, path: &str) -> Option<Node<'a, 'i>> {
        let mut parts = path.split('.');
        let mut here = *self.peripherals.get(parts.next()?)?;
        for part in parts.take(DEEPEST) {
            let list = ["registers", "fields"].iter().find_map(|name| children(here, name).next());
            let list = list.unwrap_or(here);
            let mut next = None;
            for child in list.children().filter(Node::is_element) {
                if !self.step(child) {
                    return None;
                }
                if text(child, "name") == Some(part) {
                    next = Some(child);
                    break;
                }
            }
            here = next?;
        }
        Some(here)
    }

    /// A named list of enumerated values, by the last part of its path.
    pub(super) fn enumeration(&mut self, path: &str) -> Option<Node<'a, 'i>> {
        let root = self.root;
        let all = self.enumerations.get_or_insert_with(|| {
            let lists = root.descendants().filter(|node| node.has_tag_name("enumeratedValues"));
            lists.filter_map(|list| Some((text(list, "name")?, list))).collect()
        });
        all.get(path.rsplit('.').next()?).copied()
    }

    /// A peripheral and what it is derived from.
    fn chain(&self, node: Node<'a, 'i>) -> Vec<Node<'a, 'i>> {
        let mut chain = vec![node];
        while let Some(name) = chain.last().and_then(|last| last.attribute("derivedFrom")) {
            match self.peripherals.get(name) {
                Some(next) if chain.len() < LONGEST_CHAIN && !chain.contains(next) => {
                    chain.push(*next);
                }
                _ => break,
            }
        }
        chain
    }
}

fn children<'a, 'i: 'a>(
    node: Node<'a, 'i>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

/// Descriptions are wrapped and indented as the file is.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
