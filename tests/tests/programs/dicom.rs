//! DICOM files from a folder to a trained encoder.

use selfsame_tests::rsna::{Labels, write};
use selfsame_tests::{Sandbox, TINY, metrics};

#[test]
fn the_challenges_folder_trains_in_both_forms_of_its_labels() {
    let sandbox = Sandbox::new();
    let losses = [Labels::Subjects, Labels::Boxes].map(|labels| {
        let name = format!("{labels:?}");
        write(&sandbox.path(&name), 60, 48, labels, 0).expect("films");
        // `shapes` has an option that this data set lacks.
        let tiny = TINY.replace("--set dataset.name=shapes --set dataset.options.train_size=64", "");
        let set = format!("--set dataset.name=RSNAKaggle --set dataset.dataset_dir={name} --set scheduler.epochs=1");
        sandbox.run(&format!("train {tiny} {set} --output-dir run-{name}")).succeeded();
        let lines = metrics(&sandbox.path(&format!("run-{name}")));
        let loss = lines.iter().rev().find_map(|line| line["metrics"]["ssl/train/epoch_loss"].as_f64());
        loss.expect("a loss")
    });
    assert_eq!(losses[0], losses[1]);
}

#[test]
fn windows_of_the_options_are_the_channels_that_an_encoder_is_trained_on() {
    let sandbox = Sandbox::new();
    write(&sandbox.path("films"), 24, 32, Labels::Subjects, 0).expect("films");
    let films = "--set dataset.name=RSNAKaggle --set dataset.dataset_dir=films \
                 --set dataset.options.windows=[[64,128],[192,128]]";
    let ran = sandbox.run(&format!("data stats {films} --json")).succeeded();
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let mean = json["data_sets"][0]["splits"]["train"]["mean"].as_array().expect("a mean of each channel").clone();
    // The upper half of the values is white in the first window, the lower half black in the second.
    assert!(mean.len() == 2 && mean[0].as_f64() > mean[1].as_f64(), "{mean:?}");
    let tiny = TINY.replace("--set dataset.name=shapes --set dataset.options.train_size=64", "");
    let set =
        "--set scheduler.epochs=1 --set train.batch_size=8 --set augmentation.use_random_color=false --output-dir run";
    sandbox.run(&format!("train {tiny} {films} {set}")).succeeded();
}
