//! Notices a plugin, or a C library in it, that ends the process: the exit code would say that all went well.

use super::slow_call;
use crate::output::terminal;
use std::io::Write;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of a plugin's failure.
const PLUGIN: i32 = 4;

static EXPECTED: AtomicBool = AtomicBool::new(false);

/// From now on the process ends because its program wants it to.
pub fn expect_exit() {
    EXPECTED.store(true, Ordering::SeqCst);
}

/// Starts to watch, once.
pub(super) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler neither unwinds nor refers to anything that ends before the process.
        if unsafe { libc::atexit(judge) } != 0 {
            tracing::warn!("a plugin that ends the process will not be noticed");
        }
    });
}

extern "C" fn judge() {
    if EXPECTED.load(Ordering::SeqCst) {
        return;
    }
    let Some((plugin, method)) = slow_call::under_way() else { return };
    let plugin = terminal::in_one_line(&plugin);
    let _ = writeln!(
        std::io::stderr(),
        "error: plugin `{plugin}` ended the process in `{method}` (it called `exit`); nothing was completed. Report it to \
         the plugin's author"
    );
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(PLUGIN) }
}
