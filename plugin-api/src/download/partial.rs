//! Downloads that survive broken connections, cancellation and the end of the process.

use super::http::{self, Event, Head};
use crate::files::{self, failure};
use crate::{PluginError, Result, Services};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

/// Longest time without a progress report.
const TICK: Duration = Duration::from_millis(200);
/// An attempt that brings this much is no failure, however it ends.
const HEADWAY: u64 = 1 << 20;
/// No archive is larger, whatever a server announces.
const LARGEST: u64 = 2 << 30;

/// How failed attempts are repeated.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Attempts in a row that bring nothing before giving up.
    pub attempts: u32,
    /// Wait after the first failure; doubles with each further one.
    pub wait: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 6, wait: Duration::from_secs(1) }
    }
}

/// What the partial file is a part of; kept beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    url: String,
    etag: Option<String>,
    last_modified: Option<String>,
    total: Option<u64>,
}

/// A file that is being downloaded, and its origin beside it.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    note: PathBuf,
    advice: String,
}

enum Attempt {
    Complete,
    Again { cause: String },
}

impl Partial {
    /// `{name}.part` in `folder`.
    pub fn new(folder: &Path, name: &str) -> Self {
        Self {
            path: folder.join(format!("{name}.part")),
            note: folder.join(format!("{name}.part.json")),
            advice: "put the files into dataset.dataset_dir".into(),
        }
    }

