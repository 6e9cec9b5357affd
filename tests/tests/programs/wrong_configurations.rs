//! Mistakes that users make, each answered by one clear error and exit code 2, before anything is downloaded.

use selfsame_tests::Sandbox;

fn with_file(yaml: &str, parts: &[&str]) {
    let sandbox = Sandbox::new();
    sandbox.write("run.yaml", yaml);
    sandbox.run("train --config run.yaml --output-dir run").failed(2, parts);
    assert!(!sandbox.path("run").join("metrics.jsonl").exists());
}

fn with_set(set: &str, parts: &[&str]) {
    Sandbox::new().run(&format!("train --set dataset.name=shapes --set {set}")).failed(2, parts);
}

fn with_variable(name: &str, value: &str, parts: &[&str]) {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command("train --set dataset.name=shapes");
    selfsame_tests::Running::start(command.env(name, value)).finish().failed(2, parts);
}

#[test]
fn an_unknown_key() {
    with_file("dataset:\n  name: shapes\n  colour: red\n", &["dataset.colour", "run.yaml:3"]);
}

#[test]
fn a_misspelt_key_gets_the_nearest_one() {
    with_file(
        "dataset:\n  name: shapes\ntrain:\n  batch_sise: 64\n",
        &["train.batch_sise", "run.yaml:4", "batch_size"],
    );
}

#[test]
fn a_misspelt_section_gets_the_nearest_one() {
    with_file("dataset:\n  name: shapes\nschedular:\n  epochs: 3\n", &["schedular", "run.yaml:3", "scheduler"]);
}

#[test]
fn a_word_where_a_number_belongs() {
    with_file(
        "dataset:\n  name: shapes\ntrain:\n  batch_size: many\n",
        &["train.batch_size", "many", "run.yaml:4", "at least 2"],
    );
}

#[test]
fn a_list_where_a_mapping_belongs() {
    with_file("dataset: [shapes]\n", &["`dataset`", "run.yaml:1", "a section with the keys `dataset_dir`"]);
}

#[test]
fn a_fraction_where_a_whole_number_belongs() {
    with_file(
        "dataset:\n  name: shapes\nscheduler:\n  epochs: 1.5\n",
        &["scheduler.epochs", "1.5", "run.yaml:4", "an integer of at least 1"],
    );
}

#[test]
fn an_unknown_method_gets_the_known_ones() {
    let yaml = "dataset:\n  name: shapes\ntrain:\n  self_supervision:\n    type: sim_clr\n";
    with_file(yaml, &["train.self_supervision.type", "sim_clr", "simclr", "run.yaml:5"]);
}

#[test]
fn micro_batches_that_do_not_fill_the_batch() {
    with_set("train.micro_batch_size=100", &["train.micro_batch_size", "100", "divisor", "512"]);
}

#[test]
fn an_average_of_an_average() {
    let method = "train.self_supervision.type=byol --set method.byol.embedding=target";
    with_set(&format!("{method} --set train.encoder_ema_decay=0.9"), &["train.encoder_ema_decay", "embedding: target"]);
}

#[test]
fn a_validation_share_of_all_samples() {
    with_file(
        "dataset:\n  name: shapes\ndata:\n  val_fraction: 1.0\n",
        &["data.val_fraction", "run.yaml:4", "a number in [0, 1)"],
    );
}

#[test]
fn a_negative_learning_rate() {
    with_set("train.base_lr=-0.1", &["`train.base_lr` = -0.1 (--set", "expected a number above 0"]);
}

#[test]
fn a_learning_rate_that_is_not_a_number() {
    with_set("train.base_lr=.nan", &["`train.base_lr` = .nan (--set", "expected a number above 0; a finite one"]);
}

#[test]
fn a_temperature_of_zero() {
    with_set("method.temperature=0", &["`method.temperature` = 0.0 (--set", "expected a number above 0"]);
}

#[test]
fn a_batch_of_one() {
    with_set("train.batch_size=1", &["`train.batch_size` = 1 (--set", "expected an integer of at least 2"]);
}

#[test]
fn a_set_without_an_equals_sign() {
    with_set("train.batch_size", &["--set train.batch_size: has no `=`", "train.batch_size=64"]);
}

#[test]
fn an_unknown_key_in_a_set() {
    with_set("optimiser.name=sgd", &["optimiser", "optimizer", "--set"]);
}

#[test]
fn a_crop_scale_upside_down() {
    with_set(
        "augmentation.random_crop.scale=[1.0,0.2]",
        &["`augmentation.random_crop.scale` = [1, 0.2]", "the smaller number first"],
    );
}

