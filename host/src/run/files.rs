//! The names of the files in a run's folder.

/// The resolved configuration's file in a run's folder.
pub const CONFIG_FILE: &str = "config.yaml";
/// The record's file in a run's folder.
pub const RUN_FILE: &str = "run.json";
/// The list of samples that are skipped, by split; in a run's folder where there are any.
pub const DAMAGED_FILE: &str = "damaged.json";

/// What the embeddings look like, as the page draws it, and small copies of the images on it.
pub const GALLERY_FILE: &str = "gallery.json";
/// See [`GALLERY_FILE`].
pub const GALLERY_IMAGES: &str = "gallery.png";

/// Training images beside their random views, as the page shows them.
pub const VIEWS_FILE: &str = "views.json";

/// Everything measured, in a run's folder.
pub const METRICS_FILE: &str = "metrics.jsonl";

/// The trained encoder's file in a run's folder.
pub const ENCODER_FILE: &str = "encoder.safetensors";
