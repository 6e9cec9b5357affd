//! Paths: `~`, pipes, what is recorded, and errors that say which path is meant and who set it.

use image::GrayImage;
use selfsame_tests::{Ran, Running, Sandbox, TINY};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

/// A small run of one epoch on images without labels.
const FOLDER: &str = "--set dataset.name=ImageFolder --set train.self_supervision.encoder_name=resnet8 \
                      --set train.batch_size=8 --set scheduler.epochs=1 --set method.projection.hidden_dim=16 \
                      --set method.projection.output_dim=8 --set train.device=cpu --set preprocess.resize=16";

/// Draws two classes of small images below a folder of the sandbox.
fn draw(sandbox: &Sandbox, folder: &str) {
    for number in 0..48_u32 {
        let level =
            |x: u32, y: u32| image::Luma([((x * 31 + y * 17 + number * 7).wrapping_mul(2_654_435_761) >> 24) as u8]);
        let path = sandbox.path(&format!("{folder}/{}/{number}.png", if number % 2 == 0 { "a" } else { "b" }));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        GrayImage::from_fn(16, 16, level).save(path).unwrap();
    }
}

fn run_in(sandbox: &Sandbox, folder: &str, arguments: &str) -> Ran {
    std::fs::create_dir_all(sandbox.path(folder)).unwrap();
    Running::start(sandbox.command(arguments).current_dir(sandbox.path(folder))).finish()
}

fn piped(sandbox: &Sandbox, text: &str, arguments: &str) -> Ran {
    let mut child = sandbox.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    Ran::new(child.wait_with_output().unwrap())
}

fn record(run: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(run.join("run.json")).unwrap()).unwrap()
}

#[test]
fn a_tilde_is_the_home_folder_wherever_a_path_is_written() {
    // The sandbox is its own home folder.
    let sandbox = Sandbox::new();
    let train = format!("train {TINY} --set scheduler.epochs=1");
    sandbox.write("run.yaml", "train:\n  output_dir: ~/file\n");
    sandbox.run(&format!("{train} --set train.output_dir=~/set")).succeeded();
    sandbox.run(&format!("{train} --output-dir=~/flag")).succeeded();
    sandbox.run(&format!("{train} --config=~/run.yaml")).succeeded();
    let mut command = sandbox.command(&train);
    Running::start(command.env("SELFSAME_TRAIN__OUTPUT_DIR", "~/variable")).finish().succeeded();
    for folder in ["set", "flag", "file", "variable"] {
        assert!(sandbox.path(folder).join("run.json").exists(), "{folder}");
    }
    draw(&sandbox, "images");
    let places = "--set dataset.dataset_dir=~/images --set data.cache_dir=~/packed \
                  --set train.self_supervision.init=~/set/encoder.safetensors";
    let colour = "--set preprocess.expand_channels=true";
    run_in(&sandbox, "elsewhere", &format!("train {FOLDER} {places} {colour} --output-dir=~/all")).succeeded();
    run_in(&sandbox, "elsewhere", "embed ../all --split val --out=~/e.npy").succeeded();
    assert!(sandbox.path("packed").exists() && sandbox.path("e.npy").exists());
    run_in(&sandbox, "elsewhere", "train --resume=~/all").succeeded();
    assert!(!sandbox.path("~").exists() && sandbox.path("elsewhere").read_dir().unwrap().next().is_none());
    // Another user's home is not guessed at.
    sandbox.run(&format!("{train} --set train.output_dir=~other/x")).failed(2, &["train.output_dir", "another user"]);
}

#[test]
fn a_run_file_may_come_from_a_pipe() {
    let sandbox = Sandbox::new();
    let text = "x-shared: &epochs 1\ndataset: {name: shapes}\nscheduler: {epochs: *epochs}\n";
    piped(&sandbox, text, "config check --config /dev/stdin").succeeded();
    piped(&sandbox, "dataset: {name: shapes, colour: red}", "config check --config /dev/stdin")
        .failed(2, &["dataset.colour", "/dev/stdin:1"]);
    let ran = piped(&sandbox, text, &format!("train {TINY} --config /dev/stdin --output-dir run")).succeeded();
    assert_eq!(record(&sandbox.path("run"))["epochs"], 1, "{}", ran.stderr);
}

