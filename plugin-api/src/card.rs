//! Facts about a data set.

use crate::{option_specs, Normalization, OptionSpec, Split, Survey, Task};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Facts about a data set that are known without reading it. Crosses the boundary as JSON.
/// [`Card::new`] makes one, so that a field that comes later changes no plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Card {
    /// The name that users write in `dataset.name`.
    pub name: String,
    /// One sentence for lists.
    pub summary: String,
    /// Class names in label order; empty without labels.
    pub classes: Vec<String>,
    /// What the labels mean.
    pub task: Task,
    /// Channels of an image, at least 1. Operations on colours need 1 or 3.
    pub channels: usize,
    /// Bits of a channel value: 8 or 16 (unsigned integers), or 32 (float32 from 0 to 1).
    pub bit_depth: u8,
    /// Usual height and width in pixels.
    pub nominal_size: (usize, usize),
    /// Statistics for `augmentation.normalize: dataset`; none: pixels stay in 0–1.
    pub normalization: Option<Normalization>,
    /// The splits that [`Dataset::open`](crate::Dataset::open) takes.
    pub splits: Vec<Split>,
    /// Licence, or that none is stated.
    pub licence: String,
    /// What to cite.
    pub citation: String,
    /// The known keys of `dataset.options`.
    pub options: Vec<OptionSpec>,
    /// Those of them that say which samples there are, and how they are labelled, grouped and split; not how a file becomes
    /// pixels. Where new images are classified (`selfsame predict`), these are left out.
    #[serde(default)]
    pub sample_options: Vec<String>,
    /// Configuration values that suit this data set (a nested mapping in the schema of the run file); they rank below
    /// everything that the user writes.
    pub recommended: serde_json::Value,
    /// Whether the data set reads folders of users' own and can say how ([`Dataset::survey`](crate::Dataset::survey)).
    #[serde(default)]
    pub surveys: bool,
    /// What [`Dataset::survey`](crate::Dataset::survey) has found; the SDK fills it in when the host has asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survey: Option<Survey>,
}

impl Card {
    /// A data set without labels, of grey images of 32 × 32 pixels with 8 bits, with a training split only; what follows
    /// changes that. No licence is stated, and there is nothing to cite.
    ///
    /// ```
    /// use selfsame_plugin_api::{Card, Split, Task};
    ///
    /// let card = Card::new("leaves", "Leaves of ten trees")
    ///     .images(3, 8, (64, 64))
    ///     .classes(["oak", "beech", "lime"])
    ///     .splits([Split::Train, Split::Test])
    ///     .normalization([0.48, 0.51, 0.30], [0.21, 0.20, 0.19])
    ///     .licence("CC BY 4.0");
    /// assert_eq!(card.task, Task::Multiclass);
    /// ```
    pub fn new(name: &str, summary: &str) -> Self {
        Self {
            name: name.into(),
            summary: summary.into(),
            classes: Vec::new(),
            task: Task::None,
            channels: 1,
            bit_depth: 8,
            nominal_size: (32, 32),
            normalization: None,
            splits: vec![Split::Train],
            licence: "none stated".into(),
            citation: "none".into(),
            options: Vec::new(),
            sample_options: Vec::new(),
            recommended: serde_json::json!({}),
            surveys: false,
            survey: None,
        }
    }

    /// A data set that reads folders of users' own, and says what it finds in one: `selfsame init` asks it.
    #[must_use]
    pub fn surveys(self) -> Self {
        Self { surveys: true, ..self }
    }

    /// Channels, bits of a channel value (8, 16, or 32 for float32), and usual height and width.
    #[must_use]
    pub fn images(self, channels: usize, bit_depth: u8, nominal_size: (usize, usize)) -> Self {
        Self { channels, bit_depth, nominal_size, ..self }
    }

    /// Names of the classes in label order, one class a sample: a binary task where there are two, whose second one is
    /// positive; no labels where there is none.
    #[must_use]
    pub fn classes<T: Into<String>>(self, names: impl IntoIterator<Item = T>) -> Self {
        let classes: Vec<String> = names.into_iter().map(Into::into).collect();
        let task = match classes.len() {
            0 => Task::None,
            2 => Task::Binary,
            _ => Task::Multiclass,
        };
        Self { classes, task, ..self }
    }

    /// Names of labels of which any number may hold for a sample.
    #[must_use]
    pub fn labels<T: Into<String>>(self, names: impl IntoIterator<Item = T>) -> Self {
        Self { classes: names.into_iter().map(Into::into).collect(), task: Task::Multilabel, ..self }
    }

    /// Mean and deviation of each channel of the training split, of values scaled to 0–1; `selfsame data stats` measures
    /// them.
    #[must_use]
    pub fn normalization(self, mean: impl Into<Vec<f64>>, std: impl Into<Vec<f64>>) -> Self {
        Self { normalization: Some(Normalization { mean: mean.into(), std: std.into() }), ..self }
    }

    /// The splits that can be opened.
    #[must_use]
    pub fn splits(self, splits: impl Into<Vec<Split>>) -> Self {
        Self { splits: splits.into(), ..self }
    }

    /// The licence of the data.
    #[must_use]
    pub fn licence(self, licence: &str) -> Self {
        Self { licence: licence.into(), ..self }
    }

    /// What to cite.
    #[must_use]
    pub fn citation(self, citation: &str) -> Self {
        Self { citation: citation.into(), ..self }
    }

    /// The options of a struct; see [`option_specs`].
    #[must_use]
    pub fn options<T: JsonSchema>(self) -> Self {
        Self { options: option_specs::<T>(), ..self }
    }

    /// The options that say which samples there are and what is known of them, not how a file becomes pixels.
    #[must_use]
    pub fn sample_options<T: Into<String>>(self, names: impl IntoIterator<Item = T>) -> Self {
        Self { sample_options: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// Values of a run file that suit these images: a nested mapping.
    #[must_use]
    pub fn recommended(self, values: serde_json::Value) -> Self {
        Self { recommended: values, ..self }
    }
}
