//! Records the compiler and the target for the manifest.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().ok().and_then(|out| String::from_utf8(out.stdout).ok());
    let version = version.as_deref().map_or("unknown", str::trim);
    println!("cargo::rustc-env=SELFSAME_RUSTC={version}");
    println!("cargo::rustc-env=SELFSAME_TARGET={}", std::env::var("TARGET").unwrap_or_default());
}
