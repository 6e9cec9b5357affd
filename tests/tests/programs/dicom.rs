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
