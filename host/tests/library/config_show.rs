//! The configuration written out: with origins, for the run's folder, and one key explained.

use crate::config_common::{Files, yaml};
use proptest::prelude::*;
use selfsame::config::Sources;
use selfsame::config::schema::MixedDatasetConfig;
use selfsame::config::{Config, explain, json_schema, load, show, to_yaml};
use serde_json::json;
use std::path::Path;

#[test]
fn every_shipped_file_loads() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs");
    let mut loaded = 0;
    // What stands in `augmentation` is for runs whose head has a data set of its own.
    let parts = vec!["linear_head.dataset.name=labelled".to_owned()];
    let plain = ["", "cpu", "datasets", "innereye"].map(|folder| (folder, vec![]));
    for (folder, sets) in plain.into_iter().chain([("augmentation", parts)]) {
        for entry in std::fs::read_dir(configs.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let sources = Sources { files: vec![path.clone()], sets: sets.clone(), ..Sources::default() };
                load(&sources).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                loaded += 1;
            }
        }
    }
    assert_eq!(loaded, 32);
}

#[test]
fn the_predecessors_values_arrive_as_its_files_state_them() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/innereye/rsna_simclr.yaml");
    let config = load(&Sources { files: vec![path], ..Sources::default() }).unwrap().config;
    assert_eq!((config.train.seed, config.train.batch_size, config.train.base_lr), (3, 1600, 1e-3));
    assert_eq!((config.preprocess.resize, config.preprocess.center_crop_size), (Some(256), Some(224)));
    assert!(
        config.preprocess.expand_channels && config.train.self_supervision.use_balanced_binary_loss_for_linear_head
    );
    let a = config.augmentation;
    assert!(a.use_random_affine && a.use_gamma_transform && a.use_elastic_transform && a.add_gaussian_noise);
    assert_eq!((a.random_affine.max_angle, a.random_affine.max_shear), (180.0, 40.0));
    assert_eq!((a.random_crop.scale, a.gamma.scale), ([0.6, 1.0], [0.5, 1.5]));
    let elastic = a.elastic_transform;
    assert_eq!((elastic.sigma, elastic.alpha, elastic.p_apply), (4.0, 34.0, 0.4));
    assert_eq!((a.random_erasing.scale, a.random_erasing.ratio), ([0.005, 0.08], [0.33, 3.0]));
    assert_eq!((a.gaussian_noise.std, a.gaussian_noise.p_apply), (0.01, 0.5));
}

#[test]
fn every_value_is_shown_with_its_origin() {
    let files = Files::new(&[("a.yaml", "train:\n  batch_size: 64\ndataset:\n  options: {a: 'x # y'}\n")]);
    let mut sources = Sources { files: vec![files.path("a.yaml")], ..Sources::default() };
    sources.sets.push("augmentation.random_crop.scale=(0.2, 1)".into());
    let resolved = load(&sources).unwrap();
    let text = files.strip(show(&resolved).unwrap());
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.contains(&"  batch_size: 64                            # a.yaml:2:3"), "{text}");
    assert!(lines.contains(&"    a: \"x # y\"                              # a.yaml:4:13"), "{text}");
    assert!(
        lines.contains(&"    scale: [0.2, 1.0]                       # --set augmentation.random_crop.scale=(0.2, 1)")
    );
    assert!(lines.contains(&"  k: 20                                     # default"), "{text}");
    for line in &lines {
        assert!(line.ends_with(':') || line.contains(" # "), "{line}");
    }
    // In the order of the schema.
    assert_eq!(lines[0], "dataset:");
    assert!(lines[1].starts_with("  name: CIFAR10 "));
    assert_eq!(yaml(&text).unwrap().config, resolved.config);
}

#[test]
fn explains_keys_sections_and_choices() {
    assert_eq!(
        explain("train.batch_size").unwrap(),
        "train.batch_size\n  Images per step, at least 2. Stated for the whole run, whatever the hardware.\n  type: an integer of \
         at least 2\n  default: 512\n"
    );
    let text = explain("optimizer.name").unwrap();
    assert!(text.contains("    adamw  AdamW (Loshchilov & Hutter 2019), decoupled weight decay.\n"), "{text}");
    assert!(text.ends_with("  default: sgd\n"), "{text}");
    let text = explain("knn").unwrap();
    let first = "  keys:\n    k             Neighbours, at least 1.\n                  an integer of at least 1; default: 20\n    \
                 temperature ";
    assert!(text.contains(first), "{text}");
    let text = explain("augmentation.random_affine").unwrap();
    assert!(text.contains("\n  Parameters of the random affine map (`use_random_affine`).\n"), "{text}");
    assert!(text.contains("  a number in [0, 90); default: 5.0\n"), "{text}");
    assert!(text.contains("  one of `zeros`, `edge`, `reflect`; default: reflect\n"), "{text}");
    // What stands in a list, and what follows the first view, has no default of its own.
    for key in ["dataset.mix.name", "augmentation.view2.use_solarize", "augmentation.views.size"] {
        assert!(!explain(key).unwrap().contains("default"), "{key}");
    }
    let text = explain("augmentation.views.size").unwrap();
    assert!(text.starts_with("augmentation.views.size\n  Side of these views in pixels"), "{text}");
    assert!(
        explain("augmentation.views.1.random_crop.scale").unwrap().starts_with("augmentation.views.random_crop.scale")
    );
    for key in ["count", "random_crop", "use_solarize"] {
        assert!(explain("augmentation.views").unwrap().contains(&format!("    {key} ")), "{key}");
    }
    assert!(explain("dataset.options.mirror").unwrap().starts_with("dataset.options\n"));
    assert_eq!(
        explain("train.batchsize").unwrap_err().to_string(),
        "`train.batchsize`: unknown key; did you mean `train.batch_size`?"
    );
    assert_eq!(
        explain("batch_size").unwrap_err().to_string(),
        "`batch_size`: unknown key; did you mean `train.batch_size`?"
    );
    let text = explain("method.projection.output_dim").unwrap();
    let each = "  default: 128 (simclr), 256 (byol), 8192 (barlow_twins), 8192 (vicreg), 2048 (simsiam), 128 (moco_v2), \
                256 (moco_v3), 256 (dino), 16 (lejepa)\n";
    assert!(text.ends_with(each), "{text}");
    assert!(explain("train.self_supervision.type").unwrap().ends_with("  default: simclr\n"));
    assert!(explain("").is_err());
}

