//! A check in a process of its own: a plugin that crashes, ends the process or does not come back gets a verdict as any other.

use super::event::Event;
use super::verdict::{Report, Status, Verdict};
use crate::error::Error;
use crate::plugin::{self, Moment};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Between two looks at the clock and at the user's wishes.
const POLL: Duration = Duration::from_millis(50);
/// Looks at what a process has said, after its end.
const LAST_LOOKS: u32 = 40;
/// Exit codes that a process gives itself when it cannot be told from a plugin that calls `exit`: done, and a plugin's failure.
const SAYS_NOTHING: [i32; 2] = [0, 4];

/// How a supervised check ended.
#[derive(Debug)]
pub enum Supervised {
    /// With verdicts.
    Checked(Report),
    /// The process that checks has said why it ended, with this exit code.
    Told(u8),
}

/// Checks a plugin file in processes that `checker` makes: they check the data sets and encoders that come after so many, and
/// write each [`Event`] as a line of JSON to standard output. A call that says nothing for `limit` counts as one that does not
/// come back. `requested` is the exit code of the signal by which the user wishes to stop; the process hears of it.
///
/// # Errors
/// A process that cannot be started.
pub fn supervise(
    file: &Path,
    checker: impl Fn(usize) -> Command,
    limit: Duration,
    requested: &dyn Fn() -> Option<i32>,
) -> Result<Supervised, Error> {
    let mut report =
        Report { file: file.to_owned(), plugin: String::new(), version: String::new(), verdicts: Vec::new() };
    let mut after = 0;
    loop {
        let cannot = |error: io::Error| Error::data(format!("the process that checks cannot be started: {error}"));
        let mut followed = Followed::start(checker(after)).map_err(cannot)?;
        let ended = followed.follow(limit, requested, &mut report).map_err(cannot)?;
        let told = ended.code().filter(|code| !SAYS_NOTHING.contains(code) || followed.subjects.is_empty());
        match (followed.is_finished, told) {
            (true, _) => return Ok(Supervised::Checked(report)),
            (false, Some(code)) => return Ok(Supervised::Told(u8::try_from(code).unwrap_or(1))),
            (false, None) if followed.subjects.is_empty() => {
                return Err(Error::data(format!("the process that checks {} ended: {ended}", file.display())));
            }
            (false, None) => {}
        }
        let (subject, check) = followed.at.clone();
        let detail = followed.why(ended, limit);
        report.verdicts.push(Verdict { subject: subject.clone(), check, status: Status::Failed, detail });
        let (check, why) = ("everything else".to_owned(), "the process that checked it is gone".to_owned());
        report.verdicts.push(Verdict { subject: subject.clone(), check, status: Status::Skipped, detail: why });
        after = followed.subjects.iter().position(|known| *known == subject).map_or(usize::MAX, |at| at + 1);
        if after >= followed.subjects.len() {
            return Ok(Supervised::Checked(report));
        }
    }
}

/// A process that checks, and what it has told so far.
struct Followed {
    child: Child,
    events: Receiver<Event>,
    subjects: Vec<String>,
    /// Subject and check under way.
    at: (String, String),
    /// Methods that have been called and have not come back.
    calls: Vec<String>,
    /// When something was last heard of.
    heard: Instant,
    /// The method that did not come back.
    hangs: Option<String>,
    is_finished: bool,
}

