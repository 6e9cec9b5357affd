//! Why a name of a list is not that of any file, where it nearly is.

use crate::names;
use std::collections::HashMap;

/// What the first of the names that are missing nearly is: a name in another case, one whose leading zeros were lost, or one
/// with other folders before it; in words that begin with `; `, or nothing. Backslashes count as slashes.
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
    for missing in missing {
        let missing = missing.as_ref().replace('\\', "/");
        let missing = missing.trim_start_matches("./");
        let (known, what) = if let Some(known) = small.get(&missing.to_lowercase()) {
            (known, "differ in upper and lower case".to_owned())
        } else if let Some(known) = numbers.get(missing).or_else(|| numbers.get(stem(missing))) {
            let cause = "which programs for tables remove from numbers; keep the column as text";
            (known, format!("differ in leading zeros, {cause}"))
        } else if let Some(known) = ends.get(last(missing)) {
            (known, folders(missing, known))
        } else {
            continue;
        };
        return format!("; `{}` and `{}` {what}", names::shortened(missing), names::shortened(known));
    }
    String::new()
}

/// How two paths with the same file name differ.
fn folders(missing: &str, known: &str) -> String {
    let before = |long: &str, short: &str| {
        let prefix = long.strip_suffix(short).filter(|prefix| prefix.ends_with('/'))?;
        Some(names::shortened(prefix))
    };
    let what = "differ in the folders before the name";
    match (before(missing, known), before(known, missing)) {
        (Some(prefix), _) => format!("{what}: the list has `{prefix}` too much"),
        (_, Some(prefix)) => format!("{what}: the list lacks `{prefix}`"),
        (None, None) => what.to_owned(),
    }
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
            (".\\X\\a.PNG", "`X/a.PNG` and `x/a.png` differ in upper and lower case"),
            ("12", "`12` and `0012` differ in leading zeros"),
            ("12.dcm", "`12.dcm` and `0012.dcm` differ in leading zeros"),
            ("/data/y/a.png", "and `x/a.png` differ in the folders before the name"),
            ("C:\\data\\x\\a.png", "before the name: the list has `C:/data/` too much"),
            ("a.png", "before the name: the list lacks `x/`"),
            ("b.png", ""),
        ] {
            let said = nearly(&[missing], known);
            assert!(said.contains(part) && said.is_empty() == part.is_empty(), "{missing}: {said}");
        }
        let long = format!("x/{}.png", "a".repeat(150));
        assert!(nearly(&[long.to_uppercase()], [long.as_str()]).contains("differ in upper and lower case"));
    }
}
