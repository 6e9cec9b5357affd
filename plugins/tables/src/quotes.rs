//! Stray quotes in CSV files.

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Start,
    Plain,
    Quoted,
    /// Behind a quote that closes the cell, or is the first of two that stand for one.
    Closed,
}

/// The line on which a cell is opened by a quote and not closed by one before the next separator or the end of its line.
///
/// The csv crate takes whatever follows into such a cell, up to the end of the file, with all rows in between.
pub fn unclosed(text: &[u8], separator: u8) -> Option<u64> {
    let (mut line, mut opened) = (1, 1);
    let mut place = Place::Start;
    for &byte in text {
        place = match (place, byte) {
            (Place::Quoted, b'"') => Place::Closed,
            (Place::Closed, b'"') | (Place::Quoted, _) => Place::Quoted,
            (_, b'\n' | b'\r') => Place::Start,
            (_, byte) if byte == separator => Place::Start,
            (Place::Start, b'"') => {
                opened = line;
                Place::Quoted
            }
            (Place::Closed, b' ' | b'\t') => Place::Closed,
            (Place::Closed, _) => return Some(opened),
            (Place::Start | Place::Plain, _) => Place::Plain,
        };
        line += u64::from(byte == b'\n');
    }
    (place == Place::Quoted).then_some(opened)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert_eq!(unclosed(text.as_bytes(), b','), Some(line), "{text}");
        }
    }
}
