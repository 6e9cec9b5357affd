//! One process a run: a lock on a file in the run's folder.

use crate::error::Error;
use crate::lock::{Attempt, FileLock};
use crate::storage::Naming;
use std::path::Path;

/// The lock file's name in the run's folder. It stays behind; what counts is the lock, which the system takes back
/// when its holder ends, however it ends.
pub const LOCK_FILE: &str = "run.lock";

/// The only process that may write to a run's folder; released on drop or when the process ends.
#[derive(Debug)]
pub struct RunLock {
    _lock: FileLock,
}

impl RunLock {
    /// Locks an existing run's folder, or says which process has it.
    ///
    /// On file systems without locks it warns and goes on.
    pub fn acquire(run_dir: &Path) -> Result<RunLock, Error> {
        let path = run_dir.join(LOCK_FILE);
        let attempt = FileLock::attempt(&path).naming("lock", &path);
        match attempt.map_err(|error| Error::configuration(error.to_string()))? {
            Attempt::Locked(lock) => Ok(RunLock { _lock: lock }),
            Attempt::Held(holder) => Err(Error::configuration(format!(
                "{} is in use by {holder}; wait for it or stop it, or name another folder with --output-dir",
                run_dir.display()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::process::{Command, Stdio};

    const DIR: &str = "SELFSAME_TEST_LOCK_DIR";

    #[test]
    #[ignore = "the child process of `a_second_process_is_refused_and_a_killed_ones_lock_taken_over`"]
    fn child_holds_the_lock() {
        let _lock = RunLock::acquire(Path::new(&std::env::var(DIR).unwrap())).unwrap();
        eprintln!("locked");
        std::thread::sleep(std::time::Duration::from_secs(60));
    }

    #[test]
    fn a_second_process_is_refused_and_a_killed_ones_lock_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "run::lock::tests::child_holds_the_lock"])
            .env(DIR, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut byte = [0];
        child.stderr.as_mut().unwrap().read_exact(&mut byte).unwrap(); // it has the lock once it says so
        let error = RunLock::acquire(dir.path()).unwrap_err().to_string();
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        assert!(error.contains(&format!("process {}", child.id())), "{error}");
        assert!(error.contains("--output-dir") && error.contains(dir.path().to_str().unwrap()), "{error}");
        let lock = RunLock::acquire(dir.path()).unwrap();
        let held = RunLock::acquire(dir.path()).unwrap_err().to_string();
        assert!(held.contains(&format!("in use by process {}", std::process::id())), "{held}");
        drop(lock);
        RunLock::acquire(dir.path()).unwrap();
    }
}
