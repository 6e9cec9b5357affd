//! `--processes N`: starts this program N times, hands signals on, and ends all when one has failed.

use super::launch::Fleet;
use super::watch::LOST;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use signal_hook::low_level;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long the others have to end by themselves once one has failed.
const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);

/// Tells a process that its standard input ends when the one that started it does.
const TIED: &str = "TIED_TO_STDIN";

/// How processes that were started here have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// All well.
    Well,
    /// One failed with this exit code, and has said why.
    Failed(u8),
    /// One was ended by a signal, and no other one has told of it.
    Lost(String),
}

/// Runs this program with `arguments` as the processes of `fleet` and waits for them. The first process of the fleet speaks for
/// all; what others say is prefixed by their number.
///
/// # Errors
/// A process that cannot be started.
pub fn spawn(fleet: &Fleet, arguments: &[OsString]) -> io::Result<Ended> {
    let (host, port, listener) = match &fleet.master {
        Some((host, port)) => (host.clone(), *port, None),
        None => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            (Ipv4Addr::LOCALHOST.to_string(), listener.local_addr()?.port(), Some(listener))
        }
    };
    let program = std::env::current_exe()?;
    let children = Arc::new(Mutex::new(Vec::new()));
    forward_signals(Arc::clone(&children))?;
    let mut started = Vec::new();
    for local in 0..fleet.processes {
        let rank = fleet.first + local;
        let mut command = Command::new(&program);
        let numbers = [("RANK", rank), ("WORLD_SIZE", fleet.size), ("LOCAL_RANK", local)];
        command.args(arguments).envs(numbers.map(|(name, number)| (name, number.to_string())));
        command.env("LOCAL_WORLD_SIZE", fleet.processes.to_string());
        command.env("MASTER_ADDR", &host).env("MASTER_PORT", port.to_string()).env(TIED, "1");
        // A terminal sends its signals to the process that the user started; that one hands them on, once.
        command.process_group(0).stdin(Stdio::piped());
        if local > 0 {
            command.stdout(Stdio::null()).stderr(Stdio::piped());
        }
        let served = listener.as_ref().filter(|_| rank == 0);
        if let Some(listener) = served {
            command.env("MASTER_LISTEN_FD", listener.as_raw_fd().to_string());
            fcntl_setfd(listener, FdFlags::empty())?;
        }
        let child = command.spawn();
        if let Some(listener) = served {
            fcntl_setfd(listener, FdFlags::CLOEXEC)?;
        }
        match child {
            Ok(mut child) => {
                started.extend(child.stderr.take().map(|stderr| thread::spawn(move || prefixed(rank, stderr))));
                locked(&children).push(Some(child));
            }
            Err(error) => {
                end(&children);
                return Err(error);
            }
        }
    }
    drop(listener);
    let ended = wait(&children, fleet.first)?;
    started.into_iter().for_each(|reader| drop(reader.join()));
    Ok(ended)
}

type Children = Mutex<Vec<Option<Child>>>;

fn locked(children: &Children) -> MutexGuard<'_, Vec<Option<Child>>> {
    children.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for all, the first of which has the number `first`; once one has failed, the others have [`GRACE`].
fn wait(children: &Children, first: usize) -> io::Result<Ended> {
    let (mut failed, mut since) = (Ended::Well, None);
    loop {
        let mut running = false;
        for (place, rank) in locked(children).iter_mut().zip(first..) {
            let Some(child) = place else { continue };
            match child.try_wait()? {
                Some(status) => {
                    *place = None;
                    let ended = ended(rank, status);
                    if ended != Ended::Well {
                        since.get_or_insert_with(Instant::now);
                    }
                    // One that fails by itself has said why.
                    if failed == Ended::Well || matches!((&failed, &ended), (Ended::Lost(_), Ended::Failed(_))) {
                        failed = ended;
                    }
                }
                None => running = true,
            }
        }
        if !running {
            return Ok(failed);
        }
        if since.is_some_and(|since| since.elapsed() > GRACE) {
            end(children);
        }
        thread::sleep(POLL);
    }
}

fn ended(rank: usize, status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ended::Well,
        (Some(code), _) => Ended::Failed(u8::try_from(code).unwrap_or(LOST)),
        (None, signal) => Ended::Lost(format!(
            "process {rank} is gone (signal {}: killed, or out of memory?) while the processes were getting ready, and the \
             others were ended; start them again, with `--resume` where there is a checkpoint",
            signal.unwrap_or_default()
        )),
    }
}

fn end(children: &Children) {
    for child in locked(children).iter_mut().flatten() {
        let _ = child.kill();
    }
}

fn forward_signals(children: Arc<Children>) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM, SIGUSR1])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let Some(signal) = Signal::from_named_raw(signal) else { continue };
            for child in locked(&children).iter().flatten() {
                // Not waited for yet, so the number is still that process's.
                if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                    let _ = kill_process(pid, signal);
                }
            }
        }
    });
    Ok(())
}

/// Copies lines to standard error, each with the number of its process.
fn prefixed(rank: usize, lines: impl Read) {
    let mut lines = BufReader::new(lines);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        let mut whole = format!("[{rank}] ").into_bytes();
        whole.append(&mut line);
        let _ = io::stderr().write_all(&whole);
    }
}

/// Stops this process, as SIGTERM would, when the one that started it by `--processes` is gone.
pub fn end_with_parent() {
    if std::env::var_os(TIED).is_none() {
        return;
    }
    thread::spawn(|| {
        let mut nothing = [0; 64];
        while io::stdin().read(&mut nothing).is_ok_and(|read| read > 0) {}
        let _ = low_level::raise(SIGTERM);
    });
}
