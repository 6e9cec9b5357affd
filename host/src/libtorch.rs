//! Whether this process has a libtorch, or one that only has its names.

/// What launchers set where they have found no libtorch; the process then runs with libraries that hold nothing of it.
const WITHOUT: &str = "SELFSAME_WITHOUT_LIBTORCH";

/// Why there is none: what was looked at, and what to do.
pub(crate) fn lacking() -> Option<String> {
    Some(std::env::var_os(WITHOUT)?.to_string_lossy().into_owned())
}
