//! Trees of values: what is open, what is asked for, and the rows that this makes.

use crate::analysis::inspector::{Chain, Children, Item, Part};
use std::collections::BTreeMap;

/// Which of several trees a node is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forest {
    /// Arguments and locals of the selected frame.
    Frame,
    /// Globals and statics.
    Globals,
}

/// A node: the number of the root, then of the child at each level.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// Which tree.
    pub forest: Forest,
    /// The way from the root.
    pub steps: Vec<usize>,
}

/// Levels that can be opened within each other; a pointer may lead to itself.
const DEEPEST: usize = 64;

/// A value with what was opened below it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) item: Item,
    pub(super) open: bool,
    /// None until they were read.
    children: Option<Vec<Node>>,
    /// Number of the part behind those: equal elements share a child.
    next: u64,
    /// How many parts there are behind those.
    more: u64,
    /// How a list ended, when the children are its nodes.
    end: Option<String>,
}

/// What a row shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RowKind<'a> {
    /// A value.
    Value(&'a Node),
    /// The parts are being read.
    Reading,
    /// So many more parts can be read.
    More(u64),
    /// How a list ended.
    End(&'a str),
}

/// A row of the tree.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row<'a> {
    /// The way to the node; for other rows to the one they belong to.
    pub(super) steps: Vec<usize>,
    pub(super) depth: usize,
    pub(super) kind: RowKind<'a>,
}

/// What opening a row asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wanted {
    /// Nothing.
    Nothing,
    /// The parts of a value, from a number on.
    Parts(Part, u64),
}

impl Node {
    pub(super) fn new(item: Item) -> Node {
        Node { item, open: false, children: None, next: 0, more: 0, end: None }
    }

    /// Rows of this node and of what is open below it.
    pub(super) fn height(&self) -> usize {
        if !self.open {
            return 1;
        }
        let inside = match &self.children {
            None => 1,
            Some(children) => children
                .iter()
                .map(Node::height)
                .fold(usize::from(self.more > 0), usize::saturating_add)
                .saturating_add(usize::from(self.end.is_some())),
        };
        inside.saturating_add(1)
    }

    /// Adds the rows from `skip` on, `limit` at most, of this node and what is open below it.
    pub(super) fn rows<'a>(
        &'a self,
        steps: &mut Vec<usize>,
        skip: &mut usize,
        limit: usize,
        rows: &mut Vec<Row<'a>>,
    ) {
        let depth = steps.len().saturating_sub(1);
        let mut add =
            |depth: usize, steps: &[usize], kind: RowKind<'a>, skip: &mut usize| match skip
                .checked_sub(1)
            {
                Some(left) => *skip = left,
                None if rows.len() < limit => {
                    rows.push(Row { steps: steps.to_vec(), depth, kind });
                }
                None => {}
            };
        add(depth, steps, RowKind::Value(self), skip);
        if !self.open {
            return;
        }
        let inner = depth.saturating_add(1);
        let Some(children) = &self.children else {
            add(inner, steps, RowKind::Reading, skip);
            return;
        };
        for (index, child) in children.iter().enumerate() {
            if rows.len() >= limit {
                return;
            }
            let height = child.height();
            if *skip >= height {
                *skip = skip.saturating_sub(height);
                continue;
            }
            steps.push(index);
            child.rows(steps, skip, limit, rows);
            steps.pop();
        }
        let mut add = |kind: RowKind<'a>| match skip.checked_sub(1) {
            Some(left) => *skip = left,
            None if rows.len() < limit => {
                rows.push(Row { steps: steps.clone(), depth: inner, kind })
            }
            None => {}
        };
        if self.more > 0 {
            add(RowKind::More(self.more));
        }
        if let Some(end) = &self.end {
            add(RowKind::End(end));
        }
    }

    fn descend(&mut self, steps: &[usize]) -> Option<&mut Node> {
        match steps.split_first() {
            None => Some(self),
            Some((first, rest)) => self.children.as_mut()?.get_mut(*first)?.descend(rest),
        }
    }

    fn at(&self, steps: &[usize]) -> Option<&Node> {
        match steps.split_first() {
            None => Some(self),
            Some((first, rest)) => self.children.as_ref()?.get(*first)?.at(rest),
        }
    }
}

/// Roots by their number. Of many globals only those are here that were read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Nodes(BTreeMap<usize, Node>);

impl Nodes {
    pub(super) fn new(items: Vec<Item>) -> Nodes {
        Nodes(items.into_iter().map(Node::new).enumerate().collect())
    }

    pub(super) fn insert(&mut self, root: usize, item: Item) {
        self.0.entry(root).or_insert_with(|| Node::new(item));
    }

