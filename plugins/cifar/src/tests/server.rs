//! A web server on loopback whose every answer is the test's choice.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a client asked for; header names in lower case.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    pub headers: BTreeMap<String, String>,
}

/// An answer. The connection closes after it.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Bytes of the body that are sent before the connection breaks.
    pub sent: usize,
    /// What is announced as the body's length in place of it.
    pub length: Option<u64>,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), sent: 0, length: None }
    }

    pub fn ok(body: &[u8]) -> Self {
        Self { sent: body.len(), body: body.to_vec(), ..Self::status(200) }
    }

    /// A server with ranges: the whole body, or what `Range` asks for if `If-Range` names this entity tag.
    pub fn file(request: &Request, body: &[u8], etag: &str) -> Self {
        let etag_header = ("ETag", etag.to_string());
        let range = request.headers.get("range").filter(|_| request.headers.get("if-range").is_none_or(|t| t == etag));
        let Some(range) = range else {
            return Self { headers: vec![etag_header], ..Self::ok(body) };
        };
        let start: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
        if start >= body.len() {
            return Self { headers: vec![("Content-Range", format!("bytes */{}", body.len()))], ..Self::status(416) };
        }
        let content_range = format!("bytes {start}-{}/{}", body.len() - 1, body.len());
        Self { status: 206, headers: vec![etag_header, ("Content-Range", content_range)], ..Self::ok(&body[start..]) }
    }

    pub fn broken_after(self, sent: usize) -> Self {
        Self { sent, ..self }
    }
}

/// A running server; it ends with the process.
pub struct Server {
    pub address: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// `answer` also gets the number of requests before this one.
    pub fn start(answer: impl Fn(&Request, usize) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let request = read(&stream);
                let before = {
                    let mut log = log.lock().unwrap();
                    log.push(request.clone());
                    log.len() - 1
                };
                write(stream, answer(&request, before));
            }
        });
        Self { address, seen }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// The `Range` header of every request.
    pub fn ranges(&self) -> Vec<Option<String>> {
        self.requests().iter().map(|request| request.headers.get("range").cloned()).collect()
    }
}

fn read(stream: &TcpStream) -> Request {
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_string();
    let headers = lines
        .take_while(|line| !line.is_empty())
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_lowercase(), value.trim().to_string())
        })
        .collect();
    Request { path, headers }
}

fn write(mut stream: TcpStream, reply: Reply) {
    let length = reply.length.unwrap_or(reply.body.len() as u64);
    let mut head = format!("HTTP/1.1 {} x\r\nConnection: close\r\nContent-Length: {length}\r\n", reply.status);
    for (name, value) in reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    // A client that cancels hangs up; that is no failure of the server.
    let _ = stream.write_all(format!("{head}\r\n").as_bytes());
    let _ = stream.write_all(&reply.body[..reply.sent]);
}
