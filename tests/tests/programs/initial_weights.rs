//! Encoders that start from a file.

use safetensors::SafeTensors;
use selfsame_tests::{Sandbox, TINY};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// What another program makes of a tensor's name.
type Renaming<'a> = &'a dyn Fn(&str) -> String;

fn record(run: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(run.join("run.json")).unwrap()).unwrap()
}

#[test]
fn a_run_starts_where_the_file_ends_and_its_continuation_does_not_need_it() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir first")).succeeded();
    let weights = sandbox.path("given.safetensors");
    std::fs::copy(sandbox.path("first/encoder.safetensors"), &weights).unwrap();

    let second = format!("train {TINY} --set train.self_supervision.init=given.safetensors --output-dir second");
    let ran = sandbox.run(&format!("{second} --set scheduler.epochs=1")).succeeded();
    assert!(ran.stderr.contains("given.safetensors"), "{}", ran.stderr);
    let (first, second_record) = (record(&sandbox.path("first")), record(&sandbox.path("second")));
    let mut compared = 0;
    for (name, value) in first["metrics"].as_object().unwrap() {
        // What the closing measurement finds in the first run, the opening one finds in the second.
        if let Some(opening) = second_record["metrics"].get(format!("untrained/{name}")) {
            assert_eq!(opening, value, "{name}");
            compared += 1;
        }
    }
    assert!(compared >= 2, "{first} {second_record}");
    assert_eq!(first.get("init"), None);
    assert_eq!(second_record["init"]["path"], "given.safetensors");
    assert_eq!(second_record["init"]["sha256"].as_str().unwrap().len(), 64);

    std::fs::remove_file(&weights).unwrap();
    sandbox.run(&format!("{second} --set scheduler.epochs=2 --resume")).succeeded();
    assert_eq!(record(&sandbox.path("second"))["init"], second_record["init"]);
}

#[test]
fn weights_that_do_not_fit_end_the_run_before_it_begins() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir first")).succeeded();
    let train = |encoder: &str, file: &str, folder: &str| {
        let init = format!("--set train.self_supervision.init={file}");
        let encoder = format!("--set train.self_supervision.encoder_name={encoder}");
        sandbox.run(&format!("train {TINY} {encoder} {init} --output-dir {folder}"))
    };
    let file = "first/encoder.safetensors";
    train("resnet20", file, "a").failed(2, &[file, "it lacks", "layer1.1.conv1.weight", "encoder_name"]);
    train("resnet8", "absent.safetensors", "b").failed(3, &["absent.safetensors", "train.self_supervision.init"]);
    std::fs::write(sandbox.path("old.pth"), b"PK\x03\x04...").unwrap();
    let ran = train("resnet8", "old.pth", "c")
        .failed(3, &["old.pth", "python3 -c", "`train.self_supervision.init` is old.pth"]);
    // The line for a shell has nothing behind it.
    let line = ran.stderr.lines().find(|line| line.trim_start().starts_with("python3 -c")).unwrap();
    assert!(line.ends_with(" old.pth old.safetensors"), "{line}");
    for folder in ["a", "b", "c"] {
        assert!(!sandbox.path(folder).join("metrics.jsonl").exists(), "{folder}");
    }
}

/// The tensors of a file by name: shape and bytes.
fn tensors(file: &Path) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let bytes = std::fs::read(file).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    read.iter().map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), view.data().to_vec()))).collect()
}

/// A copy of a file whose names are given by `named`.
fn rename(from: &Path, to: &Path, named: &dyn Fn(&str) -> String) {
    let bytes = std::fs::read(from).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    let views: Vec<_> = read.iter().map(|(name, view)| (named(name), view)).collect();
    safetensors::serialize_to_file(views, None, to).unwrap();
}

#[test]
fn weights_of_other_programs_load_whatever_stands_before_their_names() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run")).succeeded();
    let (own, given, out) =
        (sandbox.path("run/encoder.safetensors"), sandbox.path("given.safetensors"), sandbox.path("out.safetensors"));
    let export = "export --init given.safetensors --config run/config.yaml --out out.safetensors --force";
    // resnet8 has three stages and no max-pooling, as lightly's small ResNets have none.
    let places = [("conv1", "0"), ("bn1", "1"), ("layer1", "2"), ("layer2", "3"), ("layer3", "4")];
    let in_a_row = |name: &str| {
        let (module, rest) = name.split_once('.').unwrap();
        let place = places.iter().find(|(known, _)| *known == module).unwrap().1;
        format!("backbone.{place}.{rest}")
    };
    let after = |prefix: &'static str| move |name: &str| format!("{prefix}{name}");
    let layouts: [(&str, Renaming); 9] = [
        ("InnerEye", &after("encoder.cnn_model.")),
        ("InnerEye's BYOL", &after("online_network.encoder.cnn_model.")),
        ("lightly", &in_a_row),
        ("Lightning", &after("state_dict.model.")),
        ("torch.compile", &after("model._orig_mod.")),
        ("MoCo", &after("module.encoder_q.")),
        ("DINO", &after("teacher.backbone.")),
        ("VISSL", &after("trunk.base_model._feature_blocks.")),
        ("solo-learn", &after("state_dict.backbone.")),
    ];
    for (program, named) in layouts {
        rename(&own, &given, named);
        sandbox.run(export).succeeded();
        assert_eq!(tensors(&out), tensors(&own), "{program}");
    }
    rename(&own, &given, &|name| format!("tower.image.{name}"));
    sandbox.run(export).failed(2, &["given.safetensors", "`tower.image.`", "init_prefix"]);
    sandbox.run(&format!("{export} --set train.self_supervision.init_prefix=tower.image")).succeeded();
    assert_eq!(tensors(&out), tensors(&own));
    sandbox
        .run("train --set train.self_supervision.init_prefix=x --set dataset.name=shapes")
        .failed(2, &["train.self_supervision.init_prefix", "names no file"]);
}

