//! Checks what plugins say about themselves before anything relies on it.

use selfsame_encoder_api::EncoderCard;
use selfsame_plugin_api::{Card, Normalization, Task};
use std::collections::HashSet;
use std::hash::Hash;

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
    if card.channels == 0 {
        return Err("card: 0 channels, expected at least 1".into());
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
