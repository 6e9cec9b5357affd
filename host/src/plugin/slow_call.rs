//! Names a plugin that is silent for long: without it, a hanging call looks like a hanging host.

use std::{
    collections::BTreeMap,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(30);
const PERIOD: Duration = Duration::from_secs(5);

struct Entry {
    plugin: String,
    method: &'static str,
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

    fn heard(&mut self, id: u64, now: Instant) {
        if let Some(entry) = self.0.get_mut(&id) {
            entry.heard = now;
            entry.reported = false;
        }
    }
}

static CALLS: LazyLock<Mutex<Calls>> = LazyLock::new(|| {
    let watcher = std::thread::Builder::new().name("plugin-watch".into()).spawn(|| {
        loop {
            std::thread::sleep(PERIOD);
            for (plugin, method) in calls().silent(Instant::now()) {
                tracing::warn!(plugin, method, "no progress for {} s; still waiting", PATIENCE.as_secs());
            }
        }
    });
    if let Err(error) = watcher {
        tracing::warn!("silent plugins will not be reported: {error}");
    }
    Mutex::default()
});

fn calls() -> MutexGuard<'static, Calls> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call into a plugin, watched until it is dropped.
pub(super) struct Watched(u64);

impl Watched {
    pub(super) fn new(plugin: &str, method: &'static str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { plugin: plugin.to_owned(), method, heard: Instant::now(), reported: false };
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
        let entry = Entry { plugin: "slow".into(), method: "Dataset::prepare", heard: start, reported: false };
        calls.0.insert(7, entry);
        let at = |seconds| start + Duration::from_secs(seconds);
        let named = vec![("slow".to_owned(), "Dataset::prepare")];
        assert_eq!(calls.silent(at(30)), []);
        assert_eq!(calls.silent(at(31)), named);
        assert_eq!(calls.silent(at(40)), []);
        calls.heard(7, at(41));
        assert_eq!(calls.silent(at(70)), []);
        assert_eq!(calls.silent(at(72)), named);
    }
}
