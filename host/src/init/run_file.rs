//! A run file whose every value has its reason beside it.

use serde_json::Value;
use std::fmt::Write;

/// Where a line of the file should end.
const WIDTH: usize = 110;

/// A key, its value and why.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    /// From the root.
    key: Vec<String>,
    value: Value,
    reason: String,
}

/// A run file in the making; keys stand in the order in which their sections were first named.
#[derive(Debug, Clone, Default)]
pub struct RunFile {
    head: Vec<String>,
    lines: Vec<Line>,
    /// `train.self_supervision.encoder_name`.
    pub encoder: String,
}

impl RunFile {
    /// An empty file for a run with this encoder.
    pub fn of(encoder: &str) -> Self {
        Self { encoder: encoder.to_owned(), ..Self::default() }
    }

    /// Adds a paragraph to the comment at the beginning.
    pub fn head(&mut self, text: impl Into<String>) {
        self.head.push(text.into());
    }

    /// Sets a dotted key; the reason is a sentence without a full stop.
    pub fn set(&mut self, key: &str, value: impl Into<Value>, reason: impl Into<String>) {
        self.set_at(key.split('.').map(str::to_owned).collect(), value.into(), reason.into());
    }

    /// Sets a key below `section` whose name may hold dots.
    pub fn set_below(&mut self, section: &str, name: &str, value: Value, reason: &str) {
        let key = section.split('.').map(str::to_owned).chain([name.to_owned()]).collect();
        self.set_at(key, value, reason.to_owned());
    }

    fn set_at(&mut self, key: Vec<String>, value: Value, reason: String) {
        self.lines.push(Line { key, value, reason });
    }

    /// The file.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for paragraph in &self.head {
            comment(&mut text, 0, paragraph);
        }
        section(&mut text, 0, &self.lines.iter().collect::<Vec<_>>());
        text
    }
}

/// Writes lines that have their first `depth` keys in common.
fn section(text: &mut String, depth: usize, lines: &[&Line]) {
    let mut names: Vec<&str> = Vec::new();
    for line in lines {
        if !names.contains(&line.key[depth].as_str()) {
            names.push(&line.key[depth]);
        }
    }
    for name in names {
        if depth == 0 {
            text.push('\n');
        }
        let own: Vec<&Line> = lines.iter().copied().filter(|line| line.key[depth] == name).collect();
        let indent = "  ".repeat(depth);
        match own.as_slice() {
            [line] if line.key.len() == depth + 1 => {
                let written = format!("{indent}{}: {}", scalar(&Value::from(name)), scalar(&line.value));
                let reason = in_one_line(&line.reason);
                let beside = format!("{written:<35} # {reason}");
                if beside.chars().count() <= WIDTH {
                    let _ = writeln!(text, "{beside}");
                } else {
                    comment(text, depth, &reason);
                    let _ = writeln!(text, "{written}");
                }
            }
            own => {
                let _ = writeln!(text, "{indent}{}:", scalar(&Value::from(name)));
                section(text, depth + 1, own);
            }
        }
    }
}

/// Writes a comment over as many lines as it takes.
fn comment(text: &mut String, depth: usize, comment: &str) {
    let begin = format!("{}#", "  ".repeat(depth));
    let mut line = begin.clone();
    for word in in_one_line(comment).split(' ') {
        if line.len() > begin.len() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{line}");
            line.clone_from(&begin);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

/// Names of files and columns come from elsewhere: none may end a comment.
fn in_one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}') { ' ' } else { c })
        .collect()
}

/// A value as YAML: words as they are where nothing else could be meant, anything else as JSON, which is YAML too.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(scalar).collect::<Vec<_>>().join(", ")),
        value => value.to_string(),
    }
}

/// Whether YAML reads the text as this text.
fn is_plain(text: &str) -> bool {
    const OTHERS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    begins
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && !OTHERS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_of_a_section_stand_together_with_their_reasons() {
        let mut file = RunFile::default();
        file.head("made for a test");
        file.set("dataset.name", "ImageFolder", "it reads 3 images");
        file.set("train.seed", 1, "any number");
        file.set_below("dataset.options", "a: b", json!("yes"), "a word that\nYAML takes for another");
        file.set("train.base_lr", 0.001, "long ".repeat(30).trim_end());
        let text = file.text();
        let expected = "# made for a test\n\ndataset:\n  name: ImageFolder                 # it reads 3 images\n  options:\n    \
                        \"a: b\": \"yes\"                   # a word that YAML takes for another\n\ntrain:\n";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.ends_with("\n  base_lr: 0.001\n"), "{text}");
    }

    #[test]
    fn only_words_that_mean_themselves_stand_without_quotes() {
        for (value, expected) in [
            (json!("resnet8"), "resnet8"),
            (json!("/data/my-films"), "/data/my-films"),
            (json!("/data/my films"), "\"/data/my films\""),
            (json!("No"), "\"No\""),
            (json!("12"), "\"12\""),
            (json!("a#b\n"), "\"a#b\\n\""),
            (json!([0.4, 1.0]), "[0.4, 1.0]"),
            (json!(true), "true"),
        ] {
            assert_eq!(scalar(&value), expected);
        }
    }
}