impl Followed {
    fn start(mut command: Command) -> io::Result<Self> {
        // A terminal's Ctrl-C reaches this process alone, which passes it on.
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0).spawn()?;
        let (teller, events) = mpsc::channel();
        let lines = child.stdout.take().map(BufReader::new);
        std::thread::spawn(move || {
            let lines = lines.into_iter().flat_map(BufRead::lines).map_while(Result::ok);
            for event in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                if teller.send(event).is_err() {
                    return;
                }
            }
        });
        let (subjects, calls) = (Vec::new(), Vec::new());
        let at = (String::new(), String::new());
        Ok(Self { child, events, subjects, at, calls, heard: Instant::now(), hangs: None, is_finished: false })
    }

    /// Listens until the process has ended, one way or the other.
    fn follow(
        &mut self,
        limit: Duration,
        requested: &dyn Fn() -> Option<i32>,
        report: &mut Report,
    ) -> io::Result<ExitStatus> {
        let (mut is_told, mut looks) = (false, 0);
        loop {
            match self.events.recv_timeout(POLL) {
                Ok(event) => self.take(event, report),
                Err(RecvTimeoutError::Disconnected) => break,
                // A process that the plugin has started may keep the pipe open.
                Err(RecvTimeoutError::Timeout) if self.child.try_wait()?.is_some() => {
                    looks += 1;
                    if looks > LAST_LOOKS {
                        break;
                    }
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(signal) = requested().and_then(|code| Signal::from_named_raw(code - 128)).filter(|_| !is_told) {
                is_told = true;
                let _ = kill_process(Pid::from_child(&self.child), signal);
            }
            if self.hangs.is_none() && !self.calls.is_empty() && self.heard.elapsed() > limit {
                self.hangs = self.calls.last().cloned();
                self.child.kill()?;
            }
        }
        self.child.wait()
    }

    fn take(&mut self, event: Event, report: &mut Report) {
        self.heard = Instant::now();
        match &event {
            Event::Plugin { subjects, .. } => self.subjects.clone_from(subjects),
            Event::Check { subject, check } => self.at = (subject.clone(), check.clone()),
            Event::Call { method, moment: Moment::Begins } => self.calls.push(method.clone()),
            Event::Call { moment: Moment::Goes, .. } => {}
            Event::Call { method, moment: Moment::Ends } => {
                let last = self.calls.iter().rposition(|called| called == method);
                drop(last.map(|at| self.calls.remove(at)));
            }
            // A call that is left behind is one that the verdict is about.
            Event::Verdict(_) => self.calls.clear(),
            Event::Finished => self.is_finished = true,
        }
        report.take(event);
    }

    /// What the plugin did, as a verdict's detail.
    fn why(&self, ended: ExitStatus, limit: Duration) -> String {
        if let Some(method) = &self.hangs {
            let seconds = limit.as_secs();
            return format!("`{method}` has said nothing for {seconds} s; `--call-limit` waits longer");
        }
        let whom = match self.calls.last() {
            Some(method) => format!("`{method}`"),
            None => "a thread of the plugin's own".into(),
        };
        match ended.signal() {
            None => format!("{whom} ended the process (it called `exit`)"),
            Some(signal) => match plugin::crash(signal) {
                Some(words) => format!("{whom} crashed the process ({words})"),
                None => format!("{whom} was under way when signal {signal} ended the process; memory may be short"),
            },
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        // It has ended already, except where this one was told to stop at once.
        let _ = self.child.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that tells of one call in one check, and then does what the script says.
    fn checker(script: &str) -> Command {
        let lines = [
            r#"{"plugin": {"name": "p", "version": "1.0.0", "subjects": ["data set a", "data set b"]}}"#,
            r#"{"check": {"subject": "data set a", "check": "images"}}"#,
            r#"{"call": {"method": "Samples::read", "moment": "begins"}}"#,
        ];
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("printf '%s\\n' '{}'; {script}", lines.join("' '"))]);
        shell
    }

    fn finished() -> Command {
        let verdict = r#"{"verdict": {"subject": "data set b", "check": "card", "status": "ok", "detail": ""}}"#;
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("printf '%s\\n' 'no JSON' '{verdict}' '\"finished\"'")]);
        shell
    }

    #[test]
    fn however_the_process_ends_there_is_a_verdict_and_the_next_one_goes_on() {
        for (script, expected) in [
            ("kill -SEGV $$", "`Samples::read` crashed the process (SIGSEGV"),
            ("kill -ABRT $$", "`Samples::read` crashed the process (SIGABRT"),
            ("kill -KILL $$", "`Samples::read` was under way when signal 9 ended the process"),
            ("exit 0", "`Samples::read` ended the process (it called `exit`)"),
            ("exit 4", "`Samples::read` ended the process (it called `exit`)"),
            ("exec sleep 1000", "`Samples::read` has said nothing for 1 s"),
            ("sleep 9 & kill -SEGV $$", "`Samples::read` crashed the process"),
        ] {
            let start = |after| if after == 0 { checker(script) } else { finished() };
            let ended = supervise(Path::new("x.so"), start, Duration::from_secs(1), &|| None).unwrap();
            let Supervised::Checked(report) = ended else { panic!("{script}: {ended:?}") };
            let found: Vec<_> =
                report.verdicts.iter().map(|verdict| (verdict.subject.as_str(), verdict.status)).collect();
            let expected_verdicts =
                [("data set a", Status::Failed), ("data set a", Status::Skipped), ("data set b", Status::Ok)];
            assert_eq!(found, expected_verdicts, "{script}");
            assert_eq!((report.plugin.as_str(), report.failed()), ("p", 1));
            assert!(report.verdicts[0].detail.starts_with(expected), "{script}: {}", report.verdicts[0].detail);
        }
    }

    #[test]
    fn what_the_process_has_said_itself_is_not_said_again() {
        for (script, code) in [("exit 2", 2), ("exit 130", 130)] {
            let ended = supervise(Path::new("x.so"), |_| checker(script), Duration::from_secs(9), &|| None).unwrap();
            assert!(matches!(ended, Supervised::Told(told) if told == code), "{script}: {ended:?}");
        }
        let silent = || {
            let mut shell = Command::new("sh");
            shell.args(["-c", "exit 4"]);
            shell
        };
        let ended = supervise(Path::new("x.so"), |_| silent(), Duration::from_secs(9), &|| None).unwrap();
        assert!(matches!(ended, Supervised::Told(4)), "{ended:?}");
    }

    #[test]
    fn a_wish_to_stop_is_passed_on() {
        let waits = "trap 'exit 143' TERM; while :; do sleep 0.05; done";
        let ended = supervise(Path::new("x.so"), |_| checker(waits), Duration::from_secs(60), &|| Some(143)).unwrap();
        assert!(matches!(ended, Supervised::Told(143)), "{ended:?}");
    }
}
