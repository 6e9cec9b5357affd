//! `selfsame doctor`: what this machine offers.

use crate::plugin::{Registry, search};
use crate::{device, native};
use std::fmt::Write;
use std::path::PathBuf;

/// Versions, devices and plugins, a line each.
pub fn report(plugins: &[PathBuf]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<12} {value}");
    };
    line("selfsame", env!("CARGO_PKG_VERSION").to_owned());
    line("libtorch", native::libtorch_version().to_owned());
    line("CPU", format!("{} threads, {}", tch::get_num_threads(), native::cpu_capability().unwrap_or_default()));
    line(
        "CUDA",
        match device::select("cuda") {
            Ok(_) => format!("{} device(s)", tch::Cuda::device_count()),
            Err(error) => error.to_string(),
        },
    );
    let directories = search::directories(plugins);
    for directory in &directories {
        line("plugins in", directory.to_string());
    }
    let registry = Registry::scan(&directories);
    let usable = registry.files().iter().filter(|file| file.manifest.is_ok()).count();
    line("plugins", format!("{usable} usable of {} found; `selfsame plugins list` shows them", registry.files().len()));
    text
}
