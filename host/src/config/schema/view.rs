//! Keys of the single views, and what they come to.

use super::augmentation::AugmentationConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Views of one kind: how many, how large, and what they do otherwise than `augmentation` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("x-overrides" = "AugmentationConfig"))]
pub struct ViewConfig {
    /// Views of this kind, in [1, 64].
    #[schemars(range(min = 1, max = 64))]
    pub count: usize,
    /// Side of these views in pixels, in [1, 16384]; without it, they are as large as `preprocess` says.
    #[schemars(range(min = 1, max = 16384))]
    pub size: Option<usize>,
    /// What these views do otherwise: keys of `augmentation`.
    #[serde(flatten)]
    pub settings: Map<String, Value>,
}

impl Default for ViewConfig {
    fn default() -> Self {
        Self { count: 1, size: None, settings: Map::new() }
    }
}

/// Views of one kind with all of their settings.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedView {
    /// The section that these views are stated in: `augmentation`, `augmentation.view2` or an entry of
    /// `augmentation.views`.
    pub section: String,
    /// The settings, without further views.
    pub settings: AugmentationConfig,
    /// Views of this kind.
    pub count: usize,
    /// Side of these views in pixels, where they state one.
    pub size: Option<usize>,
}

/// Settings of a view that are none.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct ViewError {
    /// The section that has them.
    pub section: String,
    reason: serde_json::Error,
}

impl AugmentationConfig {
    /// The views of an image, kind by kind: the entries of `views` laid over these settings; without entries these settings
    /// themselves, and `view2` laid over them.
    ///
    /// # Errors
    /// A key or a value that the schema does not have; loading a configuration has refused it before.
    pub fn resolved_views(&self) -> Result<Vec<ResolvedView>, ViewError> {
        let one = |section: String, settings: &Map<String, Value>, count, size| {
            let settings = self.with(settings).map_err(|reason| ViewError { section: section.clone(), reason })?;
            Ok(ResolvedView { section, settings, count, size })
        };
        if self.views.is_empty() {
            return Ok(vec![
                one("augmentation".into(), &Map::new(), 1, None)?,
                one("augmentation.view2".into(), &self.view2, 1, None)?,
            ]);
        }
        let entries = self.views.iter().enumerate();
        let entries = entries.map(|(place, ViewConfig { count, size, settings })| {
            one(format!("augmentation.views.{place}"), settings, *count, *size)
        });
        entries.collect()
    }

    /// These settings with others laid over them, of one view alone.
    fn with(&self, settings: &Map<String, Value>) -> Result<Self, serde_json::Error> {
        let common = Self { view2: Map::new(), views: Vec::new(), ..self.clone() };
        let mut values = serde_json::to_value(common)?;
        settings.iter().for_each(|(key, over)| lay_over(&mut values[key], over));
        serde_json::from_value(values)
    }
}

/// Replaces the values that `over` has, section by section.
fn lay_over(value: &mut Value, over: &Value) {
    match (value, over) {
        (Value::Object(values), Value::Object(over)) => {
            over.iter().for_each(|(key, over)| lay_over(values.entry(key).or_insert(Value::Null), over));
        }
        (value, over) => *value = over.clone(),
    }
}
