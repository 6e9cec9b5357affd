//! Wrong configurations: each gives its one clear error.

use crate::config_common::{Files, yaml};
use selfsame::config::{Recommended, Sources, load, unknown_options};

/// Files in which one thing is wrong, and the whole message.
const WRONG: &[(&str, &str)] = &[
    ("train:\n  batch_siz: 64\n", "`train.batch_siz` = 64 (a.yaml:2:3): unknown key; did you mean `train.batch_size`?"),
    ("trian:\n  seed: 1\n", "`trian` (a.yaml:1:1): unknown key; did you mean `train`?"),
    ("train:\n  epochs: 5\n", "`train.epochs` = 5 (a.yaml:2:3): unknown key; did you mean `scheduler.epochs`?"),
    ("train.seed: 1\n", "`train.seed` = 1 (a.yaml:1:1): unknown key; write it nested, one level a line"),
    (
        "knn:\n  nothing_like_it: 1\n",
        "`knn.nothing_like_it` = 1 (a.yaml:2:3): unknown key; known here: `every_epochs`, `k`, `temperature`",
    ),
    ("train:\n  batch_size: many\n", "`train.batch_size` = many (a.yaml:2:3): expected an integer of at least 2"),
    ("train:\n  batch_size: 64.5\n", "`train.batch_size` = 64.5 (a.yaml:2:3): expected an integer of at least 2"),
    ("train:\n  batch_size: true\n", "`train.batch_size` = true (a.yaml:2:3): expected an integer of at least 2"),
    ("train:\n  batch_size: -1\n", "`train.batch_size` = -1 (a.yaml:2:3): expected an integer of at least 2"),
    ("train:\n  batch_size:\n", "`train.batch_size` = nothing (a.yaml:2:3): expected an integer of at least 2"),
    ("train: {batch_size: 1}\n", "`train.batch_size` = 1 (a.yaml:1:9): expected an integer of at least 2"),
    (
        "train:\n  seed: 99999999999999999999\n",
        "`train.seed` = 99999999999999999999 (a.yaml:2:3): expected an integer of at least 0",
    ),
    (
        "train:\n  seed: 18446744073709551615\n",
        "`train.seed` = 18446744073709551615 (a.yaml:2:3): expected an integer of at least 0; at most \
         9223372036854775807",
    ),
    ("train:\n  base_lr: 0\n", "`train.base_lr` = 0.0 (a.yaml:2:3): expected a number above 0"),
    ("train:\n  base_lr: .nan\n", "`train.base_lr` = .nan (a.yaml:2:3): expected a number above 0; a finite one"),
    ("train:\n  base_lr: 1e999\n", "`train.base_lr` = 1e999 (a.yaml:2:3): expected a number above 0; a finite one"),
    (
        "train:\n  resume_from_last_checkpoint: 1\n",
        "`train.resume_from_last_checkpoint` = 1 (a.yaml:2:3): expected true or false",
    ),
    (
        "train:\n  resume_from_last_checkpoint: 'true'\n",
        "`train.resume_from_last_checkpoint` = \"true\" (a.yaml:2:3): expected true or false",
    ),
    ("train:\n  device: gpu\n", "`train.device` = \"gpu\" (a.yaml:2:3): expected `auto`, `cpu`, `cuda` or `cuda:N`"),
    (
        "train:\n  device: 'cuda:'\n",
        "`train.device` = \"cuda:\" (a.yaml:2:3): expected `auto`, `cpu`, `cuda` or `cuda:N`",
    ),
    ("train:\n  device: 0\n", "`train.device` = 0 (a.yaml:2:3): expected text; quote it to mean the text \"0\""),
    ("train:\n  output_dir: ''\n", "`train.output_dir` = \"\" (a.yaml:2:3): expected text that is not empty"),
    (
        "train:\n  precision: fp8\n",
        "`train.precision` = fp8 (a.yaml:2:3): expected one of `fp32`, `tf32`, `bf16`, `fp16`, `auto`",
    ),
    (
        "train:\n  self_supervision:\n    type: sim_clr\n",
        "`train.self_supervision.type` = sim_clr (a.yaml:3:5): expected one of `simclr`, `byol`, `barlow_twins`, `vicreg`, `simsiam`, `moco_v2`, `moco_v3`, `dino`, `lejepa`; did you mean `simclr`?",
    ),
    (
        "data:\n  store_size: 0\n",
        "`data.store_size` = 0 (a.yaml:2:3): expected an integer of at least 1, or one of `auto`, `original`",
    ),
    (
        "data:\n  store_size: orginal\n",
        "`data.store_size` = orginal (a.yaml:2:3): expected an integer of at least 1, or one of `auto`, `original`; did you \
         mean `original`?",
    ),
    ("knn: 5\n", "`knn` = 5 (a.yaml:1:1): expected a section with the keys `every_epochs`, `k`, `temperature`"),
    ("knn:\n  - k\n", "`knn` = [k] (a.yaml:1:1): expected a section with the keys `every_epochs`, `k`, `temperature`"),
    ("knn:\n  k: {a: 1}\n", "`knn.k` = {a: 1} (a.yaml:2:3): expected an integer of at least 1"),
    ("dataset:\n  options: yes\n", "`dataset.options` = yes (a.yaml:2:3): expected a section of keys and values"),
    ("dataset:\n  options: {a: .inf}\n", "`dataset.options.a` = .inf (a.yaml:2:13): expected a finite number"),
    (
        "dataset:\n  num_workers: 0\n",
        "`dataset.num_workers` = 0 (a.yaml:2:3): expected an integer of at least 1, or null",
    ),
    ("data:\n  val_fraction: 1\n", "`data.val_fraction` = 1.0 (a.yaml:2:3): expected a number in [0, 1)"),
    (
        "data:\n  limit: {train: 0}\n",
        "`data.limit.train` = 0 (a.yaml:2:11): expected an integer of at least 1, or null",
    ),
    ("scheduler:\n  epochs: 0\n", "`scheduler.epochs` = 0 (a.yaml:2:3): expected an integer of at least 1"),
    (
        "scheduler:\n  epochs: 5\n  warmup_epochs: 6\n",
        "`scheduler.warmup_epochs` = 6 (a.yaml:3:3): expected at most `scheduler.epochs`, which is 5",
    ),
    ("optimizer:\n  momentum: 1\n", "`optimizer.momentum` = 1.0 (a.yaml:2:3): expected a number in [0, 1)"),
    (
        "optimizer:\n  nesterov: true\n  momentum: 0\n",
        "`optimizer.nesterov` = true (a.yaml:2:3): expected false, or `optimizer.momentum` above 0",
    ),
    (
        "optimizer:\n  betas: [0.9, 1]\n",
        "`optimizer.betas` = [0.9, 1.0] (a.yaml:2:3): expected a list of 2 numbers, each in [0, 1)",
    ),
    (
        "optimizer:\n  betas: [0.9]\n",
        "`optimizer.betas` = [0.9] (a.yaml:2:3): expected a list of 2 numbers, each in [0, 1)",
    ),
    ("optimizer:\n  eps: 0\n", "`optimizer.eps` = 0.0 (a.yaml:2:3): expected a number above 0"),
    ("method:\n  temperature: 0\n", "`method.temperature` = 0.0 (a.yaml:2:3): expected a number of at least 0.001"),
    (
        "augmentation:\n  random_crop:\n    scale: (1.0, 0.4)\n",
        "`augmentation.random_crop.scale` = [1.0, 0.4] (a.yaml:3:5): expected the smaller number first",
    ),
    (
        "augmentation:\n  random_crop:\n    scale: (0, 1)\n",
        "`augmentation.random_crop.scale` = [0.0, 1.0] (a.yaml:3:5): expected a list of 2 numbers, each in (0, 1]",
    ),
    (
        "augmentation:\n  random_crop:\n    scale: (a, 1)\n",
        "`augmentation.random_crop.scale` = (a, 1) (a.yaml:3:5): expected a list of 2 numbers, each in (0, 1]",
    ),
    (
        "augmentation:\n  random_color:\n    hue: 0.6\n",
        "`augmentation.random_color.hue` = 0.6 (a.yaml:3:5): expected a number in [0, 0.5]",
    ),
    (
        "augmentation:\n  random_grayscale:\n    prob: 1.5\n",
        "`augmentation.random_grayscale.prob` = 1.5 (a.yaml:3:5): expected a number in [0, 1]",
    ),
    (
        "augmentation:\n  gaussian_blur:\n    kernel_size: 4\n",
        "`augmentation.gaussian_blur.kernel_size` = 4 (a.yaml:3:5): expected an odd number",
    ),
    (
        "augmentation:\n  normalize: imgnet\n",
        "`augmentation.normalize` = imgnet (a.yaml:2:3): expected one of `dataset`, `imagenet`, `none`; did you mean \
         `imagenet`?",
    ),
    (
        "preprocess:\n  resize: 32\n  center_crop_size: 33\n",
        "`preprocess.center_crop_size` = 33 (a.yaml:3:3): expected at most `preprocess.resize`, which is 32",
    ),
    (
        "linear_head:\n  augmentation:\n    gamma:\n      scale: [1, 2]\n",
        "`linear_head.augmentation` = set (a.yaml:4:7): expected nothing: the head learns from the encoder's batches unless \
         `linear_head.dataset.name` names a data set of its own, or `dataset.mix` further ones for the encoder",
    ),
    (
        "linear_head:\n  dataset: {name: a}\n  augmentation: {view2: {use_solarize: true}}\n",
        "`linear_head.augmentation.view2` = {use_solarize: true} (a.yaml:3:26): expected nothing: the head sees one view of \
         each image",
    ),
    (
        "dataset:\n  mix:\n    - {name: ''}\n",
        "`dataset.mix.0.name` = \"\" (a.yaml:3:8): expected text that is not empty",
    ),
    (
        "linear_head:\n  dataset: {name: a}\n  augmentation: {views: [{}, {}]}\n",
        "`linear_head.augmentation.views` = 2 entries (a.yaml:3:18): expected nothing: the head sees one view of each image",
    ),
    (
        "augmentation:\n  views:\n    - {}\n    - random_crop: {scale: [0.3, 0.05]}\n",
        "`augmentation.views.1.random_crop.scale` = [0.3, 0.05] (a.yaml:4:21): expected the smaller number first",
    ),
    (
        "augmentation:\n  views: [{}, {solarize: {prob: 1.5}}]\n",
        "`augmentation.views.1.solarize.prob` = 1.5 (a.yaml:2:27): expected a number in [0, 1]",
    ),
    (
        "augmentation:\n  views:\n    - {use_solarise: true}\n",
        "`augmentation.views.0.use_solarise` = true (a.yaml:3:8): unknown key; did you mean \
         `augmentation.views.0.use_solarize`?",
    ),
    (
        "augmentation:\n  views:\n    - gaussian_blur.prob: 1\n",
        "`augmentation.views.0.gaussian_blur.prob` = 1 (a.yaml:3:7): unknown key; write it nested, one level a line",
    ),
    (
        "augmentation:\n  views: [{normalize: none}]\n",
        "`augmentation.views.0.normalize` = none (a.yaml:2:12): unknown key; did you mean `augmentation.normalize`?",
    ),
    (
        "augmentation:\n  views: [{count: 0}]\n",
        "`augmentation.views.0.count` = 0 (a.yaml:2:12): expected an integer in [1, 64]",
    ),
    (
        "augmentation:\n  views: [{size: 0}]\n",
        "`augmentation.views.0.size` = 0 (a.yaml:2:12): expected an integer in [1, 16384], or null",
    ),
    (
        "augmentation:\n  views: [{use_solarize: maybe}]\n",
        "`augmentation.views.0.use_solarize` = maybe (a.yaml:2:12): expected true or false",
    ),
    (
        "augmentation:\n  views: [{count: 40}, {count: 30}]\n",
        "`augmentation.views` = 70 views (a.yaml:2:3): expected at most 64 views of an image",
    ),
    (
        "augmentation:\n  view2: {use_solarize: true}\n  views: [{}, {}]\n",
        "`augmentation.view2` = {use_solarize: true} (a.yaml:2:11): expected nothing, since `augmentation.views` lists all \
         views",
    ),
    (
        "augmentation:\n  views: [{}, {gaussian_blur: {kernel_size: 4}}]\n",
        "`augmentation.views.1.gaussian_blur.kernel_size` = 4 (a.yaml:2:32): expected an odd number",
    ),
    (
        "augmentation:\n  gaussian_blur: {kernel_size: 4}\n  views: [{}, {}]\n",
        "`augmentation.gaussian_blur.kernel_size` = 4 (a.yaml:2:19): expected an odd number",
    ),
    (
        "augmentation:\n  use_random_crop: true\n  random_crop: {interpolation: bicubic}\n  views: [{}, {use_random_affine: \
         true}]\n",
        "`augmentation.views.1.random_crop.interpolation` = bicubic (a.yaml:4:3): expected `bilinear`, since \
         `use_random_affine` or `use_elastic_transform` is on",
    ),
    ("knn:\n  k: 0\n", "`knn.k` = 0 (a.yaml:2:3): expected an integer of at least 1"),
    ("knn:\n  k: 1\n  k: 2\n", "a.yaml:3:3: the key `k` a second time; it is already on line 2"),
    ("knn:\n  k: 1\n---\nknn:\n  k: 2\n", "a.yaml:3:1: a second document; a file holds one"),
    ("knn: !mine {k: 1}\n", "a.yaml:1:6: the tag !mine; values are written without tags"),
    ("- 1\n- 2\n", "a.yaml: expected keys and values such as `train:`, found [1, 2]"),
    ("hello\n", "a.yaml: expected keys and values such as `train:`, found hello"),
    ("? [a]\n: 1\n", "a.yaml:1:3: a key has to be a word"),
    ("a: &x [*x]\n", "a.yaml:1:8: an alias inside of what it stands for"),
    ("extends: {a: 1}\n", "`extends` = {a: 1} (a.yaml:1:1): expected a path or a list of paths, relative to this file"),
];

