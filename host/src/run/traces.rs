//! How to tell that a folder holds a run, or what is left of one.

use super::checkpoint::CHECKPOINTS_DIR;
use super::files::{ENCODER_FILE, METRICS_FILE, RUN_FILE};
use std::fs;
use std::path::Path;

/// Whether another run in this folder would replace something of an earlier one: its record, a checkpoint, its weights or
/// what it measured.
pub fn holds_run(folder: &Path) -> bool {
    let has_checkpoints = fs::read_dir(folder.join(CHECKPOINTS_DIR)).is_ok_and(|mut entries| entries.next().is_some());
    let has_metrics = fs::metadata(folder.join(METRICS_FILE)).is_ok_and(|file| file.len() > 0);
    has_checkpoints || has_metrics || [RUN_FILE, ENCODER_FILE].iter().any(|name| folder.join(name).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_run_leaves_marks_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path(CHECKPOINTS_DIR)).unwrap();
        fs::write(path(METRICS_FILE), "").unwrap();
        fs::write(path("notes.txt"), "mine").unwrap();
        assert!(!holds_run(dir.path()), "a start that came to nothing");
        for name in [RUN_FILE, ENCODER_FILE, METRICS_FILE, "checkpoints/step-00000001"] {
            fs::write(path(name), "{}").unwrap();
            assert!(holds_run(dir.path()), "{name}");
            fs::remove_file(path(name)).unwrap();
        }
    }
}
