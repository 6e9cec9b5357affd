//! Turns panics and C++ errors into plugin errors; nothing unwinds across the boundary.

use crate::{
    abi::{encode_error, RawResult},
    ErrorKind, PluginError, Result,
};
use abi_stable::std_types::{RErr, ROk};
use std::{
    any::Any,
    cell::RefCell,
    mem::ManuallyDrop,
    panic::{catch_unwind, set_hook, AssertUnwindSafe},
};

thread_local! {
    /// One entry per guarded call on this thread: where and why it panicked.
    static CALLS: RefCell<Vec<Option<String>>> = const { RefCell::new(Vec::new()) };
}

/// Replaces the plugin's own panic message on stderr: inside a guarded call it becomes the error, elsewhere (a thread of
/// the plugin's) it goes to the host's log.
pub(super) fn install_panic_hook() {
    set_hook(Box::new(|info| {
        let place = info.location().map_or_else(|| "an unknown place".into(), |at| short_place(at.file(), at.line()));
        let inside = CALLS.with(|calls| {
            let mut calls = calls.borrow_mut();
            calls.last_mut().map(|call| *call = Some(place.clone())).is_some()
        });
        if !inside {
            let message = payload_text(info.payload()).unwrap_or("no message");
            tracing::error!("a thread panicked at {place}: {}", without_backtrace(message));
        }
    }));
}

/// A file without the part that depends on where cargo keeps its sources.
fn short_place(file: &str, line: u32) -> String {
    let short =
        file.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/')).map_or(file, |(_, rest)| rest);
    format!("{short}:{line}")
}

fn payload_text(payload: &(dyn Any + Send)) -> Option<&str> {
    payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// A C++ message of libtorch without its backtrace.
pub fn without_backtrace(message: &str) -> String {
    let message = message.strip_prefix("called `Result::unwrap()` on an `Err` value: ").unwrap_or(message);
    let message = message.strip_prefix("Torch(\"").unwrap_or(message);
    // tch panics with the `Debug` form, in which the line break is written out.
    let end =
        ["\nException raised from", "\\nException raised from"].iter().filter_map(|mark| message.find(mark)).min();
    end.map_or(message, |end| &message[..end]).trim_end().to_owned()
}

fn without_backtrace_kind(mut error: PluginError) -> PluginError {
    error.message = without_backtrace(&error.message);
    if error.kind == ErrorKind::Plugin && error.message.contains("out of memory") {
        error.kind = ErrorKind::Device;
    }
    error
}

/// Runs one call of the boundary; `method` is named when it panics.
pub(super) fn guard<T>(method: &str, body: impl FnOnce() -> Result<T>) -> RawResult<T> {
    CALLS.with(|calls| calls.borrow_mut().push(None));
    let outcome = catch_unwind(AssertUnwindSafe(body));
    let place = CALLS.with(|calls| calls.borrow_mut().pop()).flatten();
    let error = match outcome {
        Ok(Ok(value)) => return ROk(value),
        Ok(Err(error)) => error,
        Err(payload) => {
            let message = without_backtrace(payload_text(payload.as_ref()).unwrap_or("no message"));
            // A payload whose destructor panics would unwind again.
            std::mem::forget(payload);
            let place = place.unwrap_or_else(|| "an unknown place".into());
            PluginError::plugin(format!("`{method}` panicked at {place}: {message}"))
        }
    };
    RErr(encode_error(&without_backtrace_kind(error)))
}

/// An object of the plugin's author whose destructor may panic.
pub(super) struct Guarded<T: ?Sized>(ManuallyDrop<Box<T>>);

impl<T: ?Sized> Guarded<T> {
    pub(super) fn new(value: Box<T>) -> Self {
        Self(ManuallyDrop::new(value))
    }
}

impl<T: ?Sized> std::ops::Deref for Guarded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: `drop` runs once and nothing reads the box afterwards.
        let value = unsafe { ManuallyDrop::take(&mut self.0) };
        let outcome: RawResult<()> = guard("drop", || {
            drop(value);
            Ok(())
        });
        if let RErr(json) = outcome {
            tracing::error!("{}", crate::abi::decode_error(&json));
        }
    }
}
