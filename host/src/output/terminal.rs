//! Text on its way to a terminal. Names and messages come from files, plugins and servers: what steers a terminal in them
//! is shown, not sent.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with control characters and those that change the direction of writing as `\u001b`, which is also how JSON
/// writes them. Line breaks and tabs stay.
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, |c| steers(c) && !matches!(c, '\n' | '\t'))
}

/// As [`shown`], in one line.
pub fn in_one_line(text: &str) -> Cow<'_, str> {
    escaped(text, steers)
}

/// As [`shown`], where each further line begins with a space, so that no name with a line break passes for another message.
pub fn message(text: &str) -> Cow<'_, str> {
    let text = shown(text);
    let breaks_out = |line: &str| !line.is_empty() && !line.starts_with(' ');
    if !text.lines().skip(1).any(breaks_out) {
        return text;
    }
    let mut lines = text.split('\n');
    let mut message = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        message.push_str(if breaks_out(line) { "\n  " } else { "\n" });
        message.push_str(line);
    }
    message.into()
}

fn steers(c: char) -> bool {
    // Embeddings, overrides and isolates of direction, and the separators of lines and paragraphs.
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_escaped) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_escaped(c) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown() {
        assert_eq!(shown("\x1b]0;pwned\x07\x1b[2Jbad.png"), r"\u001b]0;pwned\u0007\u001b[2Jbad.png");
        assert_eq!(shown("C1 \u{9b}31m, delete \x7f, return \r"), r"C1 \u009b31m, delete \u007f, return \u000d");
        assert_eq!(shown("gnp.\u{202e}exe \u{2066}\u{2028}"), r"gnp.\u202eexe \u2066\u2028");
        let own = "Ä × 鏡 שלום 👩‍🔬\n\ta line of ours";
        assert!(matches!(shown(own), Cow::Borrowed(text) if text == own));
        assert_eq!(in_one_line("a\nb\tc"), r"a\u000ab\u0009c");
    }

    #[test]
    fn escaped_json_means_the_same() {
        let value = serde_json::json!({"\u{9b}name": ["\u{202e}\x1b", "\x7f"]});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let safe = shown(&text);
        assert!(safe.contains(r"\u009bname") && safe.contains(r"\u202e\u001b"), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }

    #[test]
    fn no_further_line_of_a_message_looks_like_a_message() {
        assert_eq!(message("file a\r\nerror: fake: cannot be read"), "file a\\u000d\n  error: fake: cannot be read");
        let own = "2 problems:\n  one\n\n  two";
        assert!(matches!(message(own), Cow::Borrowed(text) if text == own));
    }
}
