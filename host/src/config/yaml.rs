//! YAML with positions: one document, no key twice, anchors and `<<` allowed.

use super::node::{Entry, Mark, Node};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use std::collections::BTreeMap;

/// The deepest nesting read.
const MAX_DEPTH: usize = 64;
/// The most values read, aliases counted each time they stand for something.
const MAX_NODES: usize = 100_000;

/// Why a text is not YAML that is understood here.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SyntaxError {
    pub mark: Mark,
    pub message: String,
}

impl From<ScanError> for SyntaxError {
    fn from(error: ScanError) -> Self {
        Self { mark: mark(error.marker()), message: format!("not valid YAML: {}", error.info()) }
    }
}

/// Reads a text of at most one document; none when it has no value at all.
pub(super) fn parse(text: &str) -> Result<Option<Node>, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { parser: Parser::new_from_str(text), anchors: BTreeMap::new(), left: MAX_NODES };
    let mut document = None;
    while let Some(next) = reader.parser.next() {
        let (event, span) = next?;
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            Event::DocumentStart(_) if document.is_some() => {
                return refuse(&span, "a second document; a file holds one");
            }
            Event::DocumentStart(_) => {
                let (event, span) = reader.next()?;
                document = Some(reader.node(event, &span, 0)?);
            }
            _ => return refuse(&span, "not valid YAML: a value outside of a document"),
        }
    }
    Ok(document)
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: BTreeMap<usize, Node>,
    left: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), SyntaxError> {
        match self.parser.next() {
            Some(next) => Ok(next?),
            None => Err(SyntaxError { mark: Mark { line: 1, column: 1 }, message: "the text ends too early".into() }),
        }
    }

    /// The value that `event` starts.
    fn node(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node, SyntaxError> {
        if depth > MAX_DEPTH {
            return refuse(span, "nested too deeply");
        }
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.as_deref(), span)?;
                (Node::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                if !tag.as_deref().is_some_and(is_python_tuple) {
                    refuse_tag(tag.as_deref(), span)?;
                }
                (self.list(depth)?, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), span)?;
                (self.map(depth)?, anchor)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => {
                    self.spend(node.size(), span)?;
                    return Ok(node);
                }
                None => return refuse(span, "an alias inside of what it stands for"),
            },
            _ => return refuse(span, "not valid YAML: expected a value"),
        };
        self.spend(1, span)?;
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn spend(&mut self, nodes: usize, span: &Span) -> Result<(), SyntaxError> {
        match self.left.checked_sub(nodes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => refuse(span, "too many values for a configuration"),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Node, SyntaxError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Node::List(items));
            }
            items.push(self.node(event, &span, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Node, SyntaxError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let (key, plain) = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, style, ..) => (text.into_owned(), style == ScalarStyle::Plain),
                _ => return refuse(&span, "a key has to be a word"),
            };
            let (event, value_span) = self.next()?;
            let value = self.node(event, &value_span, depth + 1)?;
            if plain && key == "<<" {
                merged.extend(merge_sources(value, &span)?);
                continue;
            }
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let line = first.mark.map_or(0, |mark| mark.line);
                return refuse(&span, &format!("the key `{key}` a second time; it is already on line {line}"));
            }
            entries.push(Entry { key, mark: Some(mark(&span.start)), value });
        }
        for entry in merged {
            if entries.iter().all(|known| known.key != entry.key) {
                entries.push(entry);
            }
        }
        Ok(Node::Map(entries))
    }
}

/// The entries that a `<<` brings, those that win first.
fn merge_sources(value: Node, span: &Span) -> Result<Vec<Entry>, SyntaxError> {
    match value {
        Node::Map(entries) => Ok(entries),
        Node::List(items) => {
            let mut all = Vec::new();
            for item in items {
                match item {
                    Node::Map(entries) => all.extend(entries),
                    _ => return refuse(span, "`<<` takes a mapping or a list of mappings"),
                }
            }
            Ok(all)
        }
        Node::Scalar { .. } => refuse(span, "`<<` takes a mapping or a list of mappings"),
    }
}

/// `!!python/tuple`, which yacs writes.
fn is_python_tuple(tag: &Tag) -> bool {
    tag.suffix.ends_with("python/tuple")
}

fn refuse_tag(tag: Option<&Tag>, span: &Span) -> Result<(), SyntaxError> {
    match tag {
        Some(tag) => refuse(span, &format!("the tag {tag}; values are written without tags")),
        None => Ok(()),
    }
}

fn refuse<T>(span: &Span, message: &str) -> Result<T, SyntaxError> {
    Err(SyntaxError { mark: mark(&span.start), message: message.into() })
}

fn mark(marker: &Marker) -> Mark {
    Mark { line: marker.line(), column: marker.col() + 1 }
}
