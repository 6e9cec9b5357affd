//! What is written, what is never replaced, and what happens when it cannot be written.

use selfsame_tests::{Running, Sandbox, TINY};
use serde_json::Value;

#[test]
fn a_diverged_encoder_ends_the_run_and_replaces_no_checkpoint() {
    let sandbox = Sandbox::new();
    let wild = "--set optimizer.name=sgd --set train.base_lr=1e6 --set scheduler.warmup_epochs=0";
    let ran = sandbox.run(&format!("train {TINY} {wild} --set scheduler.epochs=2 --output-dir run"));
    ran.failed(2, &["train.base_lr", "There is no checkpoint yet"]);
    assert!(!sandbox.path("run/encoder.safetensors").exists());
    let kept = std::fs::read_dir(sandbox.path("run/checkpoints")).map_or(0, |entries| entries.count());
    assert_eq!(kept, 0);
}

#[test]
fn what_most_likely_made_the_loss_infinite_is_named_and_what_is_saved_is_true() {
    let sandbox = Sandbox::new();
    let train = format!("train {TINY} --set scheduler.epochs=1");
    let ran = sandbox.run(&format!("{train} --set optimizer.weight_decay=1e30 --output-dir run"));
    ran.failed(2, &["`optimizer.weight_decay`, which is 1e+30 where", "There is no checkpoint yet"]);
    std::fs::remove_dir_all(sandbox.path("run")).unwrap();
    // Temperatures that nothing can be divided by are refused before anything is read.
    for set in ["1e-40", "1e-300", "0.0009"] {
        let ran = sandbox.run(&format!("{train} --set method.temperature={set} --output-dir run"));
        ran.failed(2, &["`method.temperature`", "at least 0.001"]);
        assert!(!sandbox.path("run").exists());
    }
    sandbox.run(&format!("{train} --output-dir run")).succeeded();
    let before = std::fs::read(sandbox.path("run/checkpoints/step-00000004/manifest.json")).unwrap();
    let ran = sandbox.run("train --resume run --set scheduler.epochs=2 --set train.base_lr=1e30");
    ran.failed(2, &["train.base_lr", "The last checkpoint is untouched"]);
    assert_eq!(std::fs::read(sandbox.path("run/checkpoints/step-00000004/manifest.json")).unwrap(), before);
}

#[test]
fn a_report_that_cannot_be_written_is_read_all_the_same() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run")).succeeded();
    std::fs::remove_file(sandbox.path("run/report.html")).unwrap();
    std::fs::create_dir(sandbox.path("run/report.html")).unwrap();
    let ran = sandbox.run("report run");
    assert!(ran.stdout.contains("completed, 1 of 1 epochs"), "{}", ran.stdout);
    let ran = ran.failed(3, &["report.html"]);
    for option in ["--resume", "--output-dir"] {
        assert!(!ran.stderr.contains(option), "{}", ran.stderr);
    }
}

#[test]
fn messages_that_nobody_can_read_end_no_run_and_a_lost_result_is_an_error() {
    let sandbox = Sandbox::new();
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let arguments = format!("train {TINY} --set scheduler.epochs=1 --output-dir run");
    let ran = Running::start(sandbox.command(&arguments).stderr(full())).finish().succeeded();
    assert!(ran.stdout.contains("trained"), "{}", ran.stdout);
    let ran = Running::start(sandbox.command("report run").stdout(full())).finish();
    ran.failed(3, &["standard output"]);
}

#[test]
fn what_a_run_made_is_replaced_only_when_asked() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run")).succeeded();
    sandbox.run("export run --out weights.safetensors").succeeded();
    sandbox.run("export run --out weights.safetensors").failed(2, &["weights.safetensors exists", "--force"]);
    sandbox.run("export run --out weights.safetensors --force").succeeded();
    sandbox.run("export run --out weights.bin").failed(2, &["weights.bin", ".safetensors or .pt"]);
    sandbox
        .run("export run --out nowhere/weights.pt --format safetensors")
        .failed(3, &["nowhere/weights.pt", "folder"]);
    std::fs::create_dir(sandbox.path("folder.pt")).unwrap();
    sandbox.run("export run --out folder.pt --force").failed(3, &["folder.pt"]);
    let left: Vec<_> = std::fs::read_dir(sandbox.path("")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".tmp")), "{left:?}");
    sandbox.run("evaluate nowhere").failed(3, &["nowhere", "name a run's folder"]);
    sandbox.run("report .").failed(3, &["holds no run"]);
}

