//! One command as several processes: started here, or by a launcher.

use super::failure::Failure;
use crate::native::c10d;
use crate::world::{self, Ended, Fleet, Launch, Verdict, World};
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

/// Ends one of several processes with all of them: what it came to where it is the one that speaks, nothing elsewhere.
/// `was_stopped`: a signal stopped all after the same step.
///
/// # Errors
/// Its own failure, or another one's, which is shown elsewhere.
pub(super) fn end<T>(world: &World, outcome: Result<T, Failure>, was_stopped: bool) -> Result<Option<T>, Failure> {
    let speaks = world.is_first();
    match outcome {
        Ok(result) => {
            world.leave();
            Ok(speaks.then_some(result))
        }
        Err(failure) if was_stopped => {
            world.leave();
            Err(if speaks { failure } else { Failure::told_elsewhere(failure.code) })
        }
        Err(failure) => {
            // What hangs in it could not be taken down.
            std::mem::forget(world.clone());
            let verdict = match c10d::is_broken() {
                true => world.lost(&failure.message),
                false => world.tell(failure.code, &failure.message),
            };
            Err(match verdict {
                Verdict::Show => failure,
                Verdict::Silent(code) => Failure::told_elsewhere(code),
            })
        }
    }
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
