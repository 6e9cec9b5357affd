//! Ctrl-C, `kill` and a terminal that goes away: the first signal asks the run to save and stop, the second ends the process
//! at once. SIGUSR1 asks it to save and go on.

use crate::plugin;
use crate::world::{Agreement, World, WorldError};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Keeps SIGUSR1, which asks a training run to save, from ending a process that has nothing to save.
///
/// # Errors
/// A handler that the system does not take.
pub fn outlive_save_requests() -> io::Result<()> {
    flag::register(SIGUSR1, Arc::new(AtomicBool::new(false))).map(drop)
}

/// Whether somebody asked the run to stop, or to save. The default one listens to no signal: nobody ever does.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    exit_code: Arc<AtomicUsize>,
    save: Arc<AtomicBool>,
}

impl Stop {
    /// Starts to listen for SIGUSR1, SIGINT, SIGTERM and, unless the process was started to survive it (`nohup`), SIGHUP.
    ///
    /// A second signal to stop, of any kind, ends the process at once, with 128 and the signal's number.
    pub fn install() -> io::Result<Stop> {
        let exit_code = Arc::new(AtomicUsize::new(0));
        let armed = Arc::new(AtomicBool::new(false));
        let hangup = (!ignores_hangup()).then_some(SIGHUP);
        for signal in [SIGINT, SIGTERM].into_iter().chain(hangup) {
            let code = 128 + signal;
            // Handlers run in the order of registration: the first signal finds the flag down, then raises it.
            flag::register_conditional_shutdown(signal, code, Arc::clone(&armed))?;
            flag::register(signal, Arc::clone(&armed))?;
            flag::register_usize(signal, Arc::clone(&exit_code), code as usize)?;
            flag::register(signal, plugin::wish_to_stop())?;
        }
        let save = Arc::new(AtomicBool::new(false));
        flag::register(SIGUSR1, Arc::clone(&save))?;
        Ok(Stop { exit_code, save })
    }

    /// Whether SIGUSR1 has come since the state was saved.
    pub fn save_requested(&self) -> bool {
        self.save.load(Ordering::SeqCst)
    }

    /// [`save_requested`](Self::save_requested), by whoever saves now.
    pub fn take_save_request(&self) -> bool {
        self.save.swap(false, Ordering::SeqCst)
    }

    /// The exit code to end with (130 after SIGINT, 143 after SIGTERM, 129 after SIGHUP), once a signal has come.
    pub fn requested(&self) -> Option<i32> {
        match self.exit_code.load(Ordering::SeqCst) {
            0 => None,
            code => Some(code as i32),
        }
    }
}

/// What somebody wants of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wishes {
    /// That it stops, with this exit code.
    pub stop: Option<u8>,
    /// That it saves.
    pub save: bool,
}

/// Wishes of all processes, on the way.
#[must_use = "all processes wait for it at the same place"]
pub struct CommonWishes(Agreement<2>);

impl CommonWishes {
    /// What somebody wants of any process; of one process alone, what is wanted of it now.
    ///
    /// # Errors
    /// A process that is gone.
    pub fn wait(self, stop: &Stop) -> Result<Wishes, WorldError> {
        let [code, save] = self.0.wait(|| stop.wishes())?;
        Ok(Wishes { stop: u8::try_from(code).ok().filter(|code| *code > 0), save: save > 0 })
    }
}

impl Stop {
    /// Begins to find out what is wanted of any process; all call it at the same place.
    ///
    /// # Errors
    /// A process that is gone.
    pub fn agree(&self, world: &World) -> Result<CommonWishes, WorldError> {
        Ok(CommonWishes(world.agree(|| self.wishes())?))
    }

    fn wishes(&self) -> [i64; 2] {
        [self.exit_code.load(Ordering::SeqCst) as i64, self.save_requested().into()]
    }
}

/// Whether SIGHUP is among the signals that Linux says this process ignores.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    /// After which the child ends by itself.
    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    #[ignore = "the child process of the other tests here"]
    fn child_waits_for_signals() {
        // A handler of its own, so that SIGHUP is not ignored where the tests were started under `nohup`.
        flag::register(SIGHUP, Arc::default()).unwrap();
        let stop = Stop::install().unwrap();
        eprintln!("ready");
        let limit = Instant::now() + LIMIT;
        while stop.requested().is_none() && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(1));
        }
        eprintln!("asked {:?}", stop.requested());
        std::thread::sleep(limit.saturating_duration_since(Instant::now()));
    }

    fn spawn() -> (Child, impl Iterator<Item = String>) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "train::signals::tests::child_waits_for_signals"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        (child, lines)
    }

    fn send(signal: &str, child: &Child) {
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    }

    #[test]
    fn the_first_signal_asks_and_the_second_ends_the_process() {
        for (first, asked, second, code) in [
            ("-INT", "asked Some(130)", "-INT", 130),
            ("-TERM", "asked Some(143)", "-TERM", 143),
            ("-TERM", "asked Some(143)", "-INT", 130),
            ("-HUP", "asked Some(129)", "-TERM", 143),
        ] {
            let (mut child, mut lines) = spawn();
            assert_eq!(lines.next().unwrap(), "ready");
            send(first, &child);
            assert_eq!(lines.next().unwrap(), asked);
            send(second, &child);
            assert_eq!(child.wait().unwrap().code(), Some(code), "{first} {second}");
        }
    }
}
