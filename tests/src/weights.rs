//! The numbers that a run leaves, and how far those of two runs are apart.

use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folder of a run's newest checkpoint.
pub fn newest_checkpoint(run: &Path) -> PathBuf {
    let checkpoints = std::fs::read_dir(run.join("checkpoints")).expect("checkpoints");
    checkpoints.map(|entry| entry.expect("an entry").path()).max().expect("a checkpoint")
}

/// All float tensors of the newest checkpoint: weights, running statistics, networks that follow, queues, optimiser, head.
pub fn state(run: &Path) -> BTreeMap<String, Vec<f32>> {
    let mut all = BTreeMap::new();
    for group in ["model", "optimizer", "head"] {
        let Ok(bytes) = std::fs::read(newest_checkpoint(run).join(format!("{group}.safetensors"))) else { continue };
        for (name, tensor) in SafeTensors::deserialize(&bytes).expect("a safetensors file").tensors() {
            if tensor.dtype() == Dtype::F32 {
                let values = tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                all.insert(format!("{group} {name}"), values.collect());
            }
        }
    }
    all
}

/// The largest difference of two runs' states, over max(1, |w|), and where it is.
pub fn difference(one: &Path, other: &Path) -> (f64, String) {
    let (one, other) = (state(one), state(other));
    assert!(one.keys().eq(other.keys()));
    let mut worst = (0.0, String::new());
    for (name, values) in &one {
        assert_eq!(values.len(), other[name].len(), "{name}");
        for (a, b) in values.iter().zip(&other[name]) {
            let relative = f64::from((a - b).abs() / a.abs().max(1.0));
            assert!(relative.is_finite(), "{name}: {a} and {b}");
            if relative > worst.0 {
                worst = (relative, name.clone());
            }
        }
    }
    worst
}
