//! One mapping of a configuration: what is read of it is taken out, and what is left over is unknown.

use super::yaml::{Entry, Node, Value};

/// A mapping, with the path of keys that leads to it.
#[derive(Debug)]
pub(super) struct Section {
    path: String,
    /// Where it begins.
    line: usize,
    entries: Vec<Entry>,
    /// What has been taken out, and its line.
    taken: Vec<(String, usize)>,
    /// What was asked for, to tell what could be there.
    known: Vec<String>,
}

impl Section {
    /// The mapping that `node` is, or an empty one in the place of nothing.
    pub(super) fn new(node: Node, path: &str) -> Result<Self, String> {
        let entries = match node.value {
            Value::Map(entries) => entries,
            Value::Null => Vec::new(),
            _ if path.is_empty() => return Err(format!("line {}: no keys with values", node.line)),
            _ => return Err(format!("line {}: {path} is to have keys of its own", node.line)),
        };
        Ok(Self { path: path.to_owned(), line: node.line, entries, taken: Vec::new(), known: Vec::new() })
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The keys that are there.
    pub(super) fn names(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.key.clone()).collect()
    }

    fn take(&mut self, name: &str) -> Option<Node> {
        self.known.push(name.to_owned());
        let index = self.entries.iter().position(|entry| entry.key == name)?;
        let Entry { line, node, .. } = self.entries.swap_remove(index);
        self.taken.push((name.to_owned(), line));
        Some(node)
    }

    /// The section `name`.
    pub(super) fn section(&mut self, name: &str) -> Result<Option<Self>, String> {
        let path = self.path_of(name);
        self.take(name).map(|node| Self::new(node, &path)).transpose()
    }

    /// The scalar `name`.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name) {
            None | Some(Node { value: Value::Null, .. }) => Ok(None),
            Some(Node { value: Value::Scalar(text), .. }) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "is to be one value")),
        }
    }

    /// The scalar `name`, as a truth: in the words that YAML 1.1 has for these, and no others.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, String> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match &*text {
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "y" | "Y" | "on" | "On" | "ON" => Ok(Some(true)),
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "n" | "N" | "off" | "Off" | "OFF" => Ok(Some(false)),
            _ => Err(self.wrong(name, &format!("is {text:?}: allowed are true and false"))),
        }
    }

    /// The list of scalars `name`; an empty one where it has no value.
    pub(super) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, String> {
        let nodes = match self.take(name) {
            None => return Ok(None),
            Some(Node { value: Value::Null, .. }) => Vec::new(),
            Some(Node { value: Value::List(nodes), .. }) => nodes,
            Some(_) => return Err(self.wrong(name, "is to be a list")),
        };
        let text = |node: Node| match node.value {
            Value::Scalar(text) => Ok(text),
            _ => Err(self.wrong(name, "is to be a list of single values")),
        };
        nodes.into_iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// What is wrong with `name`, to be told to the user.
    pub(super) fn wrong(&self, name: &str, what: &str) -> String {
        let line = self.taken.iter().find(|(taken, _)| taken == name).map_or(self.line, |(_, line)| *line);
        format!("line {line}: {} {what}", self.path_of(name))
    }

    /// Refuses what nobody has asked for.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        self.entries.sort_by_key(|entry| entry.line);
        let Some(Entry { key, line, .. }) = self.entries.first() else { return Ok(()) };
        let known = self.known.join(", ");
        Err(format!("line {line}: {} is no known key: allowed are {known}", self.path_of(key)))
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}
