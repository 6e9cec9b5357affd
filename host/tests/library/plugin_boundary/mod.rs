//! The plugin boundary against a plugin that misbehaves on request (`tests/plugins/hostile`).

mod calls;
mod conformance;
mod encoders;
mod files;
mod training;

use selfsame::plugin::{Registry, SearchDir};
use selfsame_plugin_api::{Cancelled, DatasetRequest, Services};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

struct Quiet;

impl Services for Quiet {
    fn progress(&self, _: &str, _: u64, _: Option<u64>) -> Result<(), Cancelled> {
        Ok(())
    }
}

/// The built library, beside this test's executable.
fn hostile() -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    let path = executable.ancestors().nth(2).unwrap().join("libselfsame_hostile_plugin.so");
    assert!(path.exists(), "{} is missing: run `cargo build --release -p selfsame-hostile-plugin`", path.display());
    path
}

/// A folder that holds one plugin file.
fn folder_with(bytes: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("libtried.so"), bytes).unwrap();
    folder
}

fn scan(folder: &Path) -> Registry {
    Registry::scan(&[SearchDir::new(folder, "test")])
}

/// The hostile plugin, scanned in place and opened once.
fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(hostile(), folder.path().join("libhostile.so")).unwrap();
        scan(folder.path())
    });
    &REGISTRY
}

fn request(options: serde_json::Value) -> DatasetRequest {
    DatasetRequest { name: "hostile".into(), dataset_dir: None, cache_dir: "unused".into(), options }
}

/// The message names the plugin, the method, and a line of the file.
fn assert_place(message: &str, method: &str, file: &str) {
    assert!(message.contains("plugin `selfsame-hostile-plugin`"), "{message}");
    assert!(message.contains(&format!("{method}` panicked at ")), "{message}");
    let (_, line) = message.split_once(&format!("{file}:")).expect(message);
    assert!(line.starts_with(|c: char| c.is_ascii_digit()), "{message}");
}
