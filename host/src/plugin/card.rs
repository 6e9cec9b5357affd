//! Checks what plugins say about themselves before anything relies on it.

use selfsame_encoder_api::EncoderCard;
use selfsame_plugin_api::{Card, Normalization, Task};
use std::collections::HashSet;
use std::hash::Hash;

/// The most channels of an image that are believed. Hyperspectral cameras have several hundred; whoever states more has
/// confused channels with something else, and sums of each channel would not fit into memory.
const MAX_CHANNELS: usize = 4096;

pub(super) fn is_unique<T: Eq + Hash>(items: impl IntoIterator<Item = T>) -> bool {
    let mut seen = HashSet::new();
    items.into_iter().all(|item| seen.insert(item))
}

fn check_recommended(recommended: &serde_json::Value) -> Result<(), String> {
    match recommended.is_object() || recommended.is_null() {
        true => Ok(()),
        false => Err(format!("card: `recommended` is `{recommended}`, expected a mapping")),
    }
}

fn check_name(card: &str, asked: &str) -> Result<(), String> {
    if card == asked { Ok(()) } else { Err(format!("card: its name is `{card}`")) }
}

/// Checks a data set's card.
pub(super) fn check(card: &Card, name: &str) -> Result<(), String> {
    check_name(&card.name, name)?;
    check_recommended(&card.recommended)?;
    if !(1..=MAX_CHANNELS).contains(&card.channels) {
        return Err(format!("card: {} channels, expected 1 to {MAX_CHANNELS}", card.channels));
    }
    if ![8, 16, 32].contains(&card.bit_depth) {
        return Err(format!("card: bit depth {}, expected 8, 16 or 32 (float32)", card.bit_depth));
    }
    if card.nominal_size.0 == 0 || card.nominal_size.1 == 0 {
        return Err(format!("card: nominal size {:?}, expected positive numbers", card.nominal_size));
    }
    if card.splits.is_empty() || !is_unique(&card.splits) {
        return Err(format!("card: splits {:?}, expected at least one, each once", card.splits));
    }
    let (classes, expected) = match card.task {
        Task::None => (card.classes.is_empty(), "no classes"),
        Task::Binary => (card.classes.len() == 2, "2 classes"),
        Task::Multiclass => (card.classes.len() >= 2, "at least 2 classes"),
        Task::Multilabel => (!card.classes.is_empty(), "at least 1 class"),
    };
    if !classes || !is_unique(&card.classes) {
        let count = card.classes.len();
        return Err(format!("card: {count} classes for task {:?}, expected {expected} with distinct names", card.task));
    }
    card.normalization.as_ref().map_or(Ok(()), |statistics| check_normalization(statistics, card.channels))
}

fn check_normalization(Normalization { mean, std }: &Normalization, channels: usize) -> Result<(), String> {
    let mean_is_right = mean.len() == channels && mean.iter().all(|value| value.is_finite());
    let std_is_right = std.len() == channels && std.iter().all(|value| value.is_finite() && *value > 0.0);
    if mean_is_right && std_is_right {
        return Ok(());
    }
    Err(format!(
        "card: normalization mean {mean:?}, std {std:?}; expected {channels} finite values each, and positive std"
    ))
}

/// Checks an encoder's card.
pub(super) fn check_encoder(card: &EncoderCard, name: &str) -> Result<(), String> {
    check_name(&card.name, name)?;
    check_recommended(&card.recommended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use selfsame_plugin_api::Split;

    #[test]
    fn each_broken_promise_of_a_card_is_named() {
        let right = || Card::new("x", "").images(3, 8, (4, 4)).classes(["a", "b"]).splits([Split::Train]);
        let values = |mean: [f64; 3], std: [f64; 3]| right().normalization(mean, std);
        let task = |task: Task, classes: &[&str]| {
            let mut card = right().classes(classes.iter().copied());
            card.task = task;
            card
        };
        assert_eq!(check(&right(), "x"), Ok(()));
        assert_eq!(check(&right().images(4096, 32, (1, 1)), "x"), Ok(()));
        for (card, expected) in [
            (Card::new("y", "").images(3, 8, (4, 4)).splits([Split::Train]), "its name is `y`"),
            (right().images(0, 8, (4, 4)), "0 channels, expected 1 to 4096"),
            (right().images(usize::MAX, 8, (4, 4)), "18446744073709551615 channels, expected 1 to 4096"),
            (right().images(3, 12, (4, 4)), "bit depth 12, expected 8, 16 or 32"),
            (right().images(3, 8, (0, 4)), "nominal size (0, 4)"),
            (right().splits(Vec::new()), "expected at least one, each once"),
            (right().splits([Split::Train, Split::Train]), "expected at least one, each once"),
            (task(Task::Binary, &[]), "0 classes for task Binary, expected 2 classes"),
            (task(Task::Binary, &["a", "b", "c"]), "3 classes for task Binary, expected 2 classes"),
            (task(Task::Multiclass, &["a", "b", "a"]), "3 classes for task Multiclass"),
            (task(Task::Multilabel, &[]), "expected at least 1 class"),
            (values([f64::NAN, 0.0, 0.0], [1.0; 3]), "expected 3 finite values each"),
            (values([0.0; 3], [1.0, 0.0, 1.0]), "positive std"),
            (right().normalization([0.5], [0.5]), "expected 3 finite values each"),
            (right().recommended(serde_json::json!(["a"])), "expected a mapping"),
        ] {
            let reason = check(&card, "x").unwrap_err();
            assert!(reason.contains(expected), "{reason}");
        }
    }
}