#[test]
fn more_warm_up_than_epochs() {
    with_set(
        "scheduler.epochs=2 --set scheduler.warmup_epochs=5",
        &["`scheduler.warmup_epochs` = 5", "at most `scheduler.epochs`, which is 2"],
    );
}

#[test]
fn a_device_that_does_not_exist() {
    with_set("train.device=gpu0", &["`train.device` = \"gpu0\"", "expected `auto`, `cpu`, `cuda` or `cuda:N`"]);
}

#[test]
fn a_variable_with_an_unknown_key() {
    with_variable("SELFSAME_TRAIN__BATCHSIZE", "64", &["SELFSAME_TRAIN__BATCHSIZE", "batch_size"]);
}

#[test]
fn a_variable_with_a_wrong_type() {
    with_variable("SELFSAME_TRAIN__BATCH_SIZE", "plenty", &["SELFSAME_TRAIN__BATCH_SIZE", "plenty", "at least 2"]);
}

#[test]
fn a_file_that_is_not_there() {
    Sandbox::new().run("train --config nowhere.yaml").failed(2, &["nowhere.yaml", "cannot be read"]);
}

#[test]
fn a_file_that_is_not_yaml() {
    with_file("dataset:\n  name: [shapes\ntrain: }\n", &["run.yaml:", "not valid YAML"]);
}

#[test]
fn a_key_given_twice() {
    with_file("dataset:\n  name: shapes\n  name: CIFAR10\n", &["`name` a second time", "run.yaml:3", "on line 2"]);
}

#[test]
fn files_that_extend_each_other() {
    let sandbox = Sandbox::new();
    sandbox.write("a.yaml", "extends: b.yaml\n");
    sandbox.write("b.yaml", "extends: a.yaml\n");
    sandbox.run("train --config a.yaml").failed(2, &["a.yaml", "b.yaml", "in a circle"]);
}

#[test]
fn an_unknown_option_of_the_data_set() {
    with_set("dataset.options.sides=7", &["`dataset.options.sides` = 7 (--set", "known here: ", "`train_size`"]);
}

#[test]
fn options_are_checked_wherever_a_data_set_or_an_encoder_takes_some() {
    let refused = |more: &str, parts: &[&str]| {
        let sandbox = Sandbox::new();
        sandbox.write("run.yaml", &format!("dataset:\n  name: shapes\n{more}"));
        for command in ["config check", "config show", "data fetch", "train", "preview --out views.png"] {
            sandbox.run(&format!("{command} --config run.yaml")).failed(2, parts);
        }
    };
    refused(
        "  options:\n    train_sise: 64\n",
        &["`dataset.options.train_sise` = 64 (run.yaml:4:5): unknown key; did you mean `dataset.options.train_size`?"],
    );
    refused(
        "  options: {nested: {deeply: 1}}\n",
        &["`dataset.options.nested` (run.yaml:3:22): unknown key; known here: ", "`train_size`"],
    );
    refused(
        "  mix:\n    - {name: shapes, options: {sise: 64}}\n",
        &["`dataset.mix.options.sise` = 64 (run.yaml:3:3): unknown key; did you mean `dataset.mix.options.size`?"],
    );
    refused(
        "linear_head:\n  dataset:\n    name: shapes\n    options: {train_sise: 64}\n",
        &["`linear_head.dataset.options.train_sise` = 64 (run.yaml:6:15)", "`linear_head.dataset.options.train_size`"],
    );
    refused("encoder:\n  options: {pool: avg}\n", &["`encoder.options.pool` = \"avg\" (run.yaml:4:13): unknown key"]);
}

#[test]
fn settings_of_a_head_without_batches_of_its_own_are_named_where_they_stand() {
    let augmentation = "dataset:\n  name: shapes\nlinear_head:\n  augmentation:\n    use_gaussian_blur: true\n";
    with_file(
        augmentation,
        &["`linear_head.augmentation` = set (run.yaml:5:5)", "`linear_head.dataset.name`", "`dataset.mix`"],
    );
    let view2 = "dataset:\n  name: shapes\nlinear_head:\n  dataset: {name: shapes}\n  augmentation:\n    view2:\n      \
                 use_gaussian_blur: true\n";
    with_file(view2, &["`linear_head.augmentation.view2` = {use_gaussian_blur: true} (run.yaml:7:7)", "one view"]);
}

#[test]
fn an_unknown_encoder_gets_the_nearest_one() {
    let sandbox = Sandbox::new();
    let set = "--set dataset.name=shapes --set train.self_supervision.encoder_name=resnet_18";
    sandbox.run(&format!("train {set}")).failed(2, &["resnet_18", "resnet18"]);
}

#[test]
fn an_unknown_flag() {
    Sandbox::new().run("train --bach-size 3").failed(2, &["--bach-size"]);
}
