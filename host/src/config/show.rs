//! Writes a configuration as YAML.

use super::error::{ConfigError, Problem};
use super::load::Resolved;
use super::node::{Node, Plain, resolve};
use super::schema::Config;
use super::yaml;
use std::fmt::Write;

/// Column at which a comment starts, where the value leaves room for it.
const COMMENT_COLUMN: usize = 44;

/// The configuration as YAML that loads again, each value with its origin as a comment.
///
/// # Errors
/// When a path is not UTF-8.
pub fn show(resolved: &Resolved) -> Result<String, ConfigError> {
    write(&resolved.config, &|path| resolved.origins.get(path).map(ToString::to_string))
}

/// The configuration as YAML that loads to an equal one.
///
/// # Errors
/// When a path is not UTF-8.
pub fn to_yaml(config: &Config) -> Result<String, ConfigError> {
    write(config, &|_| None)
}

/// The configuration in the order of the schema: JSON keeps the order of the fields, and is YAML.
pub(super) fn ordered(config: &Config) -> Result<Node, ConfigError> {
    let json = serde_json::to_string(config).map_err(|e| Problem::Conversion(e.to_string()))?;
    let node = yaml::parse(&json).map_err(|e| Problem::Conversion(e.message))?;
    node.ok_or_else(|| Problem::Conversion("it is empty".into()).into())
}

fn write(config: &Config, comment: &dyn Fn(&str) -> Option<String>) -> Result<String, ConfigError> {
    let mut out = String::new();
    section(&ordered(config)?, "", 0, comment, &mut out);
    Ok(out)
}

fn section(node: &Node, path: &str, depth: usize, comment: &dyn Fn(&str) -> Option<String>, out: &mut String) {
    let Node::Map(entries) = node else { return };
    for entry in entries {
        let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
        let mut line = format!("{:1$}{2}:", "", 2 * depth, scalar(&entry.key, false));
        if matches!(&entry.value, Node::Map(inner) if !inner.is_empty()) {
            out.push_str(&line);
            out.push('\n');
            section(&entry.value, &path, depth + 1, comment, out);
            continue;
        }
        line.push(' ');
        line.push_str(&flow(&entry.value));
        match comment(&path) {
            Some(comment) => {
                let comment: String = comment.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                let width = COMMENT_COLUMN.max(line.chars().count() + 2);
                out.push_str(&line);
                out.extend(std::iter::repeat_n(' ', width - line.chars().count()));
                let _ = writeln!(out, "# {comment}");
            }
            None => {
                out.push_str(&line);
                out.push('\n');
            }
        }
    }
}

/// A value on one line.
pub(super) fn flow(node: &Node) -> String {
    match node {
        Node::Scalar { text, plain } => scalar(text, *plain),
        Node::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Node::Map(entries) => {
            let inner: Vec<_> =
                entries.iter().map(|e| format!("{}: {}", scalar(&e.key, false), flow(&e.value))).collect();
            format!("{{{}}}", inner.join(", "))
        }
    }
}

/// A scalar, quoted unless it is `plain` or reads as the same text without quotes.
fn scalar(text: &str, plain: bool) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_-./+".contains(c);
    let starts = |c: char| c.is_ascii_alphanumeric() || "_./".contains(c);
    let same = resolve(text) == Plain::Text(text.into()) && text.starts_with(starts) && text.chars().all(bare);
    if plain || same {
        return text.into();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            c if c.is_alphanumeric() => quoted.push(c),
            c => {
                let _ = write!(quoted, "\\U{:08X}", c as u32);
            }
        }
    }
    quoted.push('"');
    quoted
}
