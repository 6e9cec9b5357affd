//! Notices a plugin, or a C library in it, that ends the process, by `exit` or by a crash: the exit code would say that all
//! went well, or the shell would say no more than `Segmentation fault`.

use super::calls::{self, Called};
use rustix::stdio::stderr;
use std::io::{Cursor, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Once, OnceLock};

/// Exit code of a plugin's failure.
const PLUGIN: i32 = 4;

/// The signals of a crash, and what they come of.
const CRASHES: [(i32, &str); 5] = [
    (libc::SIGSEGV, "SIGSEGV: memory that is not its own, or a stack that is full"),
    (libc::SIGBUS, "SIGBUS: a file that became shorter while it was mapped"),
    (libc::SIGILL, "SIGILL: an instruction that this processor does not have"),
    (libc::SIGFPE, "SIGFPE: a division by zero"),
    (libc::SIGABRT, "SIGABRT: it gave up, as where memory is short or a stack is full"),
];

static EXPECTED: AtomicBool = AtomicBool::new(false);

/// From now on the process ends because its program wants it to.
pub fn expect_exit() {
    EXPECTED.store(true, Ordering::SeqCst);
}

/// What a signal of a crash means, in a few words; none for any other signal.
pub fn crash(signal: i32) -> Option<&'static str> {
    CRASHES.iter().find(|(known, _)| *known == signal).map(|(_, words)| *words)
}

/// Starts to watch, once.
pub(super) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler neither unwinds nor refers to anything that ends before the process.
        if unsafe { libc::atexit(judge_exit) } != 0 {
            tracing::warn!("a plugin that ends the process will not be noticed");
        }
        for (place, (signal, _)) in BEFORE.iter().zip(CRASHES) {
            watch_for(signal, place);
        }
    });
}

extern "C" fn judge_exit() {
    if EXPECTED.load(Ordering::SeqCst) {
        return;
    }
    let Some(Called { plugin, method }) = calls::of_this_thread().or_else(|| calls::under_way().next()) else { return };
    // Who listens says it.
    if !calls::are_listened_to() {
        say(format_args!(
            "error: plugin `{plugin}` ended the process in `{method}` (it called `exit`); nothing was completed. Report it \
             to the plugin's author\n"
        ));
    }
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(PLUGIN) }
}

/// What each signal did before.
static BEFORE: [OnceLock<libc::sigaction>; CRASHES.len()] = [const { OnceLock::new() }; CRASHES.len()];

fn watch_for(signal: i32, before: &OnceLock<libc::sigaction>) {
    let handler: extern "C" fn(libc::c_int) = note_crash;
    // SAFETY: a `sigaction` is plain numbers, for which zero is a value: no flags, nothing blocked. Both pointers are of
    // values that live on; the handler calls nothing that a signal's handler may not call, and runs on the stack that Rust
    // has put aside for this, so that it also runs where the stack is full.
    unsafe {
        let mut own: libc::sigaction = std::mem::zeroed();
        own.sa_sigaction = handler as usize;
        own.sa_flags = libc::SA_ONSTACK;
        let mut old: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(signal, std::ptr::null(), &mut old) == 0 && before.set(old).is_ok() {
            libc::sigaction(signal, &own, std::ptr::null_mut());
        }
    }
}

/// Says which call it was, and leaves the rest to whoever handled the signal before: it comes again where this returns to.
extern "C" fn note_crash(signal: libc::c_int) {
    static SAID: AtomicBool = AtomicBool::new(false);
    let own = calls::of_this_thread();
    let other = || calls::under_way().next();
    let words = crash(signal).unwrap_or_default();
    if !calls::are_listened_to() && !SAID.swap(true, Ordering::SeqCst) {
        match (own, own.or_else(other)) {
            (Some(Called { plugin, method }), _) => say(format_args!(
                "\nerror: plugin `{plugin}` crashed the process in `{method}` ({words}); what was not saved is lost. Report \
                 it to the plugin's author; `selfsame plugins check` tries every method\n"
            )),
            (None, Some(Called { plugin, method })) => say(format_args!(
                "\nerror: the process crashed ({words}) while `{method}` of plugin `{plugin}` was under way, in another \
                 thread; what was not saved is lost\n"
            )),
            (None, None) => {}
        }
    }
    if let Some(before) = CRASHES.iter().position(|(known, _)| *known == signal).and_then(|at| BEFORE[at].get()) {
        // SAFETY: as it was before `watch_for`.
        unsafe { libc::sigaction(signal, before, std::ptr::null_mut()) };
    }
}

/// Writes to standard error without a lock or an allocation; what is too long is cut off.
fn say(text: std::fmt::Arguments<'_>) {
    let mut buffer = Cursor::new([0_u8; 1024]);
    let _ = buffer.write_fmt(text);
    let length = (buffer.position() as usize).min(buffer.get_ref().len());
    let _ = rustix::io::write(stderr(), &buffer.get_ref()[..length]);
}
