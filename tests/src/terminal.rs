//! Programs that are started on a terminal.

use super::Running;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;

/// Runs a program to its end with a terminal of 120 columns as standard error; returns its exit code and all that it sent
/// there, escape sequences included.
pub fn run(mut command: Command) -> (Option<i32>, String) {
    let (mut ours, theirs) = open(120);
    command.env("TERM", "xterm").stderr(theirs);
    let running = Running::start(&mut command);
    // The last copy of the program's end but its own, so that reading ends with the program.
    drop(command);
    let reader = std::thread::spawn(move || {
        let (mut sent, mut buffer) = (Vec::new(), [0; 4096]);
        // A terminal that nobody writes to any more is an error (EIO).
        while let Ok(count @ 1..) = ours.read(&mut buffer) {
            sent.extend_from_slice(&buffer[..count]);
        }
        sent
    });
    let ran = running.finish();
    let sent = reader.join().expect("the reader's end");
    (ran.code, String::from_utf8_lossy(&sent).into_owned())
}

fn open(columns: u16) -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: both numbers and the size outlive the call; the name and the settings may be absent.
    let opened = unsafe { libc::openpty(&mut ours, &mut theirs, std::ptr::null_mut(), std::ptr::null(), &size) };
    assert_eq!(opened, 0, "{}", io::Error::last_os_error());
    // SAFETY: the call has just opened them for us alone.
    let (ours, theirs) = unsafe { (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
    // SAFETY: the descriptor is ours; no program shall inherit it.
    assert_eq!(unsafe { libc::fcntl(ours.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) }, 0);
    (ours, theirs)
}
