//! The contact sheet, and what a check says about files written for the predecessor.

use selfsame_tests::rsna::{Labels, write};
use selfsame_tests::{Sandbox, TINY};

/// Width and height from a PNG file's header.
fn size(png: &[u8]) -> (u32, u32) {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn a_preview_shows_a_row_an_image_and_is_the_same_every_time() {
    let sandbox = Sandbox::new();
    let preview = |name: &str, more: &str| {
        sandbox.run(&format!("preview {TINY} --out {name} {more}")).succeeded();
        std::fs::read(sandbox.path(name)).unwrap()
    };
    let two = preview("two.png", "--samples 2 --views 2");
    assert_eq!(two, preview("again.png", "--samples 2 --views 2"));
    assert_ne!(two, preview("seed.png", "--samples 2 --views 2 --set train.seed=2"));
    let (width, height) = size(&two);
    let (same, taller) = size(&preview("three.png", "--samples 3 --views 2"));
    let (wider, _) = size(&preview("views.png", "--samples 2 --views 4 --split test"));
    assert!(taller > height + 100, "{taller} {height}");
    assert!(same == width && wider > width + 200, "{same} {wider} {width}");
}

#[test]
fn a_preview_shows_every_view_of_a_list_and_small_ones_smaller() {
    let sandbox = Sandbox::new();
    let method = "--set train.self_supervision.type=lejepa";
    let preview = |name: &str, views: &str, more: &str| {
        let file = sandbox.write(&format!("{name}.yaml"), &format!("augmentation:\n  views: {views}\n"));
        let ran = sandbox
            .run(&format!("preview {TINY} {method} --config {} --samples 2 --out {name}.png {more}", file.display()))
            .succeeded();
        let (width, height) = size(&std::fs::read(sandbox.path(&format!("{name}.png"))).unwrap());
        (width, height, ran.stdout)
    };
    let (wide, _, said) = preview("large", "[{count: 8}]", "");
    assert!(said.contains("8 views each"), "{said}");
    let (narrow, _, said) = preview("multi", "[{count: 2}, {count: 6, size: 16}]", "");
    assert!(said.contains("8 views each"), "{said}");
    // Six columns of half the width.
    assert!((500..650).contains(&(wide - narrow)), "{wide} {narrow}");
    let (_, _, said) = preview("three", "[{count: 3}]", "");
    assert!(said.contains("6 views each"), "whole epochs, at least four views: {said}");
    let (_, _, said) = preview("one", "[{count: 3}]", "--views 1");
    assert!(said.contains("1 view each"), "{said}");
}

#[test]
fn a_preview_that_cannot_be_made_says_why() {
    let sandbox = Sandbox::new();
    sandbox.run(&format!("preview {TINY} --out nowhere/views.png")).failed(3, &["nowhere/views.png"]);
    sandbox.run(&format!("preview {TINY} --samples 0 --out views.png")).failed(2, &["--samples"]);
    sandbox
        .run(&format!("preview {TINY} --set preprocess.use_clahe=true --out views.png"))
        .failed(2, &["preprocess.use_clahe", "3 channels"]);
}

#[test]
fn films_train_with_every_operation_on() {
    const OPERATIONS: [&str; 11] = [
        "use_random_affine",
        "use_random_crop",
        "use_random_horizontal_flip",
        "use_elastic_transform",
        "use_gamma_transform",
        "use_random_color",
        "use_random_grayscale",
        "use_gaussian_blur",
        "use_solarize",
        "use_random_erasing",
        "add_gaussian_noise",
    ];
    let sandbox = Sandbox::new();
    write(&sandbox.path("films"), 80, 40, Labels::Boxes, 0).unwrap();
    let train = |name: &str, on: bool, more: &str| {
        let operations = OPERATIONS.map(|name| format!("--set augmentation.{name}={on}")).join(" ");
        let films = "--set dataset.name=RSNAKaggle --set dataset.dataset_dir=films --set preprocess.resize=32";
        let small = TINY.replace("--set dataset.name=shapes --set dataset.options.train_size=64", films);
        let arguments = format!("{small} {operations} {more} --set scheduler.epochs=1 --output-dir {name}");
        sandbox.run(&format!("train {arguments}")).succeeded();
        std::fs::read(sandbox.path(name).join("encoder.safetensors")).unwrap()
    };
    let all = "--set preprocess.use_clahe=true --set augmentation.random_affine.max_angle=180 --set \
               augmentation.view2.use_solarize=false --set augmentation.view2.gaussian_blur.prob=0.1";
    let on = train("on", true, all);
    assert_eq!(on, train("again", true, all));
    assert_ne!(on, train("flipped", false, "--set augmentation.use_random_horizontal_flip=true"));
    assert_ne!(on, train("equalised", true, &all.replace("use_clahe", "use_histogram_equalization")));
    let config = sandbox.path("on/config.yaml");
    assert!(std::fs::read_to_string(&config).unwrap().contains("  view2:\n    "));
    sandbox.run(&format!("config check --config {}", config.display())).succeeded();
}

#[test]
fn keys_that_never_had_an_effect_are_named_and_the_rest_is_checked() {
    let sandbox = Sandbox::new();
    let file = sandbox.write(
        "old.yaml",
        "dataset:\n  name: RSNAKagle\npreprocess:\n  use_center_crop: True\naugmentation:\n  label_smoothing:\n    \
         epsilon: 0.1\n",
    );
    let ran = sandbox.run(&format!("config check --config {}", file.display())).succeeded();
    for part in
        ["`preprocess.use_center_crop`", "`augmentation.label_smoothing.epsilon`", "`RSNAKagle`", "old.yaml:4:3"]
    {
        assert!(ran.stderr.contains(part), "`{part}` is not in:\n{}", ran.stderr);
    }
    sandbox
        .run(&format!("config check --config {} --set augmentation.view2.gaussian_blur.prb=1", file.display()))
        .failed(2, &["augmentation.view2.gaussian_blur.prb", "did you mean `augmentation.view2.gaussian_blur.prob`"]);
    sandbox.run(&format!("train --config {}", file.display())).failed(2, &["RSNAKagle"]);
}