#[test]
fn files_that_extend_each_other_are_read_once_and_bounded() {
    let sandbox = Sandbox::new();
    sandbox.write("0.yaml", "dataset: {name: shapes}\n");
    for level in 1..=40 {
        let below = level - 1;
        sandbox.write(&format!("{level}.yaml"), &format!("extends: [{below}.yaml, {below}.yaml]\n"));
    }
    sandbox.run("config check --config 6.yaml").succeeded();
    let ran = sandbox.run("config check --config 40.yaml").failed(2, &["`extends`", "256"]);
    assert_eq!(ran.stderr.matches("256").count(), 1, "{}", ran.stderr);
}

#[test]
fn paths_are_recorded_from_the_root_and_a_run_is_used_from_any_folder() {
    let sandbox = Sandbox::new();
    draw(&sandbox, "start/images");
    draw(&sandbox, "start/mixed");
    let mix = "--set dataset.dataset_dir=images --set dataset.mix=[{name:\u{20}ImageFolder,dataset_dir:\u{20}mixed}]";
    let mut command = sandbox.command(&format!("train {FOLDER} --output-dir run"));
    for word in mix.split(" --set ").map(|word| word.trim_start_matches("--set ")) {
        command.args(["--set", word]);
    }
    std::fs::create_dir_all(sandbox.path("start")).unwrap();
    Running::start(command.current_dir(sandbox.path("start"))).finish().succeeded();
    let start = sandbox.path("start").canonicalize().unwrap();
    let paths = record(&sandbox.path("start/run"))["paths"].clone();
    for (key, written) in
        [("dataset.dataset_dir", "images"), ("dataset.mix.0.dataset_dir", "mixed"), ("train.output_dir", "run")]
    {
        let found = paths
            .as_array()
            .unwrap()
            .iter()
            .find(|path| path["key"] == key)
            .unwrap_or_else(|| panic!("{key}: {paths}"));
        assert_eq!(found["written"], written);
        assert_eq!(Path::new(found["absolute"].as_str().unwrap()).canonicalize().unwrap(), start.join(written));
    }
    run_in(&sandbox, "elsewhere", "evaluate ../start/run --split val --protocol knn").succeeded();
    run_in(&sandbox, "elsewhere", "embed ../start/run --split all --out e.npy").succeeded();
    run_in(&sandbox, "elsewhere", "train --config ../start/run/config.yaml --set scheduler.epochs=2 --resume")
        .succeeded();
    assert_eq!(record(&sandbox.path("start/run"))["epochs_done"], 2);
}

#[test]
fn an_error_about_a_path_names_the_path_and_who_set_it() {
    let sandbox = Sandbox::new();
    draw(&sandbox, "images");
    sandbox.write("run.yaml", "dataset:\n  dataset_dir: nowhere\n");
    sandbox.write("afile", "");
    let absolute = |name: &str| sandbox.path(name).canonicalize().unwrap_or(sandbox.path(name)).display().to_string();
    let by = |key: &str, set: &str| format!("`{key}` is {set}");
    let train = format!("train {FOLDER}");
    for (command, code, path, by) in [
        (format!("{train} --config run.yaml"), 3, "nowhere", by("dataset.dataset_dir", "nowhere (run.yaml:2:3)")),
        (
            "data verify --set dataset.name=ImageFolder --set dataset.dataset_dir=nowhere".into(),
            3,
            "nowhere",
            by("dataset.dataset_dir", "nowhere (--set dataset.dataset_dir=nowhere)"),
        ),
        (
            format!("{train} --set dataset.dataset_dir=images --set train.self_supervision.init=no.safetensors"),
            3,
            "no.safetensors",
            by("train.self_supervision.init", "no.safetensors (--set"),
        ),
        (
            format!("{train} --set dataset.dataset_dir=images --output-dir afile/run"),
            3,
            "afile/run",
            by("train.output_dir", "afile/run (--output-dir afile/run)"),
        ),
    ] {
        let ran = sandbox.run(&command);
        let named = sandbox.path(path).display().to_string();
        ran.failed(code, &[&named, &by]);
    }
    sandbox.run(&format!("{train} --set dataset.dataset_dir=images --output-dir run")).succeeded();
    std::fs::rename(sandbox.path("images"), sandbox.path("films")).unwrap();
    for command in ["evaluate run", "embed run --split val --out e.npy"] {
        sandbox.run(command).failed(3, &[&absolute("images"), "`dataset.dataset_dir`", "the run"]);
        sandbox
            .run(&format!("{command} --set dataset.dataset_dir=gone"))
            .failed(3, &["(--set dataset.dataset_dir=gone)"]);
    }
    sandbox.run("embed run --split val --out e.npy --set dataset.dataset_dir=films").succeeded();
}
