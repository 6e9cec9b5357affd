//! The plugins that the documents show as examples.

use selfsame_tests::{Sandbox, repository, test_plugin};
use std::path::Path;

/// IDX files of 16 × 16 gratings, four of each patient.
fn write_gratings(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    let idx = |shape: &[u32], values: Vec<u8>| -> Vec<u8> {
        let lengths = shape.iter().flat_map(|length| length.to_be_bytes());
        [0, 0, 8, shape.len() as u8].into_iter().chain(lengths).chain(values).collect()
    };
    let pixel = |image: u32, at: u32| {
        let along = if image.is_multiple_of(2) { at / 16 } else { at % 16 };
        (64 + (along + image % 7) / 4 % 2 * 96) as u8
    };
    let mut patients = "split,patient\n".to_owned();
    for (split, count) in [("train", 64), ("test", 16)] {
        let pixels = (0..count).flat_map(|image| (0..256).map(move |at| pixel(image, at))).collect();
        let labels = (0..count).map(|image| (image % 2) as u8).collect();
        std::fs::write(folder.join(format!("{split}-images.idx")), idx(&[count, 16, 16], pixels)).unwrap();
        std::fs::write(folder.join(format!("{split}-labels.idx")), idx(&[count], labels)).unwrap();
        (0..count).for_each(|image| patients += &format!("{split},{split}-{}\n", image / 4));
    }
    std::fs::write(folder.join("patients.csv"), patients).unwrap();
}

#[test]
fn the_examples_keep_their_contracts_and_train_together() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("plugins")).unwrap();
    for name in ["gratings", "convnext"] {
        std::fs::copy(test_plugin(name), sandbox.path(&format!("plugins/lib{name}.so"))).unwrap();
    }
    write_gratings(&sandbox.path("data"));
    let data = "--set dataset.dataset_dir=data";
    sandbox.run(&format!("plugins check gratings {data}")).succeeded();
    sandbox.run("plugins check convnext_tiny_test").succeeded();
    let train = format!(
        "train --set dataset.name=gratings {data} --set train.self_supervision.encoder_name=convnext_tiny_test --set \
         train.batch_size=16 --set method.projection.hidden_dim=16 --set method.projection.output_dim=8 --set \
         train.device=cpu --set knn.k=5 --set scheduler.epochs=1"
    );
    sandbox.run(&format!("{train} --output-dir run")).succeeded();
    let weights = std::fs::read(sandbox.path("run/encoder.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&weights).unwrap();
    // timm's names and shapes.
    for (name, shape) in [
        ("stem.1.bias", &[8][..]),
        ("stages.0.downsample.1.bias", &[16]),
        ("stages.1.blocks.0.conv_dw.weight", &[32, 1, 7, 7]),
        ("stages.2.blocks.0.mlp.fc1.weight", &[256, 64]),
        ("stages.2.blocks.0.gamma", &[64]),
        ("head.norm.weight", &[64]),
    ] {
        assert_eq!(tensors.tensor(name).unwrap().shape(), shape, "{name}");
    }
    for (options, part) in [
        ("--set dataset.options.limit=1", "option `limit` = `1`: expected at least 2"),
        ("--set encoder.options.width=0", "option `width` = `0`: expected at least 1"),
    ] {
        sandbox.run(&format!("{train} {options} --output-dir refused")).failed(2, &[part]);
    }
    std::fs::write(sandbox.path("data/train-images.idx"), "text").unwrap();
    sandbox.run(&format!("{train} --output-dir other")).failed(3, &["train-images.idx", "expected an IDX file"]);
}

#[test]
fn the_examples_are_as_short_as_the_documents_say() {
    for (name, most) in [("gratings", 90), ("convnext", 120)] {
        let text = std::fs::read_to_string(repository().join(format!("tests/plugins/{name}/src/lib.rs"))).unwrap();
        assert!(text.lines().count() <= most, "{name}: {} lines", text.lines().count());
    }
}
