//! Names a plugin that is silent for long, or that a user who wants to stop waits for: without it, a hanging call looks
//! like a hanging host.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at the calls.
const PERIOD: Duration = Duration::from_millis(100);
/// Calls that end by themselves so soon after a wish to stop are not worth a word.
const GRACE: Duration = Duration::from_millis(400);

struct Entry {
    plugin: String,
    method: &'static str,
    begun: Instant,
    heard: Instant,
    reported: bool,
}

/// The calls that are under way.
#[derive(Default)]
struct Calls(BTreeMap<u64, Entry>);

impl Calls {
    /// Plugin and method of each call that has become silent for [`PATIENCE`]; each silence is reported once.
    fn silent(&mut self, now: Instant) -> Vec<(String, &'static str)> {
        let silent = self.0.values_mut().filter(|entry| !entry.reported && now - entry.heard > PATIENCE);
        silent
            .map(|entry| {
                entry.reported = true;
                (entry.plugin.clone(), entry.method)
            })
            .collect()
    }

    /// Plugin and method of the calls that were under way at `time` and still are, each once.
    fn begun_before(&self, time: Instant) -> BTreeSet<(String, &'static str)> {
        let begun = self.0.values().filter(|entry| entry.begun <= time);
        begun.map(|entry| (entry.plugin.clone(), entry.method)).collect()
    }

    fn heard(&mut self, id: u64, now: Instant) {
        if let Some(entry) = self.0.get_mut(&id) {
            entry.heard = now;
            entry.reported = false;
        }
    }
}

static CALLS: LazyLock<Mutex<Calls>> = LazyLock::new(|| {
    let watcher = std::thread::Builder::new().name("plugin-watch".into()).spawn(watch);
    if let Err(error) = watcher {
        tracing::warn!("silent plugins will not be reported: {error}");
    }
    Mutex::default()
});

/// Raised when the user asks to stop.
static WISH: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The flag to raise when the user asks to stop, for a signal's handler: the calls that are then waited for are named.
pub fn wish_to_stop() -> Arc<AtomicBool> {
    Arc::clone(&WISH)
}

fn watch() {
    let mut asked = None;
    loop {
        std::thread::sleep(PERIOD);
        let now = Instant::now();
        let silent = calls().silent(now);
        for (plugin, method) in silent {
            tracing::warn!(plugin, method, "no progress for {} s; still waiting", PATIENCE.as_secs());
        }
        if WISH.swap(false, Ordering::SeqCst) {
            asked = Some(now);
        }
        let Some(time) = asked.filter(|time| now - *time >= GRACE) else { continue };
        asked = None;
        let waited_for = calls().begun_before(time);
        for (plugin, method) in waited_for {
            tracing::warn!(
                "waiting for `{method}` of plugin `{plugin}`; press Ctrl-C again to end the process at once"
            );
        }
    }
}

/// Plugin and method of a call that is under way; none also where that cannot be told now.
pub(super) fn under_way() -> Option<(String, &'static str)> {
    let calls = CALLS.try_lock().ok()?;
    calls.0.values().next().map(|entry| (entry.plugin.clone(), entry.method))
}

fn calls() -> MutexGuard<'static, Calls> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call into a plugin, watched until it is dropped.
pub(super) struct Watched(u64);

impl Watched {
    pub(super) fn new(plugin: &str, method: &'static str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let entry = Entry { plugin: plugin.to_owned(), method, begun: now, heard: now, reported: false };
        calls().0.insert(id, entry);
        Self(id)
    }

    /// The plugin reported progress.
    pub(super) fn heard(&self) {
        calls().heard(self.0, Instant::now());
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        calls().0.remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_call_is_named_once_and_again_after_progress() {
        let start = Instant::now();
        let mut calls = Calls::default();
        let entry =
            Entry { plugin: "slow".into(), method: "Dataset::prepare", begun: start, heard: start, reported: false };
        calls.0.insert(7, entry);
        let at = |seconds| start + Duration::from_secs(seconds);
        let named = vec![("slow".to_owned(), "Dataset::prepare")];
        assert_eq!(calls.silent(at(30)), []);
        assert_eq!(calls.silent(at(31)), named);
        assert_eq!(calls.silent(at(40)), []);
        calls.heard(7, at(41));
        assert_eq!(calls.silent(at(70)), []);
        assert_eq!(calls.silent(at(72)), named);
        assert_eq!(calls.begun_before(at(0)), named.into_iter().collect());
        assert_eq!(calls.begun_before(start - GRACE), BTreeSet::new());
    }
}
