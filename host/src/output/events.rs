//! What goes on, as lines of JSON for programs (`--progress json`).

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines about the same work.
const PERIOD: Duration = Duration::from_millis(500);

/// Who is told. One a process, as standard error is.
static EVENTS: Mutex<Option<Events>> = Mutex::new(None);

struct Events {
    out: Box<dyn Write + Send>,
    /// Whether it is standard error, which then holds nothing else.
    is_stderr: bool,
    /// The work that was told of last, and when.
    last: Option<(String, Instant)>,
}

/// From now on, what goes on is told: in a file (a pipe, `/dev/fd/3`), or on standard error, where messages become events too.
///
/// # Errors
/// The file cannot be opened.
pub fn start(file: Option<&Path>) -> io::Result<()> {
    let out: Box<dyn Write + Send> = match file {
        Some(path) => Box::new(OpenOptions::new().append(true).create(true).open(path)?),
        None => Box::new(io::stderr()),
    };
    *lock() = Some(Events { out, is_stderr: file.is_none(), last: None });
    Ok(())
}

/// Whether standard error holds events alone.
pub fn are_on_stderr() -> bool {
    lock().as_ref().is_some_and(|events| events.is_stderr)
}

/// Tells of `event`, with its fields.
pub fn tell(event: &str, fields: Value) {
    if let Some(events) = &mut *lock() {
        events.write(event, fields);
    }
}

/// Tells that `done` of `total` pieces of `what` are done, now and then; a total of 0 stands for work that is not counted.
pub fn phase(what: &str, done: u64, total: u64) {
    let Some(events) = &mut *lock() else { return };
    let is_over = total > 0 && done >= total;
    let is_due = match &events.last {
        Some((last, told)) if last == what => is_over || told.elapsed() >= PERIOD,
        _ => true,
    };
    if is_due {
        events.last = Some((what.to_owned(), Instant::now()));
        let total = (total > 0).then_some(total);
        events.write("phase", json!({"what": what, "done": done, "total": total}));
    }
}

/// Tells a message in place of standard error, where events go there; false: it has to be shown.
pub fn took(message: &str) -> bool {
    let mut events = lock();
    let Some(events) = events.as_mut().filter(|events| events.is_stderr) else { return false };
    let levels = ["error", "warning", "debug", "trace"];
    let own = |level: &&str| message.strip_prefix(*level).is_some_and(|rest| rest.starts_with(": "));
    let level = levels.into_iter().find(own);
    let text = level.map_or(message, |level| &message[level.len() + 2..]);
    events.write("message", json!({"level": level.unwrap_or("info"), "text": text.trim_end()}));
    true
}

fn lock() -> MutexGuard<'static, Option<Events>> {
    EVENTS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Events {
    fn write(&mut self, event: &str, fields: Value) {
        let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        let mut line = Map::from_iter([("event".to_owned(), event.into()), ("time".to_owned(), time.into())]);
        if let Value::Object(fields) = fields {
            line.extend(fields);
        }
        // A reader that has gone away ends no run.
        let _ = writeln!(self.out, "{}", Value::Object(line)).and_then(|()| self.out.flush());
    }
}