#[test]
fn every_wrong_file_has_its_one_message() {
    let mut wrong = String::new();
    for (text, message) in WRONG {
        let found = yaml(text).expect_err(text);
        if found != *message {
            wrong.push_str(&format!("for the file\n{text}expected {message}\nfound    {found}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_syntax_error_has_file_line_and_column() {
    let message = yaml("train:\n  seed: [1, 2\nknn:\n  k: 1\n").unwrap_err();
    assert!(message.starts_with("a.yaml:3:"), "{message}");
    assert!(message.contains("not valid YAML"), "{message}");
}

/// Flags that are wrong, and the whole message.
const FLAGS: &[(&str, &str)] = &[
    ("train.seed", "--set train.seed: has no `=`; write it like --set train.batch_size=64"),
    ("=1", "--set =1: names no key; write it like --set train.batch_size=64"),
    (
        "train..seed=1",
        "--set train..seed=1: the key `train..seed` has an empty part; write it like --set train.batch_size=64",
    ),
    ("train.sed=1", "`train.sed` = 1 (--set train.sed=1): unknown key; did you mean `train.seed`?"),
    (
        "extends=x",
        "`extends` = x (--set extends=x): unknown key; known here: `augmentation`, `data`, `dataset`, \
                   `encoder`, `knn`, `linear_head`, `method`, `optimizer`, `preprocess`, `scheduler`, `train`",
    ),
    ("train.seed=", "`train.seed` = nothing (--set train.seed=): expected an integer of at least 0"),
    ("train.seed.x=1", "`train.seed` = {x: 1} (--set train.seed.x=1): expected an integer of at least 0"),
];

#[test]
fn every_wrong_flag_has_its_one_message() {
    for (flag, message) in FLAGS {
        let error = load(&Sources { sets: vec![flag.to_string()], ..Sources::default() }).expect_err(flag);
        assert_eq!(error.to_string(), *message);
    }
    let error = load(&Sources { sets: vec!["optimizer.betas=[0.9".into()], ..Sources::default() }).unwrap_err();
    let start = "`optimizer.betas` = \"[0.9\" (--set optimizer.betas=[0.9): expected a YAML value";
    assert!(error.to_string().starts_with(start), "{error}");
}

#[test]
fn a_wrong_variable_is_named() {
    let env = |name: &str, value: &str| {
        let env = vec![(name.to_string(), value.to_string())];
        load(&Sources { env, ..Sources::default() }).unwrap_err().to_string()
    };
    assert_eq!(
        env("SELFSAME_TRAIN__BATCH_SIZE", "x"),
        "`train.batch_size` = x (variable SELFSAME_TRAIN__BATCH_SIZE): expected an integer of at least 2"
    );
    assert_eq!(
        env("SELFSAME_TRAIN_SEED", "1"),
        "`train_seed` = 1 (variable SELFSAME_TRAIN_SEED): unknown key; did you mean `train.seed`?"
    );
    assert_eq!(
        env("SELFSAME_TRAIN__", "1"),
        "variable SELFSAME_TRAIN__: the key `train.` has an empty part; write it like SELFSAME_TRAIN__BATCH_SIZE=64"
    );
}

#[test]
fn a_wrong_recommendation_names_its_plugin() {
    let recommended = |values| {
        let recommended = vec![Recommended { origin: "data set X (plugin p)".into(), values }];
        load(&Sources { recommended, ..Sources::default() }).unwrap_err().to_string()
    };
    assert_eq!(
        recommended(serde_json::json!({"knn": {"kk": 1}})),
        "`knn.kk` = 1 (recommended by data set X (plugin p)): unknown key; did you mean `knn.k`?"
    );
    assert_eq!(
        recommended(serde_json::json!([1])),
        "recommended by data set X (plugin p): expected keys and values, found [1]"
    );
    assert_eq!(
        recommended(serde_json::json!({"dataset": {"name": "Y"}})),
        "recommended by data set X (plugin p): a plugin may not recommend `dataset.name`"
    );
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let files = Files::new(&[("a.yaml", "knn: {k: 3}\nextends: gone.yaml\n")]);
    let message = files.strip(files.load(&["none.yaml"]).unwrap_err());
    assert!(message.starts_with("none.yaml: the configuration file cannot be read: No such file"), "{message}");
    let message = files.strip(files.load(&["a.yaml"]).unwrap_err());
    let start = "gone.yaml: the configuration file, extended by a.yaml:2:1, cannot be read: No such file";
    assert!(message.starts_with(start), "{message}");
    std::fs::write(files.path("b.yaml"), [b'a', b':', 0xff]).unwrap();
    let message = files.strip(files.load(&["b.yaml"]).unwrap_err());
    assert!(message.starts_with("b.yaml: the configuration file cannot be read: "), "{message}");
    assert!(files.load(&["."]).is_err());
}

#[test]
fn a_circle_of_files_is_an_error() {
    let files = Files::new(&[("a.yaml", "extends: b.yaml\n"), ("b.yaml", "extends: [a.yaml]\n")]);
    let message = files.strip(files.load(&["a.yaml"]).unwrap_err());
    assert_eq!(message, "b.yaml:1:1: `extends` goes round in a circle back to a.yaml");
}

#[test]
fn several_problems_are_reported_at_once() {
    let message = yaml("trian: 1\ntrain:\n  seed: x\nknn:\n  k: 0\n").unwrap_err();
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines[0], "3 problems in the configuration:");
    assert!(lines[1].starts_with("  `trian` = 1"), "{message}");
    assert!(lines[2].starts_with("  `train.seed` = x"), "{message}");
    assert!(lines[3].starts_with("  `knn.k` = 0"), "{message}");
    let many: String = (0..15).map(|i| format!("unknown_{i}: 1\n")).collect();
    let message = yaml(&many).unwrap_err();
    assert_eq!(message.lines().count(), 12);
    assert!(message.ends_with("and 5 more"), "{message}");
}

#[test]
fn aliases_cannot_blow_up() {
    let mut text = String::from("a0: &a0 [1, 2]\n");
    for i in 1..40 {
        text.push_str(&format!("a{i}: &a{i} [*a{0}, *a{0}]\n", i - 1));
    }
    let message = yaml(&text).unwrap_err();
    assert!(message.contains("too many values"), "{message}");
    let message = yaml(&format!("a: {}", "[".repeat(5000))).unwrap_err();
    assert!(message.contains("a.yaml:1:"), "{message}");
}

#[test]
fn the_second_views_settings_are_checked_like_the_firsts() {
    for (text, parts) in [
        ("{view2: {use_blur: true}}", &["augmentation.view2.use_blur", "unknown key"][..]),
        ("{view2: {normalize: none}}", &["augmentation.view2.normalize", "unknown key"]),
        ("{view2: {solarize: {prob: 1.5}}}", &["augmentation.view2.solarize.prob", "a number in [0, 1]"]),
        ("{view2: {gamma: {scale: '(2, 1)'}}}", &["augmentation.view2.gamma.scale", "the smaller number first"]),
        ("{gamma: {scale: '(2, 1)'}}", &["`augmentation.gamma.scale`", "the smaller number first"]),
        (
            "{use_random_crop: true, random_crop: {interpolation: bicubic}, view2: {use_random_affine: true}}",
            &["augmentation.view2.random_crop.interpolation", "`bilinear`"],
        ),
    ] {
        let error = yaml(&format!("augmentation: {text}\n")).unwrap_err();
        assert_eq!(error.lines().count(), 1, "{error}");
        for part in parts {
            assert!(error.contains(part), "`{part}` is not in: {error}");
        }
    }
    let view2 =
        yaml("augmentation: {view2: {gaussian_blur: {sigma: '(1, 2)'}, use_solarize: yes_please}}\n").unwrap_err();
    assert!(view2.contains("true or false"), "{view2}");
    let config =
        yaml("augmentation: {gamma: {scale: '(1, 2)'}, view2: {gaussian_blur: {sigma: '(1, 2)'}}}\n").unwrap().config;
    let views = config.augmentation.resolved_views().unwrap();
    assert_eq!(views.len(), 2);
    let second = &views[1].settings;
    assert_eq!(
        (second.gaussian_blur.sigma, second.gaussian_blur.prob, second.gamma.scale),
        ([1.0, 2.0], 0.5, [1.0, 2.0])
    );
}

#[test]
fn views_come_from_files_variables_and_flags_and_are_checked_there() {
    let load_with = |variable: &str, flag: &str| {
        let files = Files::new(&[(
            "a.yaml",
            "train: {self_supervision: {type: lejepa}}\naugmentation: {gamma: {scale: [1, 2]}, views: [{count: 3}]}\n",
        )]);
        let named = |name: &str, value: &str| (!value.is_empty()).then(|| (name.to_owned(), value.to_owned()));
        let env = named("SELFSAME_AUGMENTATION__VIEWS", variable).into_iter().collect();
        let sets = named("", flag).into_iter().map(|(_, flag)| flag).collect();
        load(&Sources { files: vec![files.path("a.yaml")], env, sets, ..Sources::default() })
    };
    let kinds = |variable: &str, flag: &str| -> Vec<(usize, Option<usize>, [f64; 2])> {
        let views = load_with(variable, flag).unwrap().config.augmentation.resolved_views().unwrap();
        views.iter().map(|view| (view.count, view.size, view.settings.gamma.scale)).collect()
    };
    assert_eq!(kinds("", ""), [(3, None, [1.0, 2.0])]);
    assert_eq!(kinds("[{count: 2, size: 8}]", ""), [(2, Some(8), [1.0, 2.0])], "a list replaces the list below it");
    let flag = "augmentation.views=[{}, {count: 2, gamma: {scale: '(3, 4)'}}]";
    assert_eq!(kinds("[{size: 8}]", flag), [(1, None, [1.0, 2.0]), (2, None, [3.0, 4.0])]);
    assert_eq!(kinds("", "augmentation.views=[]"), [(1, None, [1.0, 2.0]), (1, None, [1.0, 2.0])]);
    let refused = |variable: &str, flag: &str| load_with(variable, flag).unwrap_err().to_string();
    assert_eq!(
        refused("[{count: 2, gamma: {scale: [2, 1]}}]", ""),
        "`augmentation.views.0.gamma.scale` = [2.0, 1.0] (variable SELFSAME_AUGMENTATION__VIEWS): expected the smaller number first"
    );
    assert_eq!(
        refused("", "augmentation.views=[{}, {gama: 1}]"),
        "`augmentation.views.1.gama` = 1 (--set augmentation.views=[{}, {gama: 1}]): unknown key; did you mean \
         `augmentation.views.1.gamma`?"
    );
    assert!(refused("", "augmentation.views=3").contains("`augmentation.views` = 3"), "a list is expected");
    assert!(refused("", "augmentation.views=[3]").contains("`augmentation.views.0` = 3"), "a section is expected");
}

#[test]
fn keys_without_effect_are_accepted_and_reported() {
    let text = "preprocess: {use_center_crop: true, resize: 8}\naugmentation: {label_smoothing: {epsilon: 1}}\n";
    let resolved = yaml(text).unwrap();
    let keys: Vec<_> = resolved.ignored_keys.iter().map(|retired| retired.key).collect();
    assert_eq!(keys, ["augmentation.label_smoothing.epsilon", "preprocess.use_center_crop"]);
    assert_eq!(resolved.config.preprocess.resize, Some(8));
    let error = yaml("augmentation: {label_smoothing: {alpha: 1}}\n").unwrap_err();
    assert!(error.contains("augmentation.label_smoothing"), "{error}");
}

#[test]
fn a_store_size_is_a_word_or_a_number_in_every_layer() {
    use selfsame::config::schema::{StoreRule, StoreSize};
    for (text, expected) in [
        ("data:\n  store_size: 320\n", StoreSize::Pixels(320)),
        ("data:\n  store_size: original\n", StoreSize::Rule(StoreRule::Original)),
        ("data: {}\n", StoreSize::Rule(StoreRule::Auto)),
    ] {
        let config = yaml(text).unwrap().config;
        assert_eq!(config.data.store_size, expected);
        // What a run writes into its folder reads back as the same.
        let again = yaml(&selfsame::config::to_yaml(&config).unwrap()).unwrap().config;
        assert_eq!(again, config);
    }
}

#[test]
fn unknown_options_are_named_where_they_stand() {
    let resolved =
        yaml("dataset:\n  mix:\n    - {name: a, options: {chanels: 1}}\nencoder:\n  options: {deep: {x: 2}}\n")
            .unwrap();
    let config = &resolved.config;
    let said = |section, options, known: &[&str]| {
        let problems = unknown_options(&resolved, section, options, known);
        problems.iter().map(ToString::to_string).map(|text| text.split('/').next_back().unwrap().to_owned()).collect()
    };
    let mixed: Vec<String> = said("dataset.mix.0.options", &config.dataset.mix[0].options, &["channels", "csv"]);
    assert_eq!(mixed, ["a.yaml:3:27): unknown key; did you mean `dataset.mix.0.options.channels`?"]);
    let nested: Vec<String> = said("encoder.options", &config.encoder.options, &["pool"]);
    assert_eq!(nested, ["a.yaml:5:20): unknown key; known here: `pool`"]);
    let none: Vec<String> = said("encoder.options", &config.encoder.options, &[]);
    assert_eq!(none, ["a.yaml:5:20): unknown key; there are no options"]);
    assert!(unknown_options(&resolved, "encoder.options", &config.encoder.options, &["deep"]).is_empty());
}