#[test]
fn given_weights_are_embedded_evaluated_and_exported_without_a_run() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run")).succeeded();
    std::fs::rename(sandbox.path("run/encoder.safetensors"), sandbox.path("given.safetensors")).unwrap();
    let mut yaml = std::fs::read_to_string(sandbox.path("run/config.yaml")).unwrap();
    yaml.push_str("# of the run\n");
    sandbox.write("own.yaml", &yaml);
    std::fs::copy(sandbox.path("given.safetensors"), sandbox.path("run/encoder.safetensors")).unwrap();
    let given = "--init given.safetensors --config own.yaml";
    for (of, name) in [("run", "run.npy"), (given, "given.npy")] {
        sandbox.run(&format!("embed {of} --split val --out {name}")).succeeded();
    }
    let bytes = |name: &str| std::fs::read(sandbox.path(name)).unwrap();
    assert_eq!(bytes("run.npy"), bytes("given.npy"));
    assert_eq!(bytes("run.csv"), bytes("given.csv"));
    let scores = |of: &str| -> Value {
        let ran = sandbox.run(&format!("evaluate {of} --split val --protocol knn --k 3 --json")).succeeded();
        serde_json::from_str::<Value>(&ran.stdout).unwrap()[0].clone()
    };
    let (of_run, of_given) = (scores("run"), scores(given));
    assert_eq!(of_run["metrics"], of_given["metrics"]);
    assert_eq!(of_run["weights"]["sha256"], of_given["weights"]["sha256"]);
    assert_eq!(
        (of_given["embedding"].as_str(), of_given["weights"]["file"].as_str()),
        (Some("the given weights"), Some("given.safetensors"))
    );
    sandbox.run(&format!("export {given} --out given.pt")).succeeded();
    assert!(!sandbox.path("evaluations").exists());
    for (arguments, parts) in [
        ("evaluate --init given.safetensors", &["--config"][..]),
        ("evaluate run --init given.safetensors --config own.yaml", &["--init"]),
        ("evaluate run --config own.yaml", &["--init"]),
        ("evaluate", &["RUN"]),
        ("evaluate --init given.safetensors --config own.yaml --untrained", &["--untrained"]),
        ("embed --init given.safetensors --config own.yaml --untrained --split val --out e.npy", &["--untrained"]),
        ("export run --out e.pt --set train.device=cpu", &["--set train.device=cpu"]),
    ] {
        sandbox.run(arguments).failed(2, parts);
    }
    let other = "embed --init given.safetensors --config own.yaml --set train.self_supervision.encoder_name=resnet20";
    sandbox.run(&format!("{other} --split val --out e.npy")).failed(2, &["--init", "it lacks", "encoder_name"]);
}

#[test]
fn a_runs_encoder_is_embedded_as_it_was_before_training() {
    let sandbox = Sandbox::new();
    let train = format!("train {TINY} --set scheduler.epochs=1");
    sandbox.run(&format!("{train} --output-dir run")).succeeded();
    let embedded = |of: &str, name: &str| {
        sandbox.run(&format!("embed {of} --split val --out {name}.npy")).succeeded();
        std::fs::read(sandbox.path(&format!("{name}.npy"))).unwrap()
    };
    let (before, after) = (embedded("run --untrained", "before"), embedded("run", "after"));
    assert_ne!(before, after);
    // A longer run of this seed begins at the same weights, and a run from given ones began at these.
    sandbox.run(&format!("{train} --set scheduler.epochs=2 --output-dir other")).succeeded();
    assert!(embedded("other --untrained", "other") == before);
    std::fs::copy(sandbox.path("run/encoder.safetensors"), sandbox.path("given.safetensors")).unwrap();
    let given = format!("{train} --set train.self_supervision.init=given.safetensors --output-dir second");
    sandbox.run(&given).succeeded();
    assert!(embedded("second --untrained", "second") == after);
}
