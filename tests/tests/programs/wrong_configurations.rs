//! Mistakes that users make, one of each way into the program: one clear error and exit code 2, before anything is
//! downloaded. What the errors say is tested on the library, in `host/tests/library/config_mistakes.rs`.

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
fn a_variable_that_is_no_key() {
    let parts = ["`home`", "variable SELFSAME_HOME", "every variable that begins with `SELFSAME_` is read as a key"];
    with_variable("SELFSAME_HOME", "/x", &parts);
    let sandbox = Sandbox::new();
    let mut doctor = sandbox.command("doctor");
    selfsame_tests::Running::start(doctor.env("SELFSAME_HOME", "/x")).finish().succeeded();
}

#[test]
fn an_unknown_key() {
    with_file("dataset:\n  name: shapes\n  colour: red\n", &["dataset.colour", "run.yaml:3"]);
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
fn a_device_that_does_not_exist() {
    with_set("train.device=gpu0", &["`train.device` = \"gpu0\"", "expected `auto`, `cpu`, `cuda` or `cuda:N`"]);
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
        &["`dataset.mix.0.options.sise` = 64 (run.yaml:4:32): unknown key; did you mean `dataset.mix.0.options.size`?"],
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
