//! `log.txt` in a run's folder: what standard error showed, with the time of each message, without colours and bars.

use jiff::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The log's file in a run's folder.
pub const LOG_FILE: &str = "log.txt";

/// Bytes that are kept while the run's folder is not open yet.
const MOST_WAITING: usize = 1 << 20;

/// Where messages go. One a process, as standard error is.
static LOG: Mutex<Log> = Mutex::new(Log::Off);

enum Log {
    /// The command leaves none.
    Off,
    /// The run's folder is not open yet.
    Waiting(Vec<u8>),
    /// The run's own file.
    Open(File),
}

/// From now on messages are kept for a run's log; `first` is the first of them.
pub fn expect(first: &str) {
    *lock() = Log::Waiting(timed(first));
}

/// Appends to the log of the run in this folder what was said so far, and from now on every message.
///
/// # Errors
/// The file cannot be opened or written; nothing is logged then.
pub fn begin(run_dir: &Path) -> io::Result<()> {
    let mut log = lock();
    let Log::Waiting(said) = std::mem::replace(&mut *log, Log::Off) else { return Ok(()) };
    let mut file = OpenOptions::new().append(true).create(true).open(run_dir.join(LOG_FILE))?;
    file.write_all(&said)?;
    *log = Log::Open(file);
    Ok(())
}

/// Keeps a message, one line or several, as it was shown.
pub fn note(shown: &[u8]) {
    let mut log = lock();
    // Nobody can be told that a message cannot be kept, and no run shall end for it.
    match &mut *log {
        Log::Off => {}
        Log::Waiting(said) if said.len() > MOST_WAITING => {}
        Log::Waiting(said) => said.extend(timed(&without_colours(shown))),
        Log::Open(file) => {
            let _ = file.write_all(&timed(&without_colours(shown)));
        }
    }
}

fn lock() -> MutexGuard<'static, Log> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// With the time before it, as `run.json` writes times, to the second.
fn timed(message: &str) -> Vec<u8> {
    format!("{} {}\n", Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ"), message.trim_end()).into_bytes()
}

/// Without the sequences that colour a terminal; any other control character is shown as it was.
fn without_colours(shown: &[u8]) -> String {
    let text = String::from_utf8_lossy(shown);
    let mut parts = text.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        plain.push_str(digits.strip_prefix('m').unwrap_or(part));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_kept_with_its_time_and_without_colours() {
        assert_eq!(without_colours(b"\x1b[1;33mwarning: \x1b[0mdisk is full\n"), "warning: disk is full\n");
        assert_eq!(without_colours("plain × 3".as_bytes()), "plain × 3");
        let line = String::from_utf8(timed("warning: a\n  b\n")).unwrap();
        let (time, rest) = line.split_once(' ').unwrap();
        assert_eq!(rest, "warning: a\n  b\n");
        assert!(time.parse::<Timestamp>().is_ok() && time.len() == 20, "{time}");
    }
}