#[test]
fn a_folder_for_timm_says_what_the_network_is_and_what_it_came_from() {
    let sandbox = Sandbox::new();
    let small = "--set scheduler.epochs=1 --set data.limit.train=16 --set data.limit.val=8 --set preprocess.resize=16";
    let train = |encoder: &str, more: &str| {
        let encoder_name = format!("--set train.self_supervision.encoder_name={encoder}");
        sandbox.run(&format!("train {TINY} {small} {encoder_name} {more} --output-dir {encoder}")).succeeded();
        format!("export {encoder} --format timm --out {encoder}-timm")
    };
    let export = train("vit_tiny_patch4_32", "--set encoder.options.pool=avg");
    sandbox.run(&export).succeeded();
    let read = |path: &str| std::fs::read_to_string(sandbox.path(path)).unwrap();
    let config: serde_json::Value = serde_json::from_str(&read("vit_tiny_patch4_32-timm/config.json")).unwrap();
    assert_eq!(config["architecture"], "vit_tiny_patch16_224");
    assert_eq!(config["model_args"], serde_json::json!({ "global_pool": "avg", "patch_size": 4 }));
    assert_eq!((&config["num_classes"], &config["num_features"]), (&0.into(), &192.into()));
    let expected = &config["pretrained_cfg"];
    assert_eq!(expected["input_size"], serde_json::json!([3, 16, 16]));
    assert_eq!((&expected["fixed_input_size"], &expected["crop_pct"]), (&true.into(), &1.0.into()));
    let record: serde_json::Value = serde_json::from_str(&read("vit_tiny_patch4_32/run.json")).unwrap();
    assert_eq!(
        (&expected["mean"], &expected["std"]),
        (&record["normalization"]["mean"], &record["normalization"]["std"])
    );
    let card = read("vit_tiny_patch4_32-timm/README.md");
    for part in ["trained with simclr on shapes", "1 of 1", "knn/val/accuracy", "Intended use and limits", "SHA-256"] {
        assert!(card.contains(part), "`{part}` is not in:\n{card}");
    }
    let weights = |path: &str| {
        let bytes = std::fs::read(sandbox.path(path)).unwrap();
        let read = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors: Vec<_> = read.tensors().into_iter().map(|(name, t)| (name, t.data().to_vec())).collect();
        tensors.sort();
        tensors
    };
    let exported = weights("vit_tiny_patch4_32-timm/model.safetensors");
    assert!(exported == weights("vit_tiny_patch4_32/encoder.safetensors"));
    sandbox.run(&export).failed(2, &["model.safetensors exists", "--force"]);

    // The stem for small images is not timm's.
    sandbox.run(&train("resnet18", "")).succeeded();
    let config: serde_json::Value = serde_json::from_str(&read("resnet18-timm/config.json")).unwrap();
    assert_eq!(config["architecture"], "resnet18_small_stem");
    let python = read("resnet18-timm/small_stem.py");
    for part in ["def resnet18_small_stem(", "create_model(\"resnet18\"", "get_submodule(\"conv1\")", "\"maxpool\""] {
        assert!(python.contains(part), "`{part}` is not in:\n{python}");
    }
    sandbox.run(&train("resnet8", "")).failed(2, &["timm has no network like encoder `resnet8`", "torchscript"]);
}

#[test]
fn the_page_draws_the_embeddings_and_shows_images_only_where_it_may() {
    for (more, has_images) in [("", true), ("--set train.report_images=false", false)] {
        let sandbox = Sandbox::new();
        sandbox.run(&format!("train {TINY} {more} --set scheduler.epochs=1 --output-dir run")).succeeded();
        let drawn: Value = serde_json::from_slice(&std::fs::read(sandbox.path("run/gallery.json")).unwrap()).unwrap();
        assert_eq!(drawn["points"].as_array().unwrap().len(), 40, "each validation image");
        let neighbours = drawn["queries"][0]["neighbours"].as_array().unwrap();
        let similarities: Vec<f64> = neighbours.iter().map(|neighbour| neighbour[1].as_f64().unwrap()).collect();
        assert!(similarities.len() == 6 && similarities.is_sorted_by(|a, b| a >= b), "{similarities:?}");
        assert_eq!(sandbox.path("run/gallery.png").exists(), has_images);
        let page = std::fs::read_to_string(sandbox.path("run/report.html")).unwrap();
        assert!(page.contains("<h2>Embeddings</h2>") && page.matches("<b ").count() == 80);
        for part in ["data:image/png;base64,", "Nearest neighbours", "<h2>Views</h2>"] {
            assert_eq!(page.contains(part), has_images, "{part}");
        }
        if has_images {
            // Four images, each as it is scored and in two views.
            assert_eq!(page.matches("<img ").count(), 12);
            let hidden = "--set train.report_images=false --set scheduler.epochs=2 --resume";
            sandbox.run(&format!("train {TINY} {hidden} --output-dir run")).succeeded();
            let page = std::fs::read_to_string(sandbox.path("run/report.html")).unwrap();
            assert!(!page.contains("base64,") && !sandbox.path("run/views.json").exists());
        }
    }
}

