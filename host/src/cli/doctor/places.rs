//! Plugins, the cache and the memory.

use super::{Line, gigabytes};
use crate::cli::open;
use crate::config::{self, Sources};
use crate::plugin::{Registry, search};
use crate::samples::cache::packed_dir;
use crate::{home, memory};
use std::path::{Path, PathBuf};

/// Less than this is soon used up, in bytes.
const LITTLE: u64 = 2_000_000_000;

pub(super) fn lines(plugins: &[PathBuf]) -> Vec<Line> {
    let mut lines = plugin_lines(plugins);
    lines.push(cache());
    lines.push(match memory::available().map(|bytes| bytes as u64) {
        None => Line::good("memory", "not known"),
        Some(free) if free < LITTLE => Line::better(
            "memory",
            format!("{} free", gigabytes(free)),
            "end other programs, or lower `train.batch_size`",
        ),
        Some(free) => Line::good("memory", format!("{} free", gigabytes(free))),
    });
    lines
}

fn plugin_lines(flags: &[PathBuf]) -> Vec<Line> {
    let directories = search::directories(flags);
    let mut lines: Vec<_> = directories
        .iter()
        .map(|directory| match directory.is_named() && !directory.path.is_dir() {
            true => Line::better("plugins in", directory.to_string(), "correct the path, or leave it out"),
            false => Line::good("plugins in", directory.to_string()),
        })
        .collect();
    let registry = Registry::scan(&directories);
    let all = registry.files().len();
    let usable = registry.files().iter().filter(|file| file.provided.is_ok()).count();
    let found = format!("{usable} usable of {all} found");
    lines.push(match (usable, all - usable) {
        (0, _) => {
            Line::bad("plugins", found, "build them with `cargo xtask build`, or name their folder with --plugins")
        }
        (_, 0) => Line::good("plugins", found),
        _ => Line::better("plugins", found, "`selfsame plugins list` says why the others cannot be used"),
    });
    lines
}

fn cache() -> Line {
    const OTHER: &str = "name another folder with `data.cache_dir` or XDG_CACHE_HOME";
    let configuration =
        match open::environment().and_then(|env| Ok(config::load(&Sources { env, ..Sources::default() })?)) {
            Ok(resolved) => resolved.config,
            Err(failure) => return Line::better("cache", failure.message, "correct or unset the variable"),
        };
    let folder = match packed_dir(&configuration) {
        Ok(folder) => home::absolute(&folder),
        Err(error) => return Line::bad("cache", error.to_string(), OTHER),
    };
    // The folder is made when it is first needed.
    let Some(existing) = folder.ancestors().find(|folder| folder.exists()) else {
        return Line::bad("cache", format!("{} cannot be made", folder.display()), OTHER);
    };
    let shown = folder.display();
    if !existing.is_dir() {
        return Line::bad("cache", format!("{shown}: {} is not a folder", existing.display()), OTHER);
    }
    if !is_writable(existing) {
        return Line::bad("cache", format!("{shown}: {} cannot be written to", existing.display()), OTHER);
    }
    match rustix::fs::statvfs(existing).map(|disk| disk.f_bavail * disk.f_frsize) {
        Err(error) => Line::bad("cache", format!("{shown}: {error}"), OTHER),
        Ok(free) if free < LITTLE => {
            let advice = format!("make room (`selfsame data cache clear`), or {OTHER}");
            Line::better("cache", format!("{shown}, {} free", gigabytes(free)), advice)
        }
        Ok(free) => Line::good("cache", format!("{shown}, {} free", gigabytes(free))),
    }
}

fn is_writable(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
}
