//! Why a name of a list is not that of any file, where it nearly is.

use crate::names;
use std::collections::HashMap;

/// What the first of the names that are missing nearly is: a name in another case, one whose leading zeros were lost, or the
/// end of one; in words that begin with `; `, or nothing.
pub fn nearly<'a>(missing: &[impl AsRef<str>], known: impl IntoIterator<Item = &'a str>) -> String {
    let mut small: HashMap<String, &str> = HashMap::new();
    let mut numbers: HashMap<String, &str> = HashMap::new();
    let mut ends: HashMap<&str, &str> = HashMap::new();
    for name in known {
        small.entry(name.to_lowercase()).or_insert(name);
        ends.entry(last(name)).or_insert(name);
        for form in [name, last(name), stem(last(name))] {
            if form.starts_with('0') {
                numbers.entry(form.trim_start_matches('0').to_owned()).or_insert(form);
            }
        }
    }
    for missing in missing.iter().map(AsRef::as_ref) {
        let advice = if let Some(known) = small.get(&missing.to_lowercase()) {
            Some((known, "in upper and lower case"))
        } else if let Some(known) = numbers.get(missing).or_else(|| numbers.get(stem(missing))) {
            Some((known, "in leading zeros, which programs for tables remove from numbers; keep the column as text"))
        } else {
            ends.get(last(missing)).map(|known| (known, "in the folders before the name"))
        };
        if let Some((known, what)) = advice {
            let (missing, known) = (names::shortened(missing), names::shortened(known));
            return format!("; `{missing}` and `{known}` differ {what}");
        }
    }
    String::new()
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_between_a_listed_name_and_a_file_is_said() {
        let known = ["x/a.png", "x/0012.dcm"];
        for (missing, part) in [
            ("x/A.PNG", "`x/A.PNG` and `x/a.png` differ in upper and lower case"),
            ("12", "`12` and `0012` differ in leading zeros"),
            ("12.dcm", "`12.dcm` and `0012.dcm` differ in leading zeros"),
            ("/data/y/a.png", "and `x/a.png` differ in the folders before the name"),
            ("b.png", ""),
        ] {
            let said = nearly(&[missing], known);
            assert!(said.contains(part) && said.is_empty() == part.is_empty(), "{missing}: {said}");
        }
    }
}
