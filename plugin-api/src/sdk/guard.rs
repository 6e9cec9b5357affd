//! Turns panics and C++ errors into plugin errors; nothing unwinds across the boundary.

use crate::{ErrorKind, PluginError, Result};
use abi_stable::std_types::{RErr, ROk};
use selfsame_abi::RawResult;
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
    // tch's plain methods panic with the `Debug` form, in which line breaks and quotes are escaped.
    let escaped = message.strip_prefix("called `Result::unwrap()` on an `Err` value: Torch(\"");
    let text = match escaped {
        Some(text) => text.trim_end_matches("\")").replace("\\n", "\n").replace("\\\"", "\""),
        None => message.to_owned(),
    };
    // The allocator's failures begin their backtrace without the line that the others have.
    let marks = ["\nException raised from", "\nframe #0:"];
    let end = marks.iter().filter_map(|mark| text.find(mark)).min().unwrap_or(text.len());
    text[..end].trim_end().to_owned()
}

/// Whether a message of libtorch says that memory is short, of a device or of the machine.
pub fn lacks_memory(message: &str) -> bool {
    ["out of memory", "can't allocate memory"].iter().any(|text| message.contains(text))
}

/// Cuts a backtrace, and tells a lack of memory from other failures.
pub(crate) fn refine(mut error: PluginError) -> PluginError {
    error.message = without_backtrace(&error.message);
    if error.kind == ErrorKind::Plugin && lacks_memory(&error.message) {
        error.kind = ErrorKind::Device;
    }
    error
}

/// Runs one call of the boundary; `method` is named when it panics.
pub fn guard<T>(method: &str, body: impl FnOnce() -> Result<T>) -> RawResult<T> {
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
    RErr(refine(error).to_json().into())
}

/// An object of the plugin's author whose destructor may panic.
pub struct Guarded<T: ?Sized>(ManuallyDrop<Box<T>>);

impl<T: ?Sized> Guarded<T> {
    /// Takes the object over.
    pub fn new(value: Box<T>) -> Self {
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
            tracing::error!("{}", PluginError::from_json(&json));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backtrace_is_cut_from_both_forms_of_a_message() {
        let returned = "size mismatch\nException raised from foo at a.cpp:1 (most recent call first):\nframe #0: bar";
        assert_eq!(without_backtrace(returned), "size mismatch");
        let panicked = r#"called `Result::unwrap()` on an `Err` value: Torch("a \"b\"\nc\nException raised from foo")"#;
        assert_eq!(without_backtrace(panicked), "a \"b\"\nc");
        let short = r#"called `Result::unwrap()` on an `Err` value: Torch("no kernel")"#;
        assert_eq!(without_backtrace(short), "no kernel");
        assert_eq!(without_backtrace("index out of bounds"), "index out of bounds");
        let allocator = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you \
                         tried to allocate 9 bytes. Error code 12 (Cannot allocate memory)\nframe #0: c10::ThrowEnforce";
        assert_eq!(without_backtrace(allocator), allocator.split('\n').next().unwrap());
        let panicked = format!("called `Result::unwrap()` on an `Err` value: Torch({allocator:?})");
        assert_eq!(without_backtrace(&panicked), allocator.split('\n').next().unwrap());
    }

    #[test]
    fn a_lack_of_memory_is_the_devices_failure() {
        let error = refine(PluginError::plugin("CUDA out of memory. Tried to allocate 20 MiB"));
        assert_eq!(error.kind, ErrorKind::Device);
        assert_eq!(refine(PluginError::data("the archive says `out of memory`")).kind, ErrorKind::Data);
    }

    #[test]
    fn a_place_does_not_depend_on_where_cargo_keeps_sources() {
        assert_eq!(short_place("/home/u/.cargo/registry/src/index-1/tch-0.24.0/src/a.rs", 7), "tch-0.24.0/src/a.rs:7");
        assert_eq!(short_place("plugins/x/src/lib.rs", 3), "plugins/x/src/lib.rs:3");
    }
}