#[test]
fn images_without_labels_are_drawn_too() {
    let sandbox = Sandbox::new();
    selfsame_tests::bands::satellite(&sandbox.path("tiles"), 6, 12).unwrap();
    let unlabelled =
        TINY.replace("dataset.name=shapes --set dataset.options.train_size=64", "dataset.name=ImageFolder");
    let more = "--set dataset.dataset_dir=tiles --set dataset.options.unlabelled=true --set data.val_fraction=0.25 \
                --set augmentation.use_random_color=false --set scheduler.epochs=1 --set train.batch_size=6 --output-dir run";
    sandbox.run(&format!("train {unlabelled} {more}")).succeeded();
    let drawn: Value = serde_json::from_slice(&std::fs::read(sandbox.path("run/gallery.json")).unwrap()).unwrap();
    assert_eq!((drawn["points"].as_array().unwrap().len(), &drawn["classes"]), (6, &serde_json::json!([])));
    assert!(drawn["points"][0]["image"]["class"].is_null());
}

#[test]
fn pictures_that_cannot_be_written_cost_no_run() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("run/gallery.json")).unwrap();
    std::fs::create_dir_all(sandbox.path("run/views.json")).unwrap();
    let ran = sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run")).succeeded();
    for part in ["the embeddings cannot be drawn on the page", "the views cannot be drawn"] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    assert!(sandbox.path("run/encoder.safetensors").exists());
}

#[test]
fn broken_pictures_are_warned_of_and_the_report_goes_on() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("train {TINY} --set scheduler.epochs=1 --output-dir run")).succeeded();
    let (map, views) = (("map", "Embeddings"), ("views", "Views"));
    for (file, text, (what, title)) in
        [("run/gallery.json", "{", map), ("run/gallery.png", "no picture", map), ("run/views.json", "[]", views)]
    {
        let whole = std::fs::read(sandbox.path(file)).unwrap();
        sandbox.write(file, text);
        let ran = sandbox.run("report run").succeeded();
        let warning = format!("warning: the page shows no {what}");
        assert!(ran.stderr.contains(&warning) && ran.stderr.contains(file), "{}", ran.stderr);
        let page = std::fs::read_to_string(sandbox.path("run/report.html")).unwrap();
        assert!(page.contains("<h2>Curves</h2>") && !page.contains(&format!("<h2>{title}</h2>")));
        std::fs::write(sandbox.path(file), whole).unwrap();
    }
}

#[test]
fn tensorboard_gets_values_views_and_embeddings() {
    for (more, has_images) in [("", true), ("--set train.report_images=false", false)] {
        let sandbox = Sandbox::new();
        sandbox.run(&format!("train {TINY} {more} --set scheduler.epochs=1 --output-dir run")).succeeded();
        let events = std::fs::read_dir(sandbox.path("run")).unwrap().map(|entry| entry.unwrap().path());
        let events = events.into_iter().find(|path| path.to_str().unwrap().contains("tfevents")).unwrap();
        let bytes = std::fs::read(events).unwrap();
        let has = |part: &str| bytes.windows(part.len()).any(|window| window == part.as_bytes());
        for part in
            ["_hparams_/session_start_info", "train.batch_size", "_hparams_/session_end_info", "knn/val/accuracy"]
        {
            assert!(has(part), "{part}");
        }
        for part in ["train.output_dir", "data.cache_dir", "method.byol.", "knn.k"] {
            assert!(!has(part), "{part} decides nothing");
        }
        assert_eq!(has("PNG\r\n") && has("views"), has_images);
        let read = |file: &str| std::fs::read_to_string(sandbox.path("run").join(file)).unwrap();
        let rows: Vec<_> = read("projector/embeddings.tsv").lines().map(|line| line.split('\t').count()).collect();
        assert_eq!(rows, [64; 40], "each validation image");
        assert_eq!(read("projector/labels.tsv").lines().count(), 41);
        assert_eq!(read("projector_config.pbtxt").contains("gallery.png"), has_images);
    }
}
