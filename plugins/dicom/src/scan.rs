//! The headers of many files, read by several threads.

use crate::identity::Identity;
use crate::source::{Refusal, Source};
use selfsame_plugin_api::{Cancelled, PluginError, Result, Services};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{available_parallelism, scope};

/// Files that a thread takes at once.
const CHUNK: usize = 16;
/// Most threads; each may hold a header of [`bounds::HEADER`](crate::bounds::HEADER).
const THREADS: usize = 8;

/// Who a file is; none of one that is not DICOM, and why of one that is damaged.
pub type Outcome = std::result::Result<Option<Identity>, String>;

/// Who each of these files is, in their order. This thread reads too, and reports to the host before each of its chunks.
///
/// # Errors
/// The host stops it.
pub fn identities(paths: &[PathBuf], what: &str, services: &dyn Services) -> Result<Vec<Outcome>> {
    let total = Some(paths.len() as u64);
    let work = Work { paths, taken: AtomicUsize::new(0), is_stopped: AtomicBool::new(false), read: Mutex::default() };
    let threads = available_parallelism().map_or(1, usize::from).min(THREADS).min(paths.len().div_ceil(CHUNK));
    scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| work.run(|_| Ok(())));
        }
        work.run(|done| services.items(what, done as u64, total))
    })?;
    services.items(what, paths.len() as u64, total)?;
    work.outcomes()
}

/// What the threads share.
struct Work<'p> {
    paths: &'p [PathBuf],
    /// How many files a thread has taken.
    taken: AtomicUsize,
    is_stopped: AtomicBool,
    /// Chunks by the place of their first file.
    read: Mutex<Vec<(usize, Vec<Outcome>)>>,
}

impl Work<'_> {
    /// Reads chunks until all are taken. `report` hears the place of each before it is read, and ends the work of all
    /// threads with an error.
    fn run(&self, report: impl Fn(usize) -> std::result::Result<(), Cancelled>) -> std::result::Result<(), Cancelled> {
        while !self.is_stopped.load(Ordering::Relaxed) {
            let begin = self.taken.fetch_add(CHUNK, Ordering::Relaxed);
            let Some(rest) = self.paths.get(begin..).filter(|rest| !rest.is_empty()) else { break };
            report(begin).inspect_err(|_| self.is_stopped.store(true, Ordering::Relaxed))?;
            let outcomes = rest.iter().take(CHUNK).map(|path| identity(path)).collect();
            self.read.lock().unwrap_or_else(PoisonError::into_inner).push((begin, outcomes));
        }
        Ok(())
    }

    fn outcomes(self) -> Result<Vec<Outcome>> {
        let mut read = self.read.into_inner().unwrap_or_else(PoisonError::into_inner);
        read.sort_unstable_by_key(|(begin, _)| *begin);
        let outcomes: Vec<Outcome> = read.into_iter().flat_map(|(_, outcomes)| outcomes).collect();
        if outcomes.len() == self.paths.len() {
            return Ok(outcomes);
        }
        Err(PluginError::plugin(format!("{} of {} headers were read", outcomes.len(), self.paths.len())))
    }
}

fn identity(path: &Path) -> Outcome {
    match Source::open(path) {
        Ok(source) => Identity::of(&source),
        Err(Refusal::NotDicom) => Ok(None),
        Err(Refusal::Failed(why)) => Err(why),
    }
}
