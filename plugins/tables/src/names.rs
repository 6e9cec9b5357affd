//! Naming things in messages: the nearest known word, and the first few of many.

/// The word of `known` that is closest to `word`, where one is close at all.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let small = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&small, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// ``; did you mean `…`?``, or nothing.
pub fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map(|candidate| format!("; did you mean `{candidate}`?")).unwrap_or_default()
}

/// The first few names, each shortened, and how many more there are.
pub fn some_of<T: AsRef<str>>(names: &[T]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{}`", shortened(name.as_ref()))).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A text of at most 120 characters on one line; a damaged file may hold any amount of it.
pub fn shortened(text: &str) -> String {
    const LONGEST: usize = 120;
    let printable = |character: char| if character.is_control() { ' ' } else { character };
    let mut short: String = text.chars().take(LONGEST).map(printable).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

/// `1 image`, `3 images`.
pub fn count(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_not_several() {
        assert_eq!([0, 1, 2].map(|number| count(number, "image")), ["0 images", "1 image", "2 images"]);
    }

    #[test]
    fn the_nearest_word_is_named_and_a_strange_one_is_not() {
        assert_eq!(nearest("finding labels", ["Image Index", "Finding Labels"]), Some("Finding Labels"));
        assert_eq!(nearest("xyz", ["Image Index", "Finding Labels"]), None);
    }

    #[test]
    fn long_lists_and_texts_are_cut() {
        assert_eq!(some_of(&["a", "b"]), "`a`, `b`");
        assert_eq!(some_of(&["a", "b", "c", "d", "e", "f", "g"]), "`a`, `b`, `c`, `d`, `e` and 2 more");
        assert_eq!(shortened(&"é\n".repeat(200)).chars().count(), 121);
    }
}
