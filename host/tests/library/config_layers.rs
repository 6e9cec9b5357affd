//! Which layer wins, what a file may hold, and where values came from.

use crate::config_common::{Files, yaml};
use selfsame::config::schema::MethodName;
use selfsame::config::{Config, Names, Origin, Recommended, Resolved, Sources, load, peek};

fn origin(resolved: &Resolved, key: &str) -> String {
    resolved.origins[key].to_string()
}

#[test]
fn later_layers_win() {
    let files = Files::new(&[
        ("a.yaml", "train:\n  seed: 2\nknn:\n  k: 2\n  temperature: 0.2\n  every_epochs: 2\n"),
        ("b.yaml", "knn:\n  k: 3\n  temperature: 0.3\n  every_epochs: 3\n"),
    ]);
    let sources = Sources {
        recommended: vec![Recommended {
            origin: "data set X (plugin p)".into(),
            values: serde_json::json!({"train": {"seed": 9, "base_lr": 0.9}, "preprocess": {"resize": 28}}),
        }],
        files: vec![files.path("a.yaml"), files.path("b.yaml")],
        env: vec![
            ("SELFSAME_KNN__TEMPERATURE".into(), "0.4".into()),
            ("SELFSAME_KNN__EVERY_EPOCHS".into(), "4".into()),
            ("selfsame_train__output_dir".into(), "runs/env".into()),
            ("SELFSAME_AUGMENTATION__RANDOM_CROP__SCALE".into(), "[0.3, 1]".into()),
            ("SELFSAME_PLUGINS".into(), "/some/where".into()),
            ("PATH".into(), "/bin".into()),
        ],
        sets: vec!["knn.every_epochs=5".into(), "knn.every_epochs=6".into()],
        ..Sources::default()
    };
    let resolved = load(&sources).unwrap();
    let config = &resolved.config;
    assert_eq!((config.train.seed, config.train.base_lr, config.preprocess.resize), (2, 0.9, Some(28)));
    assert_eq!((config.knn.k, config.knn.temperature, config.knn.every_epochs), (3, 0.4, 6));
    assert_eq!(config.train.output_dir, std::path::Path::new("runs/env"));
    assert_eq!(config.augmentation.random_crop.scale, [0.3, 1.0]);
    assert_eq!(files.strip(origin(&resolved, "train.seed")), "a.yaml:2:3");
    assert_eq!(files.strip(origin(&resolved, "knn.k")), "b.yaml:2:3");
    assert_eq!(origin(&resolved, "train.base_lr"), "recommended by data set X (plugin p)");
    assert_eq!(origin(&resolved, "knn.temperature"), "variable SELFSAME_KNN__TEMPERATURE");
    assert_eq!(
        origin(&resolved, "augmentation.random_crop.scale"),
        "variable SELFSAME_AUGMENTATION__RANDOM_CROP__SCALE"
    );
    assert_eq!(origin(&resolved, "knn.every_epochs"), "--set knn.every_epochs=6");
    assert_eq!(resolved.origins["train.batch_size"], Origin::Default);
}

#[test]
fn a_later_list_of_data_sets_replaces_the_earlier_one() {
    let files = Files::new(&[("a.yaml", "dataset:\n  mix:\n    - {name: a}\n    - {name: b, options: {x: 1}}\n")]);
    let names = |sets: &[&str]| {
        let sets = sets.iter().map(|set| (*set).to_owned()).collect();
        let resolved = load(&Sources { files: vec![files.path("a.yaml")], sets, ..Sources::default() }).unwrap();
        let mix = resolved.config.dataset.mix;
        mix.iter().map(|set| format!("{} {}", set.name, set.options.len())).collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["a 0", "b 1"]);
    assert_eq!(names(&["dataset.mix=[{name: c}]"]), ["c 0"]);
    assert!(names(&["dataset.mix=[]"]).is_empty());
    assert!(names(&["dataset.mix="]).is_empty());
}

#[test]
fn the_method_decides_what_the_projection_head_is_where_nothing_is_set() {
    let head = |text: &str| {
        let projection = yaml(text).unwrap().config.method.projection;
        (projection.layers, projection.hidden_dim, projection.output_dim, projection.batch_norm)
    };
    let of = |method: &str| format!("train: {{self_supervision: {{type: {method}}}}}\n");
    assert_eq!(head(&of("simclr")), (2, 1024, 128, false));
    assert_eq!(head(&of("byol")), (2, 4096, 256, true));
    assert_eq!(head(&of("barlow_twins")), (3, 8192, 8192, true));
    assert_eq!(head(&of("vicreg")), (3, 8192, 8192, true));
    let partly = of("byol") + "method: {projection: {output_dim: 64}}\n";
    assert_eq!(head(&partly), (2, 4096, 64, true));
    assert_eq!(yaml(&partly).unwrap().origins["method.projection.hidden_dim"], Origin::Default);
    let sources = Sources { sets: vec!["train.self_supervision.type=byol".into()], ..Sources::default() };
    assert_eq!(load(&sources).unwrap().config, Config::of(MethodName::Byol));
}

#[test]
fn nothing_at_all_gives_the_defaults() {
    let resolved = load(&Sources::default()).unwrap();
    assert_eq!(resolved.config, selfsame::config::Config::default());
    assert!(resolved.origins.values().all(|origin| *origin == Origin::Default));
    for text in ["", "# nothing\n", "---\n", "train:\n", "dataset:\n  options:\n"] {
        assert_eq!(yaml(text).unwrap().config, resolved.config, "for {text:?}");
    }
}

