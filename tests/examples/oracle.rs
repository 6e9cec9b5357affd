//! `cargo run --release -p selfsame-tests --example oracle -- record FILE` trains tiny runs on one thread and writes what came of
//! them: a SHA-256 of the encoder's tensors, and every metric but those of time. `compare FILE` trains them again and
//! names what is not the same to the last bit; metrics that the file lacks are counted, not compared.
//!
//! A change that only moves code keeps all of it. It compares two builds on one machine: another processor adds in
//! another order.

use safetensors::SafeTensors;
use selfsame_tests::rsna::{Labels, write};
use selfsame_tests::{Sandbox, metrics};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

/// Trained in all variants.
const METHODS: [&str; 4] = ["simclr", "byol", "barlow_twins", "vicreg"];
/// Trained in the first two variants.
const FURTHER: [&str; 5] = ["simsiam", "moco_v2", "moco_v3", "dino", "lejepa"];

const COMMON: &str = "\
train:
  batch_size: 16
  device: cpu
  self_supervision: {encoder_name: resnet8}
scheduler: {epochs: 2}
method:
  projection: {hidden_dim: 16, output_dim: 8}
  byol: {predictor_hidden_dim: 16}
  simsiam: {predictor_hidden_dim: 16}
  moco_v2: {queue_size: 40}
  moco_v3: {predictor_hidden_dim: 16}
  dino: {prototypes: 32}
  lejepa: {directions: 16}
knn: {k: 5}
data: {limit: {val: 20}}
";
const SHAPES: &str = "dataset: {name: shapes, options: {train_size: 64}}\n";
const MIXTURE: &str = "\
dataset:
  name: shapes
  options: {train_size: 64}
  weight: 1
  mix: [{name: shapes, options: {train_size: 32, seed: 4}, weight: 3}]
";
const OWN_HEAD: &str = "linear_head: {batch_size: 7, dataset: {name: shapes, options: {train_size: 40, seed: 9}}}\n";
const FILMS: &str = "\
dataset: {name: RSNAKaggle, dataset_dir: films, options: {bit_depth: 16}}
preprocess: {resize: 32, center_crop_size: 32}
";

/// What a run is beside the method: its configuration, and values on top of it.
const VARIANTS: [(&str, [&str; 2], &str); 6] = [
    ("plain", [SHAPES, ""], ""),
    ("pieces", [SHAPES, ""], "--set train.micro_batch_size=8"),
    ("averaged", [SHAPES, ""], "--set train.encoder_ema_decay=0.9"),
    ("own-head", [SHAPES, OWN_HEAD], ""),
    ("mixture", [MIXTURE, ""], ""),
    ("films", [FILMS, ""], ""),
];

/// The values of one run by name.
type Outcome = BTreeMap<String, String>;

fn train(method: &str, (variant, sections, more): (&str, [&str; 2], &str)) -> Outcome {
    let sandbox = Sandbox::new();
    if variant == "films" {
        write(&sandbox.path("films"), 60, 48, Labels::Subjects, 0).expect("films");
    }
    sandbox.write("run.yaml", &format!("{}{}{COMMON}", sections[0], sections[1]));
    let type_ = format!("--set train.self_supervision.type={method}");
    sandbox.run(&format!("train --config run.yaml --output-dir run {type_} {more}")).succeeded();
    let mut outcome = Outcome::new();
    outcome.insert("encoder".into(), tensors(&sandbox.path("run/encoder.safetensors")));
    for line in metrics(&sandbox.path("run")) {
        for (name, value) in line["metrics"].as_object().expect("metrics") {
            if !name.starts_with("throughput/") {
                outcome.insert(format!("step {} {} {name}", line["step"], line["event"]), value.to_string());
            }
        }
    }
    outcome
}

/// A SHA-256 of all names, shapes and bytes.
fn tensors(path: &Path) -> String {
    let file = std::fs::read(path).expect("encoder.safetensors");
    let mut tensors = SafeTensors::deserialize(&file).expect("a safetensors file").tensors();
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut hash = Sha256::new();
    for (name, tensor) in tensors {
        hash.update(format!("{name} {:?} {:?}\n", tensor.dtype(), tensor.shape()));
        hash.update(tensor.data());
    }
    base16ct::lower::encode_string(&hash.finalize())
}

fn all() -> BTreeMap<String, Outcome> {
    let pairs = METHODS.into_iter().flat_map(|method| VARIANTS.map(|variant| (method, variant)));
    let further = FURTHER.into_iter().flat_map(|method| [(method, VARIANTS[0]), (method, VARIANTS[1])]);
    pairs.chain(further).map(|(method, variant)| (format!("{method} {}", variant.0), train(method, variant))).collect()
}

/// What differs, a line each.
fn differences(before: &BTreeMap<String, Outcome>, now: &BTreeMap<String, Outcome>) -> Vec<String> {
    let mut lines = Vec::new();
    for (run, values) in before {
        let empty = Outcome::new();
        let values_now = now.get(run).unwrap_or(&empty);
        let changed = values.iter().filter(|(name, value)| values_now.get(*name) != Some(value));
        lines.extend(changed.map(|(name, value)| {
            let found = values_now.get(name).map_or("nothing", String::as_str);
            format!("{run}: {name} was {value}, is {found}")
        }));
    }
    lines
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["record", file] => {
            let now = all();
            let text = serde_json::to_string_pretty(&now).expect("strings as JSON");
            std::fs::write(file, text).expect("the file can be written");
            println!("{} runs are recorded in {file}", now.len());
            ExitCode::SUCCESS
        }
        ["compare", file] => {
            let text = std::fs::read_to_string(file).expect("the file can be read");
            let before: BTreeMap<String, Outcome> = serde_json::from_str(&text).expect("a file that `record` wrote");
            let now = all();
            let different = differences(&before, &now);
            different.iter().for_each(|line| println!("{line}"));
            let count = |runs: &BTreeMap<String, Outcome>| runs.values().map(BTreeMap::len).sum::<usize>();
            println!("{} runs, {} values: {} differ", before.len(), count(&before), different.len());
            println!("{} values are there now", count(&now));
            if different.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        _ => {
            eprintln!("usage: oracle record FILE, or oracle compare FILE");
            ExitCode::from(2)
        }
    }
}
