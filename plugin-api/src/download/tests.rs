use super::*;
use crate::{Cancelled, ErrorKind};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

const TEXT: &[u8] = b"abc";
/// Of `abc`, from FIPS 180-2, appendix B.1.
const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

struct Going(bool);

impl Services for Going {
    fn progress(&self, _: &str, _: u64, _: Option<u64>) -> std::result::Result<(), Cancelled> {
        if self.0 {
            Ok(())
        } else {
            Err(Cancelled)
        }
    }
}

/// Serves `abc`, cut off after two bytes at the first request, and counts requests.
fn server() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/abc.bin", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(|line| line.ok());
            let range = lines.by_ref().take_while(|line| !line.is_empty()).find_map(|line| {
                let from = line.to_lowercase().strip_prefix("range: bytes=")?.strip_suffix('-')?.parse::<usize>();
                from.ok()
            });
            let first = counted.fetch_add(1, Ordering::Relaxed) == 0;
            let (status, from) = match range {
                Some(from) => (format!("206 Partial Content\r\ncontent-range: bytes {from}-2/3"), from),
                None => ("200 OK".to_owned(), 0),
            };
            let head = format!("HTTP/1.1 {status}\r\netag: \"1\"\r\ncontent-length: {}\r\n\r\n", 3 - from);
            let body = if first { &TEXT[..2] } else { &TEXT[from..] };
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).unwrap();
        }
    });
    (address, count)
}

#[test]
fn a_broken_download_is_completed_checked_and_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("deep/abc.bin");
    let (url, requests) = server();
    let retry = Retry { attempts: 3, wait: Duration::from_millis(1) };
    let fetch = |digest| fetch_with(&url, digest, &to, retry, &Going(true));
    fetch(Digest::Sha256(SHA256)).unwrap();
    assert_eq!(fs::read(&to).unwrap(), TEXT);
    assert_eq!(requests.load(Ordering::Relaxed), 2, "the second request asked for the rest");
    fetch(Digest::Sha256(SHA256)).unwrap();
    assert_eq!(requests.load(Ordering::Relaxed), 2, "what is there is not fetched");
    let left: Vec<_> = fs::read_dir(to.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the file and its lock: {left:?}");

    fs::remove_file(&to).unwrap();
    let error = fetch(Digest::Md5("00")).unwrap_err();
    for part in [&url, "MD5 900150983cd24fb0d6963f7d28e17f72, expected 00", "cannot be used"] {
        assert!(error.message.contains(part), "{error}");
    }
    assert!(!to.exists());
}

#[test]
fn a_wish_to_stop_ends_a_download() {
    let folder = tempfile::tempdir().unwrap();
    let (url, _) = server();
    let error = fetch(&url, Digest::Sha256(SHA256), &folder.path().join("a.bin"), &Going(false)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
}
