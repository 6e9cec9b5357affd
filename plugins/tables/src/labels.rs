//! Labels in the one form in which they are compared.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// What programs write where there is no value, in small letters; pandas reads all of them as missing.
const MISSING: [&str; 14] = [
    "", "nan", "-nan", "na", "n/a", "none", "null", "<na>", "#n/a", "#na", "#n/a n/a", "-1.#ind", "1.#qnan", "-1.#qnan",
];

/// A cell without surrounding blanks and signs that nobody sees, whole numbers without a fraction (`1.0` and `1.00e+00` are `1`), `True` and `FALSE` in
/// small letters: programs write the same value in all these ways.
pub fn plain(text: &str) -> Cow<'_, str> {
    let text = text.trim_matches(is_unseen);
    if is_truth(text) {
        return text.to_ascii_lowercase().into();
    }
    whole(text).unwrap_or(text.into())
}

/// Blanks, and what shows nothing at all: zeros of C, joiners, marks of a byte order.
fn is_unseen(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\0' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// A whole number that is written with a point.
fn whole(text: &str) -> Option<Cow<'_, str>> {
    let (digits, fraction) = text.split_once('.')?;
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(digits.strip_prefix('-').unwrap_or(digits)) || !digits.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if let Some((fraction, _)) = fraction.split_once(['e', 'E']) {
        // Beyond, numbers are not exact.
        const LARGEST: f64 = (1u64 << 53) as f64;
        let number = text.parse::<f64>().ok().filter(|number| number.fract() == 0.0 && number.abs() <= LARGEST);
        return number.filter(|_| is_digits(fraction)).map(|number| (number as i64).to_string().into());
    }
    let is_zero = fraction.bytes().all(|byte| byte == b'0');
    is_zero.then(|| if digits == "-0" { "0" } else { digits }.into())
}

/// Whether a label says that there is none: an empty one, `nan`, `NA`, `N/A`, `None`, `null` and the like.
pub fn is_missing(label: &str) -> bool {
    MISSING.iter().any(|word| label.trim().eq_ignore_ascii_case(word))
}

/// Distinct labels in the order of classes: by value when all are numbers, else by name.
pub fn in_order<'l>(labels: impl IntoIterator<Item = &'l str>) -> Vec<String> {
    let distinct: BTreeSet<&str> = labels.into_iter().collect();
    let number = |label: &str| label.parse::<f64>().ok().filter(|number| number.is_finite());
    let numbers: Option<Vec<f64>> = distinct.iter().map(|label| number(label)).collect();
    let mut labels: Vec<(f64, &str)> = match numbers {
        Some(numbers) => numbers.into_iter().zip(distinct).collect(),
        None => distinct.into_iter().map(|label| (0.0, label)).collect(),
    };
    // Stable: labels of one value stay in the order of their names.
    labels.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    labels.into_iter().map(|(_, label)| label.to_owned()).collect()
}

fn is_truth(label: &str) -> bool {
    label.eq_ignore_ascii_case("true") || label.eq_ignore_ascii_case("false")
}

/// Whether labels, each in its plain form, write the same two values both as `true` or `false` and as 1 or 0.
pub fn have_both_truths<'l>(labels: impl IntoIterator<Item = &'l str>) -> bool {
    let (mut words, mut numbers) = (false, false);
    for label in labels {
        words |= is_truth(label);
        numbers |= matches!(label, "0" | "1");
    }
    words && numbers
}

/// 1 for `true` and 0 for `false`, in their plain form; any other label as it is.
pub fn truth_as_number(label: &str) -> &str {
    match label {
        "true" => "1",
        "false" => "0",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_form() {
        for (written, expected) in [
            (" 1.0", "1"),
            ("1\u{a0}", "1"),
            ("\u{feff}cat\u{200b}", "cat"),
            ("1\0", "1"),
            ("1.", "1"),
            ("-1.000", "-1"),
            ("-0.0", "0"),
            ("1.000000000000000000e+00", "1"),
            ("1.2e+01", "12"),
            ("1.5", "1.5"),
            ("1.25e+01", "1.25e+01"),
            ("1e5", "1e5"),
            ("TRUE", "true"),
            (" False ", "false"),
            ("007", "007"),
            ("v1.0", "v1.0"),
            ("1.2.0", "1.2.0"),
            ("1.x", "1.x"),
            (".0", ".0"),
            ("-.0", "-.0"),
            ("1.0e", "1.0e"),
            ("1.0e300", "1.0e300"),
            ("Normal", "Normal"),
            ("", ""),
        ] {
            assert_eq!(plain(written), expected);
        }
    }

    #[test]
    fn words_for_no_value_are_known_and_others_are_not_taken_for_them() {
        for label in ["", "  ", "nan", "NaN", "NA", "n/a", "None", "NULL", "<NA>", "#N/A"] {
            assert!(is_missing(label), "{label}");
        }
        for label in ["0", "no", "normal", "nana", "No Finding", "unknown", "-", "NAD"] {
            assert!(!is_missing(label), "{label}");
        }
    }

    #[test]
    fn classes_are_in_the_order_of_numbers_or_of_names() {
        for (labels, expected) in [
            (&["10", "9", "-1", "9"][..], &["-1", "9", "10"][..]),
            (&["2.5", "10", "1e1", "-0.5"], &["-0.5", "2.5", "10", "1e1"]),
            (&["10", "9", "x"], &["10", "9", "x"]),
            (&["inf", "2", "10"], &["10", "2", "inf"]),
        ] {
            assert_eq!(in_order(labels.iter().copied()), expected);
        }
    }

    #[test]
    fn truth_values_are_numbers_only_beside_0_or_1() {
        assert!(have_both_truths(["0", "1", "true"]));
        assert!(!have_both_truths(["false", "true"]) && !have_both_truths(["0", "1"]));
        assert!(!have_both_truths(["true", "2", "maybe"]));
        assert_eq!(["true", "false", "2"].map(truth_as_number), ["1", "0", "2"]);
    }
}
