//! One command as several processes: started here, or by a launcher.

use super::failure::Failure;
use crate::world::{self, Ended, Fleet, Launch, World};
use std::ffi::OsString;
use std::time::Duration;

/// Starts the processes, each with this command line, and waits for them.
pub(super) fn start(fleet: &Fleet) -> Result<(), Failure> {
    match world::spawn(fleet, &without_processes(std::env::args_os().skip(1)))? {
        Ended::Well => Ok(()),
        Ended::Failed(code) => Err(Failure::told_elsewhere(code)),
        Ended::Lost(message) => Err(Failure { message, code: world::LOST }),
    }
}

/// Meets the other processes, of which this is one.
pub(super) fn join(launch: Launch, timeout: Duration) -> Result<World, Failure> {
    let announce = |message: &str| Failure { message: message.to_owned(), code: world::LOST }.print();
    let world = World::join(launch, timeout, Box::new(announce));
    world::end_with_parent();
    world.map_err(|error| Failure { message: error.to_string(), code: world::LOST })
}

/// The words of the command line that each of several processes gets.
fn without_processes(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    const FLAGS: [&str; 4] = ["--processes", "--nodes", "--node", "--master"];
    let (mut kept, mut skips) = (Vec::new(), false);
    for word in words {
        let text = word.to_string_lossy();
        let (is_flag, has_value) =
            (FLAGS.contains(&&*text), FLAGS.iter().any(|flag| text.starts_with(&format!("{flag}="))));
        if !(std::mem::replace(&mut skips, is_flag) || is_flag || has_value) {
            kept.push(word);
        }
    }
    kept
}