    /// What a user may do where nothing can be fetched.
    #[must_use]
    pub fn with_advice(self, advice: &str) -> Self {
        Self { advice: advice.into(), ..self }
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what was downloaded.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn discard(&self) -> Result<()> {
        for path in [&self.note, &self.path] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failure("remove", path, &error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Completes the file from `url`; true if it consists of more than one attempt's bytes.
    ///
    /// # Errors
    /// The server refuses, every attempt fails, the disk is full, or the user cancelled; the bytes so far are kept.
    pub fn fetch(&self, url: &str, retry: Retry, services: &dyn Services) -> Result<bool> {
        let resumed = self.resumable(url).is_some();
        let (mut failures, mut best, mut attempts) = (0, self.len(), 0);
        loop {
            attempts += 1;
            let cause = match self.attempt(url, services)? {
                Attempt::Complete => return Ok(resumed || attempts > 1),
                Attempt::Again { cause } => cause,
            };
            failures = if self.len() >= best + HEADWAY { 1 } else { failures + 1 };
            best = best.max(self.len());
            if failures >= retry.attempts {
                return Err(PluginError::data(format!(
                    "could not download {url}: {cause} (after {failures} attempts); run again to go on from here, \
                     check the network and HTTPS_PROXY, or {}",
                    self.advice
                )));
            }
            let wait = retry.wait * 2_u32.saturating_pow(failures - 1);
            tracing::warn!("{url}: {cause}; attempt {} follows in {} s", attempts + 1, wait.as_secs_f32());
            self.pause(wait, services)?;
        }
    }

    fn len(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    fn resumable(&self, url: &str) -> Option<Origin> {
        let origin: Origin = serde_json::from_reader(files::open(&self.note).ok()?).ok()?;
        (origin.url == url && self.len() > 0).then_some(origin)
    }

    fn pause(&self, wait: Duration, services: &dyn Services) -> Result<()> {
        let mut left = wait;
        while !left.is_zero() {
            services.progress("waiting before the next download attempt", self.len(), None)?;
            let step = left.min(TICK);
            thread::sleep(step);
            left -= step;
        }
        Ok(())
    }

    fn attempt(&self, url: &str, services: &dyn Services) -> Result<Attempt> {
        let origin = self.resumable(url);
        let mut start = if origin.is_some() { self.len() } else { 0 };
        let mut headers = Vec::new();
        if let Some(origin) = &origin {
            if origin.total == Some(start) {
                return Ok(Attempt::Complete);
            }
            headers.push(("range", format!("bytes={start}-")));
            headers.extend(origin.validator().map(|validator| ("if-range", validator.to_string())));
        }
        let events = http::get(url, headers);
        let what = format!("downloading {url}");
        let mut out: Option<File> = None;
        let mut total = origin.as_ref().and_then(|origin| origin.total);
        let write_error = |error| failure("write", &self.path, &error);
        loop {
            if let Some(total) = total.filter(|total| *total > LARGEST) {
                self.discard()?;
                let message = format!(
                    "{url}: the server announces {total} bytes, expected at most {LARGEST}; is it the right address?"
                );
                return Err(PluginError::data(message));
            }
            services.progress(&what, start, total)?;
            match events.recv_timeout(TICK) {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(PluginError::plugin(format!("the download of {url} ended without a reason")));
                }
                Ok(Event::Failed { cause, again: true }) => return Ok(Attempt::Again { cause }),
                Ok(Event::Failed { cause, again: false }) => {
                    return Err(PluginError::data(format!("could not download {url}: {cause}")));
                }
                Ok(Event::Head(head)) => match head.status {
                    200 => {
                        // From the start: the server has no ranges, or the file has changed.
                        let fresh = Origin::of(url, &head, head.length);
                        (start, total) = (0, fresh.total);
                        out = Some(self.begin(&fresh)?);
                    }
                    206 => {
                        let same = origin.as_ref().is_some_and(|origin| origin.continues(&head, start));
                        if !same {
                            self.discard()?;
                            return Ok(Attempt::Again { cause: "the file has changed on the server".into() });
                        }
                        total = total.or(parse_range(&head).and_then(|(_, total)| total));
                        out = Some(files::open_with(File::options().append(true), &self.path).map_err(write_error)?);
                    }
                    416 if origin.is_some() => {
                        if unsatisfied_total(&head) == Some(start) {
                            return Ok(Attempt::Complete);
                        }
                        self.discard()?;
                        return Ok(Attempt::Again { cause: "the file has changed on the server".into() });
                    }
                    429 | 500..=599 => {
                        return Ok(Attempt::Again { cause: format!("the server answered {}", head.status) });
                    }
                    status => return Err(refused(url, status, &self.advice)),
                },
                Ok(Event::Chunk(chunk)) => {
                    let Some(out) = &mut out else { continue };
                    out.write_all(&chunk).map_err(write_error)?;
                    start += chunk.len() as u64;
                    if start > total.unwrap_or(LARGEST) {
                        self.discard()?;
                        return Err(PluginError::data(format!("{url}: the server sends more than it announced")));
                    }
                }
                Ok(Event::End) => {
                    if let Some(out) = &out {
                        out.sync_all().map_err(write_error)?;
                    }
                    return match total {
                        Some(total) if start < total => {
                            Ok(Attempt::Again { cause: format!("the connection ended after {start} of {total} bytes") })
                        }
                        _ => Ok(Attempt::Complete),
                    };
                }
            }
        }
    }

    /// An empty file, and a note of what it will be.
    fn begin(&self, origin: &Origin) -> Result<File> {
        self.discard()?;
        let file = File::create_new(&self.path).map_err(|error| failure("write", &self.path, &error))?;
        let note = serde_json::to_vec(origin).map_err(|error| PluginError::plugin(error.to_string()))?;
        let noted = File::create_new(&self.note).and_then(|mut file| file.write_all(&note));
        noted.map_err(|error| failure("write", &self.note, &error))?;
        Ok(file)
    }
}

impl Origin {
    fn of(url: &str, head: &Head, total: Option<u64>) -> Self {
        let (etag, last_modified) = (head.etag.clone(), head.last_modified.clone());
        Self { url: url.into(), etag, last_modified, total }
    }

    /// A value for `If-Range` (RFC 9110, section 13.1.5): a strong entity tag, else the date.
    fn validator(&self) -> Option<&str> {
        self.etag.as_deref().filter(|etag| !etag.starts_with("W/")).or(self.last_modified.as_deref())
    }

    /// Whether a 206 response continues this very file at `start`.
    fn continues(&self, head: &Head, start: u64) -> bool {
        let Some((first, total)) = parse_range(head) else { return false };
        let same =
            |ours: &Option<String>, theirs: &Option<String>| ours.is_none() || theirs.is_none() || ours == theirs;
        first == start
            && (self.total.is_none() || total.is_none() || self.total == total)
            && same(&self.etag, &head.etag)
            && same(&self.last_modified, &head.last_modified)
    }
}

/// First byte and total of `Content-Range: bytes 10-19/20`; the total may be `*`.
fn parse_range(head: &Head) -> Option<(u64, Option<u64>)> {
    let (range, total) = head.content_range.as_deref()?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

/// Total of `Content-Range: bytes */20`.
fn unsatisfied_total(head: &Head) -> Option<u64> {
    head.content_range.as_deref()?.strip_prefix("bytes */")?.parse().ok()
}

fn refused(url: &str, status: u16, advice: &str) -> PluginError {
    let meaning = match status {
        404 | 410 => " (not there)",
        401 | 403 | 407 => " (not allowed)",
        _ => "",
    };
    PluginError::data(format!(
        "could not download {url}: the server answered {status}{meaning}; check the address, or {advice}"
    ))
}
