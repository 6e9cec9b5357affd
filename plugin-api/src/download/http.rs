//! One HTTP request on its own thread, so that a silent server never delays progress reports or cancellation.

use std::io::Read;
use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::thread;
use std::time::Duration;
use ureq::http::HeaderMap;
use ureq::Agent;

const CONNECT: Duration = Duration::from_secs(20);
/// Of the response's head, and of every read of its body.
const SILENCE: Duration = Duration::from_secs(30);
const CHUNK: usize = 1 << 16;
const CHUNKS_AHEAD: usize = 16;

/// What may come back, in this order: a head, then chunks, then an end; or a failure at any point.
#[derive(Debug)]
pub enum Event {
    Head(Head),
    Chunk(Vec<u8>),
    End,
    /// The connection failed; whether another attempt may succeed.
    Failed {
        cause: String,
        again: bool,
    },
}

/// The parts of a response's head that a download needs.
#[derive(Debug)]
pub struct Head {
    pub status: u16,
    /// Of this response's body.
    pub length: Option<u64>,
    pub content_range: Option<String>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// Asks for `url` with further headers. Proxies are taken from the environment (`HTTPS_PROXY` and its kin).
pub fn get(url: &str, headers: Vec<(&'static str, String)>) -> Receiver<Event> {
    let (sender, receiver) = sync_channel(CHUNKS_AHEAD);
    let url = url.to_string();
    thread::spawn(move || {
        let last = match request(&url, &headers, &sender) {
            Ok(()) => Event::End,
            Err(error) => Event::Failed { again: is_transient(&error), cause: error.to_string() },
        };
        // An error means that nobody waits any longer.
        let _ = sender.send(last);
    });
    receiver
}

fn request(url: &str, headers: &[(&'static str, String)], sender: &SyncSender<Event>) -> Result<(), ureq::Error> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .user_agent(concat!("selfsame/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .build()
        .into();
    let mut request = agent.get(url);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let response = request.call()?;
    let (parts, body) = response.into_parts();
    let head = Head {
        status: parts.status.as_u16(),
        length: text(&parts.headers, "content-length").and_then(|length| length.parse().ok()),
        content_range: text(&parts.headers, "content-range"),
        etag: text(&parts.headers, "etag"),
        last_modified: text(&parts.headers, "last-modified"),
    };
    if sender.send(Event::Head(head)).is_err() {
        return Ok(());
    }
    let mut reader = body.into_reader();
    loop {
        let mut chunk = vec![0; CHUNK];
        let count = reader.read(&mut chunk).map_err(ureq::Error::from)?;
        chunk.truncate(count);
        if count == 0 || sender.send(Event::Chunk(chunk)).is_err() {
            return Ok(());
        }
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_string())
}

fn is_transient(error: &ureq::Error) -> bool {
    match error {
        // TLS errors (a wrong certificate, say) arrive as invalid data.
        ureq::Error::Io(error) => error.kind() != std::io::ErrorKind::InvalidData,
        ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::Protocol(_) => true,
        _ => false,
    }
}
