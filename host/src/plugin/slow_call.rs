//! Names a plugin that is silent for long, or that a user who wants to stop waits for: without it, a hanging call looks
//! like a hanging host.

use super::calls;
use std::{
    collections::BTreeSet,
    sync::{
        Arc, LazyLock, Once,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Between two looks at the calls.
const PERIOD: Duration = Duration::from_millis(100);
/// Looks after which a silent call is told of.
const PATIENCE: u64 = 300;
/// Looks after a wish to stop, within which calls that end by themselves are not worth a word.
const GRACE: u64 = 4;

/// Raised when the user asks to stop.
static WISH: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The flag to raise when the user asks to stop, for a signal's handler: the calls that are then waited for are named.
pub fn wish_to_stop() -> Arc<AtomicBool> {
    Arc::clone(&WISH)
}

/// Starts to watch, once.
pub(super) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let watcher = std::thread::Builder::new().name("plugin-watch".into()).spawn(look);
        if let Err(error) = watcher {
            tracing::warn!("silent plugins will not be reported: {error}");
        }
    });
}

fn look() {
    let mut asked = None;
    loop {
        std::thread::sleep(PERIOD);
        let now = calls::tick();
        for called in calls::silent(now, PATIENCE) {
            let (plugin, method) = (called.plugin, called.method);
            tracing::warn!(
                plugin,
                method,
                "no progress for {} s; still waiting",
                PERIOD.as_millis() as u64 * PATIENCE / 1000
            );
        }
        if WISH.swap(false, Ordering::SeqCst) {
            asked = Some(now);
        }
        let Some(time) = asked.filter(|time| now - *time >= GRACE) else { continue };
        asked = None;
        let waited_for: BTreeSet<_> = calls::begun_before(time).collect();
        for called in waited_for {
            tracing::warn!(
                "waiting for `{}` of plugin `{}`; press Ctrl-C again to end the process at once",
                called.method,
                called.plugin
            );
        }
    }
}