    pub(super) fn root(&self, root: usize) -> Option<&Node> {
        self.0.get(&root)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn roots(&self) -> impl Iterator<Item = usize> {
        self.0.keys().copied()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn at(&self, steps: &[usize]) -> Option<&Node> {
        let (root, rest) = steps.split_first()?;
        self.0.get(root)?.at(rest)
    }

    fn at_mut(&mut self, steps: &[usize]) -> Option<&mut Node> {
        let (root, rest) = steps.split_first()?;
        self.0.get_mut(root)?.descend(rest)
    }

    /// Opens the node at `steps`, or closes it.
    pub(super) fn toggle(&mut self, steps: &[usize]) -> Wanted {
        let Some(node) = self.at_mut(steps) else { return Wanted::Nothing };
        node.open = !node.open;
        let Some(part) = node.item.part.clone().filter(|_| steps.len() < DEEPEST) else {
            node.open = false;
            return Wanted::Nothing;
        };
        match node.open && node.children.is_none() {
            true => Wanted::Parts(part, 0),
            false => Wanted::Nothing,
        }
    }

    /// Asks for what is behind the parts that the node at `steps` has.
    pub(super) fn more(&self, steps: &[usize]) -> Wanted {
        let node = self.at(steps);
        let next = node.map_or(0, |node| node.next);
        match node.and_then(|node| node.item.part.clone()) {
            Some(part) => Wanted::Parts(part, next),
            None => Wanted::Nothing,
        }
    }

    /// Parts of the node at `steps` have come, from number `from` on.
    pub(super) fn fill(&mut self, steps: &[usize], from: u64, parts: Children) {
        let Some(node) = self.at_mut(steps) else { return };
        let children = node.children.get_or_insert_default();
        // The same question may have been asked twice.
        if node.next == from {
            children.extend(parts.items.into_iter().map(Node::new));
            (node.next, node.more) = (parts.next, parts.more);
        }
    }

    /// The nodes of the list behind the node at `steps` have come.
    pub(super) fn fill_chain(&mut self, steps: &[usize], chain: Chain) {
        let Some(node) = self.at_mut(steps) else { return };
        node.children = Some(chain.items.into_iter().map(Node::new).collect());
        node.more = 0;
        node.end = Some(chain.end);
        node.open = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Status;

    fn item(name: &str) -> Item {
        Item {
            name: name.into(),
            argument: false,
            type_name: "int".into(),
            address: None,
            size: Some(4),
            status: Status::Ok,
            text: "1".into(),
            number: None,
            target: None,
            part: None,
        }
    }

    fn open(children: Vec<Node>, more: u64) -> Node {
        Node { open: true, children: Some(children), more, ..Node::new(item("root")) }
    }

    fn rows_of(node: &Node, skip: usize, limit: usize) -> Vec<String> {
        let mut rows = Vec::new();
        node.rows(&mut vec![0], &mut { skip }, limit, &mut rows);
        let text = |row: &Row<'_>| match &row.kind {
            RowKind::Value(node) => format!("{}{}", row.depth, node.item.name),
            RowKind::Reading => format!("{}reading", row.depth),
            RowKind::More(more) => format!("{}more {more}", row.depth),
            RowKind::End(end) => format!("{}{end}", row.depth),
        };
        rows.iter().map(text).collect()
    }

    #[test]
    fn rows_are_those_of_what_is_open_and_any_window_of_them_can_be_had() {
        let inner = open(vec![Node::new(item("x")), Node::new(item("y"))], 0);
        let node = open(vec![Node::new(item("a")), inner, Node::new(item("b"))], 7);
        let all = rows_of(&node, 0, 100);
        assert_eq!(all, ["0root", "1a", "1root", "2x", "2y", "1b", "1more 7"]);
        assert_eq!(node.height(), all.len());
        for skip in 0..all.len() {
            for limit in 1..4 {
                let end = (skip + limit).min(all.len());
                assert_eq!(rows_of(&node, skip, limit), all[skip..end], "{skip} {limit}");
            }
        }
    }

    #[test]
    fn value_without_parts_does_not_open() {
        let mut nodes = Nodes::new(vec![item("a")]);
        assert_eq!(nodes.toggle(&[0]), Wanted::Nothing);
        assert_eq!(nodes.root(0).unwrap().height(), 1);
        assert_eq!(nodes.toggle(&[7, 3]), Wanted::Nothing);
    }

    #[test]
    fn page_that_comes_twice_counts_once() {
        let mut nodes = Nodes::new(vec![item("a")]);
        let page = || Children { items: vec![item("[0]"), item("[1..40]")], next: 41, more: 3 };
        nodes.fill(&[0], 0, page());
        nodes.fill(&[0], 0, page());
        let root = nodes.root(0).unwrap();
        assert_eq!((root.children.as_ref().unwrap().len(), root.more), (2, 3));
        nodes.fill(&[0], 41, Children { items: vec![item("[41]")], next: 42, more: 2 });
        let root = nodes.root(0).unwrap();
        assert_eq!((root.children.as_ref().unwrap().len(), root.more), (3, 2));
    }
}
