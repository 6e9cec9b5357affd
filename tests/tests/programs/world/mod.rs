//! Several processes on this machine compute what one computes, and end together.

mod cards;
mod ends;
mod equal;

use selfsame_tests::{Running, Sandbox, metrics};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Four steps of 16 images in two epochs, with batch norm; what is measured is small.
const TINY: &str = "--set dataset.name=shapes --set dataset.options.train_size=36 --set data.limit.train=32 \
                    --set data.limit.val=20 --set train.self_supervision.encoder_name=resnet8 \
                    --set train.batch_size=16 --set method.projection.hidden_dim=16 --set method.projection.output_dim=8 \
                    --set train.device=cpu --set knn.k=5 --set scheduler.epochs=2 --set optimizer.name=sgd \
                    --set train.base_lr=0.1 --set optimizer.lr_scaling=none --set train.collective_timeout=60";

fn start(sandbox: &Sandbox, processes: usize, run: &str, more: &str) -> Running {
    sandbox.start(&format!("train {TINY} {more} --output-dir {run} --processes {processes}"))
}

fn train(sandbox: &Sandbox, processes: usize, run: &str, more: &str) -> PathBuf {
    start(sandbox, processes, run, more).finish().succeeded();
    sandbox.path(run)
}

/// What is measured, by step, event and name, without times.
fn measured(run: &Path) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for line in metrics(run) {
        for (name, value) in line["metrics"].as_object().expect("metrics") {
            if !name.starts_with("throughput/") {
                all.insert(format!("{} {} {name}", line["step"], line["event"]), value.as_f64().unwrap_or(f64::NAN));
            }
        }
    }
    all
}
