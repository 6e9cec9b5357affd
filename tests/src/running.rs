//! A process that a test has started: bounded in time, and ended with the test.

use super::Ran;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Output};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest that a started program may take, on a machine with much else to do.
const LIMIT: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(5);

/// A started program. Its output is read as it comes; it is killed when it takes too long and when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    started: Instant,
    limit: Duration,
    stdout: Stream,
    stderr: Stream,
}

impl Running {
    /// Starts a program with the default handling of signals, whatever the tests inherited: `nohup` ignores SIGHUP, a
    /// shell's background jobs ignore SIGINT. Output that is piped is kept.
    pub fn start(command: &mut Command) -> Self {
        Self::within(LIMIT, command)
    }

    /// As [`start`](Self::start), with another limit.
    pub fn within(limit: Duration, command: &mut Command) -> Self {
        let default = || {
            for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2] {
                // SAFETY: signal(2) may be called between fork and exec, and SIG_DFL is no function of this process.
                if unsafe { libc::signal(signal, libc::SIG_DFL) } == libc::SIG_ERR {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        };
        // SAFETY: the closure only calls signal(2), which is async-signal-safe.
        let mut child = unsafe { command.pre_exec(default) }.spawn().expect("the program starts");
        let (stdout, stderr) = (Stream::of(child.stdout.take()), Stream::of(child.stderr.take()));
        Self { child, started: Instant::now(), limit, stdout, stderr }
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: the process is our own child, which has not been waited for.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    /// Ends it by SIGKILL.
    ///
    /// # Errors
    /// What the system says.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()
    }

    /// How it ended, where it has. Fails the test when it has taken too long, so that loops that look may be endless.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let ended = self.child.try_wait()?;
        if ended.is_none() && self.started.elapsed() > self.limit {
            let _ = self.child.kill();
            panic!(
                "{:?} have passed and the program still runs\nstdout:\n{}\nstderr:\n{}",
                self.limit,
                self.stdout.text(),
                self.stderr.text()
            );
        }
        Ok(ended)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What the system says.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits for its end and returns what it said.
    pub fn finish(mut self) -> Ran {
        let status = self.wait().expect("the program's end");
        // Whoever else has the pipe, such as a child of the program, is not waited for without end.
        while !(self.stdout.is_complete() && self.stderr.is_complete()) && self.started.elapsed() < self.limit {
            std::thread::sleep(POLL);
        }
        Ran::new(Output { status, stdout: self.stdout.bytes(), stderr: self.stderr.bytes() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a pipe has brought so far.
#[derive(Debug)]
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Stream {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        let reader = pipe.map(|mut pipe| {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
                }
            })
        });
        Self { bytes, reader }
    }

    fn is_complete(&self) -> bool {
        self.reader.as_ref().is_none_or(std::thread::JoinHandle::is_finished)
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::process::Stdio;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended_and_what_it_said_is_shown() {
        let mut running = Running::within(Duration::ZERO, &mut shell("echo begun; exec sleep 1000"));
        while !running.stdout.text().contains("begun") {
            std::thread::sleep(POLL);
        }
        let panic = catch_unwind(AssertUnwindSafe(|| running.wait())).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains("still runs") && message.contains("begun"), "{message}");
        assert!(!running.child.wait().unwrap().success());
    }

    #[test]
    fn signals_that_the_tests_ignore_end_a_program() {
        for signal in ["HUP", "INT"] {
            // The shell ignores the signal for all that it starts, as nohup does.
            let mut program = shell(&format!("kill -{signal} $$; echo survived"));
            // SAFETY: as in `start`; it runs before the handling is set back to the default.
            let ignoring = unsafe {
                program.pre_exec(|| {
                    for signal in [libc::SIGHUP, libc::SIGINT] {
                        libc::signal(signal, libc::SIG_IGN);
                    }
                    Ok(())
                })
            };
            let ran = Running::start(ignoring).finish();
            assert_eq!((ran.code, ran.stdout.as_str()), (None, ""), "{signal}");
        }
    }
}
