//! Mirrors: addresses of folders and archives, and what they may hold.

use super::server::{Reply, Server};
use super::*;
use selfsame_plugin_api::ErrorKind;
use tempfile::TempDir;

#[test]
fn takes_the_address_of_an_archive_as_it_is() {
    let body = archive();
    let server = Server::start(move |_, _| Reply::ok(&body));
    let root = TempDir::new().unwrap();
    let mirror = format!("{}/deep/other-name.tar.gz", server.address);
    dataset(&CIFAR10, root.path(), from_mirror(&mirror)).prepare(&Patient).unwrap();
    assert_eq!(server.requests()[0].path, "/deep/other-name.tar.gz");
}

#[test]
fn reads_a_mirror_on_this_machine() {
    let mirror = TempDir::new().unwrap();
    let path = mirror.path().join("cifar-10-binary.tar.gz");
    fs::write(&path, archive()).unwrap();
    for address in [mirror.path(), path.as_path()] {
        let root = TempDir::new().unwrap();
        let cifar = dataset(&CIFAR10, root.path(), from_mirror(&format!("file://{}", address.display())));
        cifar.prepare(&Patient).unwrap();
        assert_synthetic(&CIFAR10, &cifar);
        assert_eq!(listing(root.path()), [CIFAR10.binary.folder]);
    }
    assert!(path.is_file());
}

#[test]
fn names_a_mirror_on_this_machine_that_is_not_there() {
    let root = TempDir::new().unwrap();
    let error = dataset(&CIFAR10, root.path(), from_mirror("file:///nowhere/x.tar.gz")).prepare(&Patient).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Data);
    assert!(error.message.contains("/nowhere/x.tar.gz"), "{error}");
}

/// Prepares from a mirror that serves `body`; the error, after checking that the folder is as it was.
fn refused(body: Vec<u8>, checksum: &str) -> String {
    let server = Server::start(move |_, _| Reply::ok(&body));
    let root = TempDir::new().unwrap();
    let options = json!({ "mirror": server.address, "checksum": checksum });
    let error = dataset(&CIFAR10, root.path(), options).prepare(&Patient).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Data);
    assert!(error.message.contains(&server.address), "{error}");
    assert!(listing(root.path()).is_empty(), "{:?}", listing(root.path()));
    error.message
}

#[test]
fn rejects_a_file_that_is_announced_larger_than_any_archive() {
    let server = Server::start(|_, _| Reply { length: Some(1 << 40), ..Reply::ok(&[0; 4096]) });
    let root = TempDir::new().unwrap();
    let error = dataset(&CIFAR10, root.path(), from_mirror(&server.address)).prepare(&Patient).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Data);
    for part in [&server.address, "announces 1099511627776 bytes", "at most 2147483648"] {
        assert!(error.message.contains(part), "{error}");
    }
    assert!(listing(root.path()).is_empty() && server.requests().len() == 1, "{:?}", listing(root.path()));
}

#[test]
fn passes_over_names_and_fields_in_entries_of_their_own_however_long() {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut add = |name: String, kind: tar::EntryType, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_path(name).unwrap();
        header.set_cksum();
        tar.append(&header, bytes).unwrap();
    };
    for (name, bytes) in binary_files(&CIFAR10) {
        for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader, tar::EntryType::XGlobalHeader] {
            add("././@LongLink".into(), kind, &vec![b'x'; 1 << 21]);
        }
        add(format!("{}/{name}", CIFAR10.binary.folder), tar::EntryType::Regular, &bytes);
    }
    let body = tar.into_inner().unwrap().finish().unwrap();
    let server = Server::start(move |_, _| Reply::ok(&body));
    let root = TempDir::new().unwrap();
    let cifar = dataset(&CIFAR10, root.path(), from_mirror(&server.address));
    cifar.prepare(&Patient).unwrap();
    assert_synthetic(&CIFAR10, &cifar);
}

#[test]
fn rejects_what_is_no_archive() {
    let message = refused(b"<html>Log in first</html>".repeat(100), "none");
    assert!(message.contains("gzip"), "{message}");
}

#[test]
fn rejects_a_truncated_archive() {
    let mut body = archive();
    body.truncate(body.len() / 2);
    refused(body, "none");
}

#[test]
fn rejects_an_archive_without_a_member() {
    let mut files = binary_files(&CIFAR10);
    files.remove(2);
    let message = refused(pack(&CIFAR10.binary, &files), "none");
    assert!(message.contains("data_batch_3.bin"), "{message}");
}

#[test]
fn rejects_members_that_are_not_the_published_ones() {
    let message = refused(archive(), "official");
    assert!(message.contains("data_batch_1.bin") && message.contains("expected 30730000"), "{message}");
}

#[test]
fn rejects_members_with_an_impossible_label() {
    let mut files = binary_files(&CIFAR10);
    files[5].1[2 * CIFAR10.record()] = 10;
    let message = refused(pack(&CIFAR10.binary, &files), "none");
    assert!(message.contains("test_batch.bin: record 2 has the label 10, expected 0 to 9"), "{message}");
}

#[test]
fn removes_what_an_interrupted_process_left() {
    let mirror = TempDir::new().unwrap();
    fs::write(mirror.path().join("cifar-10-binary.tar.gz"), archive()).unwrap();
    let root = TempDir::new().unwrap();
    write_files(&root.path().join(".cifar-10-batches-bin.partial"), &[("data_batch_1.bin", vec![1]), ("x", vec![2])]);
    let cifar = dataset(&CIFAR10, root.path(), from_mirror(&format!("file://{}", mirror.path().display())));
    cifar.prepare(&Patient).unwrap();
    assert_synthetic(&CIFAR10, &cifar);
    assert_eq!(listing(root.path()), [CIFAR10.binary.folder]);
    assert_eq!(listing(&root.path().join(CIFAR10.binary.folder)).len(), 6);
}