#[test]
fn explains_keys_that_have_no_effect_and_what_replaced_them() {
    let text = explain("preprocess.use_center_crop").unwrap();
    assert!(text.contains("no effect") && text.contains("InnerEye"), "{text}");
    assert!(text.contains("\n  instead: `preprocess.center_crop_size`"), "{text}");
    assert!(explain("preprocess.histogram_normalization").unwrap().contains("disk_size"));
    assert!(explain("preprocess.use_center").is_err());
}

#[test]
fn every_key_has_a_documentation() {
    fn walk(schema: &serde_json::Value, path: String) {
        for (name, key) in schema["properties"].as_object().unwrap() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let text = explain(&path).unwrap_or_else(|error| panic!("{error}"));
            assert!(text.lines().nth(1).unwrap().trim().len() > 5, "{text}");
            if key.get("$ref").is_some() && text.contains("  keys:\n") {
                let full = json_schema();
                let name = key["$ref"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
                walk(&full["$defs"][&name], path);
            }
        }
    }
    let mut schema = json_schema();
    assert!(schema["properties"].as_object_mut().unwrap().remove("extends").is_some());
    walk(&schema, String::new());
}

#[test]
fn the_json_schema_states_ranges() {
    let schema = json_schema();
    assert_eq!(schema["$defs"]["TrainConfig"]["properties"]["batch_size"]["minimum"], 2);
    assert_eq!(schema["$defs"]["TrainConfig"]["properties"]["base_lr"]["exclusiveMinimum"], 0);
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn the_json_schema_takes_what_loading_takes() {
    let schema = json_schema();
    let train = &schema["$defs"]["TrainConfig"]["properties"];
    assert_eq!(train["base_lr"]["type"], json!(["number", "string"]), "1e-3, which YAML 1.1 reads as text");
    let crop = &schema["$defs"]["RandomCropConfig"]["properties"]["scale"];
    assert_eq!(crop["type"], json!(["array", "string"]), "(0.08, 1.0)");
    assert_eq!(crop["items"]["type"], json!(["number", "string"]));
    assert_eq!(schema["$defs"]["DatasetConfig"]["properties"]["mix"]["type"], "array", "a list of sections");
    let augmentation = &schema["$defs"]["AugmentationConfig"]["properties"];
    let view2 = &augmentation["view2"];
    assert_eq!((&view2["type"], &view2["additionalProperties"]), (&json!("object"), &json!(false)));
    let keys = |schema: &serde_json::Value| schema.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut expected = keys(augmentation);
    expected.retain(|key| !["view2", "views", "normalize"].contains(&key.as_str()));
    assert_eq!(keys(&view2["properties"]), expected);
    assert_eq!(augmentation["views"]["items"]["$ref"], "#/$defs/ViewConfig");
    let view = &schema["$defs"]["ViewConfig"];
    assert_eq!(view["additionalProperties"], false);
    expected.extend(["count".into(), "size".into()]);
    expected.sort();
    assert_eq!(keys(&view["properties"]), expected);
    assert_eq!(
        (&view["properties"]["count"]["maximum"], &view["properties"]["size"]["minimum"]),
        (&json!(64), &json!(1))
    );
}

#[test]
fn every_default_is_within_its_own_range() {
    assert!(load(&Sources::default()).is_ok());
}

fn options() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Into::into),
        ".*".prop_map(Into::into),
        "(true|null|1e-3|0x1f|~|\\.inf|- a|a: b|<<|No|12:30)".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::btree_map("[^.]*", inner, 1..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_loads_to_the_same(
        name in ".+",
        // A loaded path no longer begins with `~`.
        directory in "[^~].*",
        seed in 0..=i64::MAX as u64,
        base_lr in 1e-300..1e300_f64,
        high in 1e-9..=1.0_f64,
        workers in proptest::option::of(1..100_usize),
        options in proptest::collection::btree_map(".*", options(), 0..4),
    ) {
        let mut config = Config::default();
        config.dataset.name = name;
        config.dataset.num_workers = workers;
        config.dataset.options = options.into_iter().collect();
        let mixed = MixedDatasetConfig {
            name: config.dataset.name.clone(),
            dataset_dir: workers.map(|_| directory.clone().into()),
            options: config.dataset.options.clone(),
            weight: Some(base_lr),
        };
        config.dataset.mix = vec![mixed; workers.unwrap_or(0) % 3];
        config.dataset.weight = (!config.dataset.mix.is_empty()).then_some(high);
        config.train.output_dir = directory.into();
        config.train.seed = seed;
        config.train.base_lr = base_lr;
        config.augmentation.random_crop.scale = [high / 3.0, high];
        let text = to_yaml(&config).unwrap();
        let loaded = yaml(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(loaded.config, config);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-a-z:,\\[\\]{}&*!<>|#'\"? \n\t0-9.%@`~]{0,80}") {
        let _ = yaml(&text);
        let _ = load(&Sources { sets: vec![text.clone()], ..Sources::default() });
        let _ = explain(&text);
    }
}
