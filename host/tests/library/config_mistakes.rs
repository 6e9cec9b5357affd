//! Mistakes that users make in files, in `--set` and in variables: one clear error each, with where it stands and what was
//! expected.

use crate::config_common::yaml;
use selfsame::config::{Sources, load};

/// Asserts that an error is about one problem and holds each of `parts`.
#[track_caller]
fn assert_one(message: &str, parts: &[&str]) {
    assert!(!message.contains("problems in the configuration"), "{message}");
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[track_caller]
fn with_file(text: &str, parts: &[&str]) {
    assert_one(&yaml(text).expect_err(text), parts);
}

#[track_caller]
fn with_sets(sets: &[&str], parts: &[&str]) {
    let named = ["dataset.name=shapes"].iter().chain(sets).map(|set| (*set).to_owned()).collect();
    assert_one(&load(&Sources { sets: named, ..Sources::default() }).expect_err(sets[0]).to_string(), parts);
}

#[track_caller]
fn with_variable(name: &str, value: &str, parts: &[&str]) {
    let env = vec![(name.to_owned(), value.to_owned())];
    assert_one(&load(&Sources { env, ..Sources::default() }).expect_err(name).to_string(), parts);
}

#[test]
fn a_misspelt_key_gets_the_nearest_one() {
    with_file("dataset:\n  name: shapes\ntrain:\n  batch_sise: 64\n", &["train.batch_sise", "a.yaml:4", "batch_size"]);
}

#[test]
fn a_misspelt_section_gets_the_nearest_one() {
    with_file("dataset:\n  name: shapes\nschedular:\n  epochs: 3\n", &["schedular", "a.yaml:3", "scheduler"]);
}

#[test]
fn a_word_where_a_number_belongs() {
    with_file(
        "dataset:\n  name: shapes\ntrain:\n  batch_size: many\n",
        &["train.batch_size", "many", "a.yaml:4", "at least 2"],
    );
}

#[test]
fn a_list_where_a_mapping_belongs() {
    with_file("dataset: [shapes]\n", &["`dataset`", "a.yaml:1", "a section with the keys `dataset_dir`"]);
}

#[test]
fn a_fraction_where_a_whole_number_belongs() {
    with_file(
        "dataset:\n  name: shapes\nscheduler:\n  epochs: 1.5\n",
        &["scheduler.epochs", "1.5", "a.yaml:4", "an integer of at least 1"],
    );
}

#[test]
fn an_unknown_method_gets_the_known_ones() {
    let yaml = "dataset:\n  name: shapes\ntrain:\n  self_supervision:\n    type: sim_clr\n";
    with_file(yaml, &["train.self_supervision.type", "sim_clr", "simclr", "a.yaml:5"]);
}

#[test]
fn micro_batches_that_do_not_fill_the_batch() {
    with_sets(&["train.micro_batch_size=100"], &["train.micro_batch_size", "100", "divisor", "512"]);
}

#[test]
fn an_average_of_an_average() {
    let sets = ["train.self_supervision.type=byol", "method.byol.embedding=target", "train.encoder_ema_decay=0.9"];
    with_sets(&sets, &["train.encoder_ema_decay", "embedding: target"]);
}

#[test]
fn a_validation_share_of_all_samples() {
    with_file(
        "dataset:\n  name: shapes\ndata:\n  val_fraction: 1.0\n",
        &["data.val_fraction", "a.yaml:4", "a number in [0, 1)"],
    );
}

#[test]
fn a_negative_learning_rate() {
    with_sets(&["train.base_lr=-0.1"], &["`train.base_lr` = -0.1 (--set", "expected a number above 0"]);
}

#[test]
fn a_learning_rate_that_is_not_a_number() {
    with_sets(&["train.base_lr=.nan"], &["`train.base_lr` = .nan (--set", "expected a number above 0; a finite one"]);
}

#[test]
fn a_temperature_of_zero() {
    with_sets(&["method.temperature=0"], &["`method.temperature` = 0.0 (--set", "expected a number of at least 0.001"]);
}

#[test]
fn an_unknown_key_in_a_set() {
    with_sets(&["optimiser.name=sgd"], &["optimiser", "optimizer", "--set"]);
}

#[test]
fn a_crop_scale_upside_down() {
    with_sets(
        &["augmentation.random_crop.scale=[1.0,0.2]"],
        &["`augmentation.random_crop.scale` = [1.0, 0.2]", "the smaller number first"],
    );
}

#[test]
fn more_warm_up_than_epochs() {
    with_sets(
        &["scheduler.epochs=2", "scheduler.warmup_epochs=5"],
        &["`scheduler.warmup_epochs` = 5", "at most `scheduler.epochs`, which is 2"],
    );
}

#[test]
fn a_variable_with_an_unknown_key() {
    with_variable("SELFSAME_TRAIN__BATCHSIZE", "64", &["SELFSAME_TRAIN__BATCHSIZE", "batch_size"]);
}

#[test]
fn a_file_that_is_not_yaml() {
    with_file("dataset:\n  name: [shapes\ntrain: }\n", &["a.yaml:", "not valid YAML"]);
}

#[test]
fn a_key_given_twice() {
    with_file("dataset:\n  name: shapes\n  name: CIFAR10\n", &["`name` a second time", "a.yaml:3", "on line 2"]);
}
