//! Folders that already hold files: used without the network, never changed.

use super::*;
use crate::published::CIFAR100;
use selfsame_plugin_api::ErrorKind;
use tempfile::TempDir;

#[test]
fn reads_binary_files_in_their_folder_or_directly() {
    for published in [&CIFAR10, &CIFAR100] {
        for folder in ["", published.binary.folder] {
            let root = TempDir::new().unwrap();
            write_files(&root.path().join(folder), &binary_files(published));
            let cifar = dataset(published, root.path(), offline());
            cifar.prepare(&Patient).unwrap();
            assert_synthetic(published, &cifar);
        }
    }
}

#[test]
fn files_one_folder_too_deep_are_named_instead_of_downloaded() {
    for published in [&CIFAR10, &CIFAR100] {
        let root = TempDir::new().unwrap();
        let folder = root.path().join(published.binary.folder);
        write_files(&folder.join(published.binary.folder), &binary_files(published));
        let error = dataset(published, root.path(), offline()).prepare(&Patient).unwrap_err();
        let advice = format!("lie one folder too deep; set dataset.dataset_dir to {}", folder.display());
        assert!(error.message.contains(&advice), "{error}");
        let cifar = dataset(published, &folder, offline());
        cifar.prepare(&Patient).unwrap();
        assert_synthetic(published, &cifar);
    }
}

#[test]
fn unpacks_an_archive_that_lies_there() {
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("cifar-10-binary.tar.gz"), archive()).unwrap();
    let cifar = dataset(&CIFAR10, root.path(), offline());
    cifar.prepare(&Patient).unwrap();
    assert_synthetic(&CIFAR10, &cifar);
    assert_eq!(listing(root.path()), [CIFAR10.binary.folder, "cifar-10-binary.tar.gz"]);
}

/// Prepares a folder with these files; the error, after checking that every file is still there.
fn refused(published: &Published, files: &[(&str, Vec<u8>)], options: Value) -> String {
    let root = TempDir::new().unwrap();
    write_files(root.path(), files);
    let error = dataset(published, root.path(), options).prepare(&Patient).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Data);
    assert!(error.message.contains("dataset.dataset_dir"), "no advice in: {error}");
    for (name, bytes) in files {
        assert_eq!(&fs::read(root.path().join(name)).unwrap(), bytes);
    }
    error.message
}

#[test]
fn rejects_truncated_file() {
    let mut files = binary_files(&CIFAR10);
    files[1].1.truncate(7000);
    let message = refused(&CIFAR10, &files, offline());
    assert!(message.contains("data_batch_2.bin: 7000 bytes"), "{message}");
    assert!(message.contains("2 records and 854 bytes"), "{message}");
}

#[test]
fn rejects_empty_file() {
    let mut files = binary_files(&CIFAR10);
    files[0].1.clear();
    let message = refused(&CIFAR10, &files, offline());
    assert!(message.contains("data_batch_1.bin: 0 bytes"), "{message}");
}

#[test]
fn rejects_impossible_coarse_and_fine_labels() {
    for (byte, meaning) in [(0, "coarse label 200, expected 0 to 19"), (1, "fine label 200, expected 0 to 99")] {
        let mut files = binary_files(&CIFAR100);
        files[0].1[3 * CIFAR100.record() + byte] = 200;
        let message = refused(&CIFAR100, &files, offline());
        assert!(message.contains("train.bin: record 3") && message.contains(meaning), "{message}");
    }
}

#[test]
fn rejects_files_of_the_right_size_that_are_not_the_published_ones() {
    let mut files = binary_files(&CIFAR10);
    files[0].1 = vec![0; 10_000 * CIFAR10.record()];
    let message = refused(&CIFAR10, &files, json!({}));
    assert!(message.contains("data_batch_1.bin") && message.contains("SHA-256") && message.contains("cee91656"));
    files[0].1[42 * CIFAR10.record()] = 11;
    let message = refused(&CIFAR10, &files, json!({}));
    assert!(message.contains("record 42 has the label 11"), "{message}");
}

#[test]
fn names_the_files_that_are_missing() {
    let mut files = binary_files(&CIFAR10);
    files.truncate(4);
    let message = refused(&CIFAR10, &files, offline());
    assert!(message.contains("data_batch_5.bin, test_batch.bin"), "{message}");
}

#[test]
fn opens_no_split_that_the_card_does_not_list() {
    let root = TempDir::new().unwrap();
    write_files(root.path(), &binary_files(&CIFAR10));
    let error = dataset(&CIFAR10, root.path(), offline()).open(Split::Val).err().unwrap();
    assert!(error.message.contains("val") && error.message.contains("train and test"), "{error}");
}

#[test]
fn asks_to_be_prepared_before_it_opens() {
    let root = TempDir::new().unwrap();
    let error = dataset(&CIFAR10, root.path(), offline()).open(Split::Train).err().unwrap();
    assert!(error.message.contains("prepare"), "{error}");
}

#[test]
fn a_pipe_in_place_of_a_file_is_not_waited_for() {
    for (name, expected) in
        [("data_batch_1.bin", "data_batch_1.bin"), ("cifar-10-binary.tar.gz", "cifar-10-binary.tar.gz")]
    {
        let root = TempDir::new().unwrap();
        write_files(root.path(), &binary_files(&CIFAR10)[if name.ends_with("gz") { 6.. } else { 1.. }]);
        let made = std::process::Command::new("mkfifo").arg(root.path().join(name)).status().unwrap();
        assert!(made.success());
        let (sender, receiver) = std::sync::mpsc::channel();
        let folder = root.path().to_owned();
        std::thread::spawn(move || sender.send(dataset(&CIFAR10, &folder, offline()).prepare(&Patient)));
        let error = receiver.recv_timeout(std::time::Duration::from_secs(60)).expect("an end").unwrap_err();
        assert!(error.message.contains(expected), "{error}");
    }
}