#[test]
fn names_are_found_before_anything_is_recommended() {
    let sources = Sources {
        sets: vec!["dataset.name=shapes".into(), "train.self_supervision.encoder_name=resnet8".into()],
        ..Sources::default()
    };
    assert_eq!(peek(&sources).unwrap(), Names { dataset: "shapes".into(), encoder: "resnet8".into() });
    assert!(peek(&Sources { sets: vec!["dataset.nam=shapes".into()], ..Sources::default() }).is_err());
}

#[test]
fn a_file_builds_on_others_relative_to_itself() {
    let files = Files::new(&[
        ("runs/a.yaml", "knn: {k: 1}\nextends: [../base/b.yaml, ../base/c.yaml]\n"),
        ("base/b.yaml", "extends: d.yaml\nknn: {k: 2, temperature: 0.2}\ntrain: {seed: 2}\n"),
        ("base/c.yaml", "extends: d.yaml\ntrain: {batch_size: 33}\n"),
        ("base/d.yaml", "train: {seed: 4, batch_size: 44}\nscheduler: {epochs: 4}\n"),
    ]);
    let resolved = files.load(&["runs/a.yaml"]).unwrap();
    let config = &resolved.config;
    assert_eq!((config.knn.k, config.knn.temperature), (1, 0.2));
    // c.yaml comes after b.yaml, and brings d.yaml with it once more.
    assert_eq!((config.train.seed, config.train.batch_size, config.scheduler.epochs), (4, 33, 4));
    assert_eq!(files.strip(origin(&resolved, "knn.temperature")), "runs/../base/b.yaml:2:13");
}

#[test]
fn yacs_spellings_are_numbers_and_lists() {
    let text = "dataset: {dataset_dir: None}\ntrain:\n  base_lr: 1e-3\n  batch_size: '64'\n  seed: 0x10\nlinear_head:\n  \
                learning_rate: '1e-3'\naugmentation:\n  use_random_crop: True\n  random_crop:\n    scale: (0.15, 0.4)\n    \
                ratio: '[.5, 2,]'\n  gaussian_blur:\n    sigma: !!python/tuple\n    - 1\n    - 2\n";
    let config = yaml(text).unwrap().config;
    assert_eq!((config.train.base_lr, config.train.batch_size, config.train.seed), (1e-3, 64, 16));
    assert_eq!(config.linear_head.learning_rate, 1e-3);
    assert_eq!(config.dataset.dataset_dir, None);
    assert!(config.augmentation.use_random_crop);
    assert_eq!(config.augmentation.random_crop.scale, [0.15, 0.4]);
    assert_eq!(config.augmentation.random_crop.ratio, [0.5, 2.0]);
    assert_eq!(config.augmentation.gaussian_blur.sigma, [1.0, 2.0]);
    let sets = vec!["augmentation.random_crop.scale=(0.2, 1)".into(), "optimizer.betas=[0.5,0.6]".into()];
    let config = load(&Sources { sets, ..Sources::default() }).unwrap().config;
    assert_eq!((config.augmentation.random_crop.scale, config.optimizer.betas), ([0.2, 1.0], [0.5, 0.6]));
}

#[test]
fn options_are_free_and_merge() {
    let files = Files::new(&[
        ("a.yaml", "dataset:\n  options:\n    mirror: http://a/\n    deep: {x: 1, y: [1, two, ~]}\n"),
        ("b.yaml", "dataset:\n  options: {deep: {x: 2.5}, text: '7'}\nencoder: {options: {wide: true}}\n"),
    ]);
    let sources = Sources {
        files: vec![files.path("a.yaml"), files.path("b.yaml")],
        sets: vec!["dataset.options.mirror=https://b:80/c".into()],
        ..Sources::default()
    };
    let resolved = load(&sources).unwrap();
    let expected = serde_json::json!({
        "mirror": "https://b:80/c", "deep": {"x": 2.5, "y": [1, "two", null]}, "text": "7"
    });
    assert_eq!(serde_json::Value::Object(resolved.config.dataset.options.clone()), expected);
    assert_eq!(resolved.config.encoder.options["wide"], true);
    assert_eq!(files.strip(origin(&resolved, "dataset.options.deep.y")), "a.yaml:4:18");
    assert_eq!(files.strip(origin(&resolved, "dataset.options.deep.x")), "b.yaml:2:20");
    assert_eq!(origin(&resolved, "dataset.options.mirror"), "--set dataset.options.mirror=https://b:80/c");
}

#[test]
fn anchors_and_merge_keys_work() {
    let text = "augmentation:\n  random_grayscale: &p {prob: 0.3}\n  random_horizontal_flip: *p\n  solarize: {<<: *p, \
                threshold: 0.7}\n  random_color: {<<: *p, prob: 0.4}\n";
    let resolved = yaml(text).unwrap();
    let augmentation = &resolved.config.augmentation;
    assert_eq!((augmentation.random_horizontal_flip.prob, augmentation.random_grayscale.prob), (0.3, 0.3));
    assert_eq!((augmentation.solarize.prob, augmentation.solarize.threshold), (0.3, 0.7));
    assert_eq!(augmentation.random_color.prob, 0.4);
}

#[test]
fn an_impossible_value_may_be_put_right_by_a_later_layer() {
    let files = Files::new(&[("a.yaml", "train: {batch_size: 1}\n")]);
    assert!(files.load(&["a.yaml"]).is_err());
    let sets = vec!["train.batch_size=2".into()];
    assert!(load(&Sources { files: vec![files.path("a.yaml")], sets, ..Sources::default() }).is_ok());
}
