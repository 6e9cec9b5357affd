//! Splits by the words that are usual for them.

use selfsame_plugin_api::Split;

/// The split that a folder or a cell names, in any case.
pub fn by_name(name: &str) -> Option<Split> {
    match name.trim().to_ascii_lowercase().as_str() {
        "train" | "training" => Some(Split::Train),
        "val" | "valid" | "validation" | "dev" => Some(Split::Val),
        "test" | "testing" => Some(Split::Test),
        _ => None,
    }
}
