//! `selfsame init`: a first run file for a folder of images.

use super::args::{Cli, InitArgs};
use super::failure::Failure;
use super::open;
use super::print::ensure_new;
use crate::home;
use crate::init::{self, Wanted};
use crate::output::host_services::HostServices;
use crate::storage::{Disk, write_atomically};
use crate::train::signals::Stop;
use indicatif::MultiProgress;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Looks at the folder, writes the run file, and says what was found and what comes next.
pub fn init(cli: &Cli, arguments: &InitArgs, bars: &MultiProgress) -> Result<String, Failure> {
    let folder = home::absolute(&arguments.folder);
    let name = name_of(&folder);
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.yaml")));
    ensure_new(&out, arguments.force)?;
    ensure_folder(&out)?;
    let stop = Stop::install()?;
    let stopped = || stop.requested().is_some();
    let services = HostServices::new(bars, &stopped);
    let registry = open::registry(&cli.common);
    let run = new_run(&out.file_stem().map_or(name, |stem| plain(&stem.to_string_lossy())));
    let time = Duration::from_secs(60 * arguments.minutes as u64);
    let wanted = Wanted { folder: &folder, output_dir: &run, time };
    let proposed = init::propose(wanted, &registry, &services, &stop);
    let proposed = proposed.map_err(|error| Failure::from(error).signalled(&stop))?;
    services.clear();
    // Somebody else may have written it meanwhile.
    ensure_new(&out, arguments.force)?;
    write_atomically(&Disk, &out, proposed.yaml.as_bytes())?;
    let shown = out.to_string_lossy();
    let file = shell_words::quote(&shown);
    Ok(format!(
        "{}\n{}\nwrote {}, which says why each value is as it is. Next:\n  selfsame train --config {file}\nBefore, where you like:\n  \
         selfsame preview --config {file} --out {name}.png    (the random views that training sees)\n  selfsame data stats --config \
         {file}    (every image, not only those looked at)",
        folder.display(),
        proposed.found,
        out.display(),
        name =
            shell_words::quote(&run.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())),
    ))
}

/// The folder's name in letters that no shell and no file system minds.
fn name_of(folder: &Path) -> String {
    folder.file_name().map_or_else(|| "images".to_owned(), |name| plain(&name.to_string_lossy()))
}

fn plain(name: &str) -> String {
    let is_kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name.chars().map(|c| if is_kept(c) { c } else { '_' }).collect();
    match name.trim_matches(['.', '_', '-']) {
        "" => "images".to_owned(),
        name => name.to_owned(),
    }
}

/// Says before the work that the file could not be written after it.
fn ensure_folder(out: &Path) -> Result<(), Failure> {
    let folder = out.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    if folder.is_dir() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{}: there is no such folder to write into; make it, or name another --out",
        folder.display()
    )))
}

/// A run's folder that is not there yet.
fn new_run(name: &str) -> PathBuf {
    let numbered = (2..).map(|number| Path::new("runs").join(format!("{name}-{number}")));
    let mut names = std::iter::once(Path::new("runs").join(name)).chain(numbered);
    names.find(|path| !path.exists()).unwrap_or_else(|| Path::new("runs").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_plain() {
        for (folder, expected) in [
            ("/data/My films (2026)", "My_films__2026"),
            ("/data/.hidden", "hidden"),
            ("/", "images"),
            ("/鏡", "images"),
        ] {
            assert_eq!(name_of(Path::new(folder)), expected);
        }
    }
}
