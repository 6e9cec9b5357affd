//! A download server on loopback, and a small archive in CIFAR-10's layout.

use flate2::{Compression, write::GzEncoder};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Name of the published archive.
pub const ARCHIVE: &str = "cifar-10-binary.tar.gz";

/// An archive with `records` records in each of CIFAR-10's files. Pixels are noise, so that it does not compress.
pub fn cifar10_archive(records: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("cifar-10-batches-bin/{name}"), bytes).expect("an archive in memory");
    };
    for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"] {
        let mut bytes = Vec::with_capacity(records * 3073);
        for record in 0..records {
            bytes.push((record % 10) as u8);
            bytes.extend((0..3072).map(|_| noise()));
        }
        add(&format!("{name}.bin"), &bytes);
    }
    add("batches.meta.txt", b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n");
    tar.into_inner().and_then(GzEncoder::finish).expect("an archive in memory")
}

/// A server that breaks its first answer off halfway, and answers range requests afterwards.
pub struct Mirror {
    /// `http://127.0.0.1:PORT`.
    pub address: String,
    /// The first byte that each request asked for.
    pub starts: Arc<Mutex<Vec<usize>>>,
}

impl Mirror {
    /// Serves `archive` until the test ends.
    pub fn start(archive: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = format!("http://{}", listener.local_addr().expect("the port"));
        let starts = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&starts);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &archive, &seen);
            }
        });
        Self { address, starts }
    }
}

fn answer(mut stream: TcpStream, archive: &[u8], starts: &Mutex<Vec<usize>>) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        request.push(byte[0]);
    }
    let request = String::from_utf8_lossy(&request).to_lowercase();
    let from = |line: &str| line.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse::<usize>().ok();
    let start = request.lines().find_map(from).unwrap_or(0);
    let first = {
        let mut starts = starts.lock().expect("the list of requests");
        starts.push(start);
        starts.len() == 1
    };
    let head = match start {
        0 => "HTTP/1.1 200 OK\r\n".to_owned(),
        _ => format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{}\r\n",
            archive.len() - 1,
            archive.len()
        ),
    };
    let body = &archive[start..];
    let sent = if first { &body[..body.len() / 2] } else { body };
    let _ = write!(
        stream,
        "{head}Content-Length: {}\r\nETag: \"one\"\r\nAccept-Ranges: bytes\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(sent);
}
