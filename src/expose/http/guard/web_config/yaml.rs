//! YAML as far as a web configuration has it: mappings, lists and scalars, each with its line. No anchors, so nothing
//! refers to anything and a document is no larger than its text.

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

/// Deeper than any configuration is nested.
const DEPTH_MAX: usize = 8;

const NULLS: [&str; 5] = ["", "~", "null", "Null", "NULL"];

/// A value, and the line that it begins on.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    /// Nothing, `~`, `null`, `Null` or `NULL`.
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a mapping, its line, and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) node: Node,
}

/// Reads the one document that `text` is, or says in which line it is none.
pub(super) fn read(text: &str) -> Result<Node, String> {
    let mut reader = Reader { parser: Parser::new_from_str(text) };
    let mut document = None;
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => break,
            (Event::DocumentStart(_), line) => {
                let (event, at) = reader.next()?;
                if document.replace(reader.node(event, at, 0)?).is_some() {
                    return Err(format!("line {line}: a second document begins, and one is expected"));
                }
            }
            _ => {}
        }
    }
    Ok(document.unwrap_or(Node { line: 1, value: Value::Null }))
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, usize), String> {
        match self.parser.next_event() {
            None => Ok((Event::StreamEnd, 0)),
            Some(Ok((event, span))) => Ok((event, line(span))),
            Some(Err(error)) => Err(format!("line {}: no YAML: {}", error.marker().line(), error.info())),
        }
    }

    /// The node that `event` begins.
    fn node(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Node, String> {
        if depth > DEPTH_MAX {
            return Err(format!("line {line}: nested more than {DEPTH_MAX} deep"));
        }
        let value = match event {
            Event::Scalar(_, _, anchor, ref tag) if anchor > 0 || tag.is_some() => return Err(unserved(line)),
            Event::SequenceStart(anchor, ref tag) | Event::MappingStart(anchor, ref tag)
                if anchor > 0 || tag.is_some() =>
            {
                return Err(unserved(line));
            }
            Event::Scalar(text, ScalarStyle::Plain, ..) if NULLS.contains(&&*text) => Value::Null,
            Event::Scalar(text, ..) => Value::Scalar(text.into_owned()),
            Event::SequenceStart(..) => {
                let mut nodes = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Value::List(nodes),
                        (event, line) => nodes.push(self.node(event, line, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut entries: Vec<Entry> = Vec::new();
                loop {
                    match self.next()? {
                        (Event::MappingEnd, _) => break Value::Map(entries),
                        (event, line) => {
                            let entry = self.entry(event, line, depth)?;
                            if entries.iter().any(|earlier| earlier.key == entry.key) {
                                return Err(format!("line {line}: the key {} is given twice", entry.key));
                            }
                            entries.push(entry);
                        }
                    }
                }
            }
            _ => return Err(unserved(line)),
        };
        Ok(Node { line, value })
    }

    fn entry(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Entry, String> {
        let Event::Scalar(key, _, 0, None) = event else {
            return Err(format!("line {line}: a key that is not a word"));
        };
        let (event, at) = self.next()?;
        Ok(Entry { key: key.into_owned(), line, node: self.node(event, at, depth + 1)? })
    }
}

fn line(span: Span) -> usize {
    span.start.line()
}

fn unserved(line: usize) -> String {
    format!("line {line}: anchors, aliases and tags are not taken: write the value out")
}
