//! Stray quotes in CSV files, and quotes behind blanks.

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Start,
    Plain,
    Quoted,
    /// Behind a quote that closes the cell, or is the first of two that stand for one.
    Closed,
    /// Behind blanks that follow a quote which closes the cell.
    Behind,
}

impl Place {
    /// Where the next byte leads; from a closed cell to a plain one, where text follows the quote that closes it.
    fn after(self, byte: u8, separator: u8) -> Self {
        match (self, byte) {
            (Place::Quoted, b'"') => Place::Closed,
            (Place::Closed, b'"') | (Place::Quoted, _) => Place::Quoted,
            (_, b'\n' | b'\r') => Place::Start,
            (_, byte) if byte == separator => Place::Start,
            (Place::Start, b'"') => Place::Quoted,
            (Place::Closed | Place::Behind, b' ' | b'\t') => Place::Behind,
            (Place::Start | Place::Plain | Place::Closed | Place::Behind, _) => Place::Plain,
        }
    }
}

/// The text without the blanks between a separator or the start of a line and a quote that begins a cell: the csv crate, as
/// RFC 4180 has it, takes a quote for one only where a cell begins. Behind blanks that is a quote which is closed where the cell
/// ends; where more text follows on its line (` "pale" film`), it is plain text, and the blanks stay.
pub fn without_blanks_before(text: Vec<u8>, separator: u8) -> Vec<u8> {
    let is_blank = |byte: u8| byte == b' ' || (byte == b'\t' && separator != b'\t');
    let mut kept = Vec::with_capacity(text.len());
    let mut place = Place::Start;
    // Where the blanks at the start of this cell begin in what is kept.
    let mut blanks = 0;
    for (at, &byte) in text.iter().enumerate() {
        let is_start = place == Place::Start;
        if is_start && byte == b'"' {
            if blanks < kept.len() && is_word(&text[at..], separator) {
                place = Place::Plain;
            } else {
                kept.truncate(blanks);
            }
        }
        kept.push(byte);
        place = match (place, byte) {
            (Place::Start, byte) if is_blank(byte) => Place::Start,
            (place, byte) => place.after(byte, separator),
        };
        if place == Place::Start && !(is_start && is_blank(byte)) {
            blanks = kept.len();
        }
    }
    kept
}

/// Whether text that begins with a quote goes on behind the quote that closes it, on the same line and in the same cell.
fn is_word(text: &[u8], separator: u8) -> bool {
    let mut place = Place::Start;
    for &byte in text.iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')) {
        place = place.after(byte, separator);
        if matches!(place, Place::Start | Place::Plain) {
            break;
        }
    }
    place == Place::Plain
}

/// The line on which a cell is opened by a quote and not closed by one before the next separator or the end of its line.
///
/// The csv crate takes whatever follows into such a cell, up to the end of the file, with all rows in between.
pub fn unclosed(text: &[u8], separator: u8) -> Option<u64> {
    let (mut line, mut opened) = (1, 1);
    let mut place = Place::Start;
    for &byte in text {
        let next = place.after(byte, separator);
        match (place, next) {
            (Place::Start, Place::Quoted) => opened = line,
            (Place::Closed | Place::Behind, Place::Plain) => return Some(opened),
            _ => {}
        }
        place = next;
        line += u64::from(byte == b'\n');
    }
    (place == Place::Quoted).then_some(opened)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_before_a_quote_are_taken_away_and_others_stay() {
        for (text, expected) in [
            ("a, \"b, c\"\n  \"d\",e", "a,\"b, c\"\n\"d\",e"),
            ("\"a,  \"\"b\"\"\", c \"d\"", "\"a,  \"\"b\"\"\", c \"d\""),
            ("  a,  b", "  a,  b"),
            ("a, \"pale\" film, \"b\"", "a, \"pale\" film,\"b\""),
            ("a, \"pale\" \"film\",b", "a, \"pale\" \"film\",b"),
            ("a, \"b\nc\" d", "a,\"b\nc\" d"),
            ("a, \"b\" ,c", "a,\"b\" ,c"),
        ] {
            assert_eq!(without_blanks_before(text.into(), b','), expected.as_bytes(), "{text}");
        }
        assert_eq!(without_blanks_before(b"a\t\t \"b\"".to_vec(), b'\t'), b"a\t\t\"b\"");
    }

    #[test]
    fn cells_that_are_closed_are_whole() {
        for text in [
            "",
            "a,b\n\"a\",b",
            "\"a,b\nc\",d\r\n",
            "\"say \"\"a\"\"\",b",
            "5\" wide, \"x\n",
            "\"\",\"\"\n",
            "\"a\" ,b",
        ] {
            assert_eq!(unclosed(text.as_bytes(), b','), None, "{text}");
        }
    }

    #[test]
    fn cells_that_go_on_are_told_by_the_line_of_their_quote() {
        for (text, line) in [
            ("a,b\nc,\"d\ne,f\n", 2),
            ("a,b\nc,\"", 2),
            ("a,b\nc,\"d\ne,f\ng,\"h\n", 2),
            ("a,b\n\"x\ny\",\"say \\\"z\\\"\"\n", 3),
            ("a,b\nc,\"\"\"\n", 2),
            ("\"pale\" \"film\",b\n", 1),
        ] {
            assert_eq!(unclosed(text.as_bytes(), b','), Some(line), "{text}");
        }
    }
}
