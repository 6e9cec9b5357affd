//! Downloads from a server that misbehaves.

use super::server::{Reply, Server};
use super::*;
use selfsame_plugin_api::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

const PART: &str = "cifar-10-binary.tar.gz.part";
const SENT: usize = 30_000;

fn fetch(server: &Server) -> (TempDir, Cifar, selfsame_plugin_api::Result<()>) {
    let root = TempDir::new().unwrap();
    let cifar = dataset(&CIFAR10, root.path(), from_mirror(&server.address));
    let outcome = cifar.prepare(&Patient);
    (root, cifar, outcome)
}

#[test]
fn downloads_unpacks_and_leaves_nothing_else() {
    let body = archive();
    let server = Server::start(move |_, _| Reply::ok(&body));
    let (root, cifar, outcome) = fetch(&server);
    outcome.unwrap();
    assert_synthetic(&CIFAR10, &cifar);
    assert_eq!(listing(root.path()), [CIFAR10.binary.folder]);
    assert_eq!(server.requests()[0].path, "/cifar-10-binary.tar.gz");
    // The second time nothing is asked for.
    cifar.prepare(&Patient).unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn keeps_downloads_in_a_folder_of_its_own_below_the_cache() {
    let body = archive();
    let server = Server::start(move |_, _| Reply::ok(&body));
    let cache = TempDir::new().unwrap();
    let cifar = Cifar::new(&DatasetRequest {
        name: "CIFAR10".into(),
        dataset_dir: None,
        cache_dir: cache.path().into(),
        options: from_mirror(&server.address),
    })
    .unwrap();
    cifar.prepare(&Patient).unwrap();
    assert!(cache.path().join("CIFAR10/cifar-10-batches-bin/test_batch.bin").is_file());
}

#[test]
fn resumes_after_the_connection_breaks() {
    let body = archive();
    let server = Server::start(move |request, before| {
        let reply = Reply::file(request, &body, "\"v1\"");
        if before == 0 { reply.broken_after(SENT) } else { reply }
    });
    let (_root, cifar, outcome) = fetch(&server);
    outcome.unwrap();
    assert_synthetic(&CIFAR10, &cifar);
    assert_eq!(server.ranges(), [None, Some(format!("bytes={SENT}-"))]);
    assert_eq!(server.requests()[1].headers["if-range"], "\"v1\"");
}

#[test]
fn starts_again_where_the_server_has_no_ranges() {
    let body = archive();
    let server = Server::start(move |_, before| {
        let reply = Reply::ok(&body);
        if before == 0 { reply.broken_after(SENT) } else { reply }
    });
    let (_root, cifar, outcome) = fetch(&server);
    outcome.unwrap();
    assert_synthetic(&CIFAR10, &cifar);
    assert_eq!(server.ranges(), [None, Some(format!("bytes={SENT}-"))]);
}

#[test]
fn starts_again_when_the_file_changed_meanwhile() {
    let (old, new) = (vec![7; 60_000], archive());
    let server = Server::start(move |request, before| {
        if before == 0 {
            Reply::file(request, &old, "\"v1\"").broken_after(SENT)
        } else {
            Reply::file(request, &new, "\"v2\"")
        }
    });
    let (_root, cifar, outcome) = fetch(&server);
    outcome.unwrap();
    assert_synthetic(&CIFAR10, &cifar);
}

#[test]
fn refuses_to_append_a_range_of_another_file() {
    let (old, new) = (vec![7; 60_000], archive());
    let server = Server::start(move |request, before| {
        if before == 0 {
            return Reply::file(request, &old, "\"v1\"").broken_after(SENT);
        }
        // Ignores If-Range, as some servers do.
        let mut request = request.clone();
        request.headers.remove("if-range");
        Reply::file(&request, &new, "\"v2\"")
    });
    let (_root, cifar, outcome) = fetch(&server);
    outcome.unwrap();
    assert_synthetic(&CIFAR10, &cifar);
    assert_eq!(server.ranges(), [None, Some(format!("bytes={SENT}-")), None]);
}

#[test]
fn completes_a_part_that_needs_no_more_bytes() {
    let body = archive();
    let root = TempDir::new().unwrap();
    let length = body.len();
    fs::write(root.path().join(PART), &body).unwrap();
    let server = Server::start(move |request, _| Reply::file(request, &body, "\"v1\""));
    let url = format!("{}/cifar-10-binary.tar.gz", server.address);
    let note = json!({ "url": url, "etag": "\"v1\"", "last_modified": null, "total": null });
    fs::write(root.path().join(format!("{PART}.json")), note.to_string()).unwrap();
    let cifar = dataset(&CIFAR10, root.path(), from_mirror(&server.address));
    cifar.prepare(&Patient).unwrap();
    assert_synthetic(&CIFAR10, &cifar);
    assert_eq!(server.ranges(), [Some(format!("bytes={length}-"))]);
}

#[test]
fn starts_afresh_when_the_joined_parts_are_damaged() {
    let body = archive();
    let root = TempDir::new().unwrap();
    fs::write(root.path().join(PART), vec![0; SENT]).unwrap();
    let server = Server::start(move |request, _| Reply::file(request, &body, "\"v1\""));
    let url = format!("{}/cifar-10-binary.tar.gz", server.address);
    let note = json!({ "url": url, "etag": "\"v1\"", "last_modified": null, "total": null });
    fs::write(root.path().join(format!("{PART}.json")), note.to_string()).unwrap();
    let cifar = dataset(&CIFAR10, root.path(), from_mirror(&server.address));
    cifar.prepare(&Patient).unwrap();
    assert_synthetic(&CIFAR10, &cifar);
    assert_eq!(server.ranges(), [Some(format!("bytes={SENT}-")), None]);
}

#[test]
fn repeats_after_server_errors() {
    let body = archive();
    let server = Server::start(move |_, before| match before {
        0 => Reply::status(500),
        1 => Reply::status(429),
        _ => Reply::ok(&body),
    });
    let (_root, cifar, outcome) = fetch(&server);
    outcome.unwrap();
    assert_synthetic(&CIFAR10, &cifar);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn gives_up_after_the_last_attempt() {
    let server = Server::start(|_, _| Reply::status(503));
    let (_root, _cifar, outcome) = fetch(&server);
    let error = outcome.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Data);
    assert!(error.message.contains("503") && error.message.contains("3 attempts"), "{error}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn does_not_repeat_what_the_server_refuses() {
    for status in [404, 403] {
        let server = Server::start(move |_, _| Reply::status(status));
        let (_root, _cifar, outcome) = fetch(&server);
        let error = outcome.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Data);
        let url = format!("{}/cifar-10-binary.tar.gz", server.address);
        assert!(error.message.contains(&status.to_string()) && error.message.contains(&url), "{error}");
        assert!(error.message.contains("dataset.options.mirror"), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn reports_a_server_that_is_not_there() {
    let root = TempDir::new().unwrap();
    let error = dataset(&CIFAR10, root.path(), offline()).prepare(&Patient).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Data);
    assert!(error.message.contains("127.0.0.1:1") && error.message.contains("refused"), "{error}");
}

/// Stops the download once some bytes have come.
#[derive(Default)]
struct Impatient {
    stopped: AtomicBool,
}

impl Services for Impatient {
    fn progress(&self, what: &str, done: u64, total: Option<u64>) -> Result<(), Cancelled> {
        if what.starts_with("downloading") && done > 0 {
            assert!(total.is_some_and(|total| total > done));
            self.stopped.store(true, Ordering::Relaxed);
            return Err(Cancelled);
        }
        Ok(())
    }
}

#[test]
fn keeps_the_part_when_cancelled_and_goes_on_from_it() {
    // Larger than the first chunk, so that a remainder is left.
    let mut files = binary_files(&CIFAR10);
    files.push(("readme", (0..300_000).map(|byte| pixel(9, 9, byte)).collect()));
    let body = pack(&CIFAR10.binary, &files);
    let server = Server::start(move |request, _| Reply::file(request, &body, "\"v1\""));
    let root = TempDir::new().unwrap();
    let cifar = dataset(&CIFAR10, root.path(), from_mirror(&server.address));
    let services = Impatient::default();
    assert_eq!(cifar.prepare(&services).unwrap_err().kind, ErrorKind::Cancelled);
    assert!(services.stopped.load(Ordering::Relaxed));
    let length = fs::metadata(root.path().join(PART)).unwrap().len();
    assert!(length > 0);
    cifar.prepare(&Patient).unwrap();
    assert_synthetic(&CIFAR10, &cifar);
    assert_eq!(server.ranges(), [None, Some(format!("bytes={length}-"))]);
}
