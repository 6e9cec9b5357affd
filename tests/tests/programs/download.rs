//! CIFAR-10 from a server that fails halfway.

use selfsame_tests::mirror::{ARCHIVE, Mirror, cifar10_archive};
use selfsame_tests::{Sandbox, TINY};

#[test]
fn a_broken_download_is_resumed_and_trained_on() {
    let sandbox = Sandbox::new();
    let mirror = Mirror::start(cifar10_archive(40));
    let options = format!("--set dataset.options.mirror={} --set dataset.options.checksum=none", mirror.address);
    let small =
        TINY.replace("--set dataset.name=shapes --set dataset.options.train_size=64", "--set dataset.name=CIFAR10");
    sandbox.run(&format!("train {small} {options} --set scheduler.epochs=1 --output-dir run")).succeeded();
    let starts = mirror.starts.lock().unwrap().clone();
    assert_eq!(starts[0], 0);
    assert!(starts.len() == 2 && starts[1] > 0, "the second request asked from byte {starts:?}");

    // A second run finds everything in place.
    sandbox.run(&format!("data fetch --set dataset.name=CIFAR10 {options}")).succeeded();
    assert_eq!(mirror.starts.lock().unwrap().len(), 2);
}

#[test]
fn files_that_are_not_the_published_ones_are_refused_by_name() {
    let sandbox = Sandbox::new();
    let archive = sandbox.path(ARCHIVE);
    std::fs::write(&archive, cifar10_archive(5)).unwrap();
    let mirror = format!("--set dataset.options.mirror=file://{}", archive.display());
    sandbox.run(&format!("data fetch --set dataset.name=CIFAR10 {mirror}")).failed(3, &["CIFAR10", "data_batch_1.bin"]);
    assert!(archive.exists());
}

#[test]
fn a_folder_without_the_files_and_without_a_network_says_what_to_do() {
    let sandbox = Sandbox::new();
    let mirror = "--set dataset.options.mirror=http://127.0.0.1:9";
    sandbox.run(&format!("data fetch --set dataset.name=CIFAR10 {mirror}")).failed(
        3,
        &[
            "CIFAR10",
            "127.0.0.1:9",
            "run again",
            "set dataset.options.mirror to another address, or put the files into dataset.dataset_dir",
        ],
    );
}
