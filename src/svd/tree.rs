//! Walks peripherals, clusters and registers.

use super::array::{elements, text, value};
use super::{Found, MOST_STEPS};
use crate::base::Address;
use roxmltree::Node;
use std::collections::HashMap;

/// References behind references.
const LONGEST_CHAIN: usize = 8;
/// Clusters within each other.
const DEEPEST: usize = 8;
/// Children, or characters that are copied, that count as one look.
const SHARE: usize = 32;

/// One walk through a file. `'i` is the text, `'a` its tree.
pub(super) struct Walk<'a, 'i> {
    root: Node<'a, 'i>,
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
    read_action: Option<&'a str>,
}

impl<'a> Properties<'a> {
    fn of(self, node: Node<'a, '_>) -> Properties<'a> {
        Properties {
            size: value(node, "size").unwrap_or(self.size),
            access: text(node, "access").or(self.access),
            read_action: text(node, "readAction").or(self.read_action),
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

/// A register that a walk comes to.
pub(super) struct Register<'a, 'i> {
    /// With the names of its clusters before it.
    pub(super) name: String,
    pub(super) address: Address,
    /// Bits: 8, 16 or 32.
    pub(super) size: u8,
    /// Whether reading it changes something.
    pub(super) read_action: bool,
    node: Node<'a, 'i>,
    base: Option<Node<'a, 'i>>,
}

impl<'a, 'i> Register<'a, 'i> {
    /// What its fields stand in.
    pub(super) fn described(&self) -> Node<'a, 'i> {
        let own = children(self.node, "fields").next().is_some();
        self.base.filter(|_| !own).unwrap_or(self.node)
    }

    pub(super) fn description(&self) -> Option<&'a str> {
        text(self.node, "description").or_else(|| text(self.base?, "description"))
    }
}

impl<'a, 'i> Walk<'a, 'i> {
    pub(super) fn new(root: Node<'a, 'i>) -> Walk<'a, 'i> {
        let mut peripherals = HashMap::new();
        for node in children(root, "peripherals").flat_map(|list| children(list, "peripheral")) {
            if let Some(name) = text(node, "name") {
                peripherals.entry(name).or_insert(node);
            }
        }
        Walk { root, steps: MOST_STEPS, peripherals, enumerations: None }
    }

    /// Whether not all of the file was looked at.
    pub(super) fn was_cut(&self) -> bool {
        self.steps == 0
    }

    /// Every peripheral, by address, with what `take` makes of its registers that can be read.
    pub(super) fn run<T>(
        &mut self,
        mut take: impl FnMut(&mut Walk<'a, 'i>, Register<'a, 'i>) -> Option<T>,
    ) -> Vec<Found<T>> {
        let mut peripherals = Vec::new();
        let device = Properties { size: 32, access: None, read_action: None }.of(self.root);
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
                self.registers(registers, &place, &mut |walk, register| {
                    let address = register.address;
                    found.extend(take(walk, register).map(|taken| (address, taken)));
                });
                found.sort_by_key(|(address, _)| *address);
                let registers: Vec<T> = found.into_iter().map(|(_, taken)| taken).collect();
                if let Ok(address) = u32::try_from(address) {
                    // What is not taken is not described.
                    let text = description.filter(|_| !registers.is_empty());
                    let description = text.filter(|text| self.copies(text)).map(one_line);
                    let address = Address(address);
                    peripherals.push(Found { name, address, description, registers });
                }
            }
        }
        peripherals.sort_by_key(|peripheral| peripheral.address);
        peripherals
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
        take: &mut dyn FnMut(&mut Walk<'a, 'i>, Register<'a, 'i>),
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
                    if let Some(register) = register(node, base, name, address, properties) {
                        take(self, register);
                    }
                } else if place.depth < DEEPEST {
                    let prefix = format!("{name}.");
                    let depth = place.depth.saturating_add(1);
                    let inner = Place { address, prefix, properties, depth };
                    let own = node.children().any(|child| child.has_tag_name("register"));
                    self.registers(base.filter(|_| !own).unwrap_or(node), &inner, take);
                }
            }
        }
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

/// The register of `node`, unless what reads give of it is not what was written.
fn register<'a, 'i>(
    node: Node<'a, 'i>,
    base: Option<Node<'a, 'i>>,
    name: String,
    address: u64,
    properties: Properties<'a>,
) -> Option<Register<'a, 'i>> {
    if matches!(properties.access, Some("write-only" | "writeOnce")) {
        return None;
    }
    let address = Address(u32::try_from(address).ok()?);
    let size = u8::try_from(properties.size).ok().filter(|size| matches!(size, 8 | 16 | 32))?;
    let mut register = Register { name, address, size, read_action: false, node, base };
    let mut fields = children(register.described(), "fields").flat_map(|f| children(f, "field"));
    register.read_action =
        properties.read_action.is_some() || fields.any(|f| text(f, "readAction").is_some());
    Some(register)
}

fn children<'a, 'i: 'a>(
    node: Node<'a, 'i>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

/// Descriptions are wrapped and indented as the file is.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
