//! Notices what happens to the other processes, whatever this one is doing: the first that fails says why, and all end
//! with its exit code; of one that dies without a word, its neighbour does.
//!
//! The key [`FAILED`] of the store holds the reason; each process waits for it. Of those that die, a pending receive from
//! each process by its neighbour in a ring fails at once.

use super::launch::Launch;
use crate::native::NativeError;
use crate::native::c10d::{self, Group, Store};
use serde::{Deserialize, Serialize};
use signal_hook::low_level;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The exit code where a process is lost or does not answer.
pub const LOST: u8 = 6;

const FAILED: &str = "failed";
const HEARD: &str = "heard";
const ARRIVED: &str = "arrived at the end";
const ALL_ARRIVED: &str = "all have arrived at the end";
const LEFT: &str = "left";

/// How long a process that ends waits for the others to hear why.
const PATIENCE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(5);
/// How often it is asked whether a collective is overdue: small beside [`PATIENCE`], within which all processes find out.
const POLL_OVERDUE: Duration = Duration::from_millis(250);
/// No collective of the ring ever ends by itself.
const FOR_EVER: Duration = Duration::from_secs(30 * 24 * 3600);

/// Shows a message of the whole run.
pub type Announce = Box<dyn Fn(&str) + Send + Sync>;

/// What a process does before another one's failure ends it.
pub type LastAct = Box<dyn FnOnce() + Send>;

/// Why all end.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Reason {
    /// Who says so.
    teller: usize,
    /// Who shows it.
    shown_by: usize,
    code: u8,
    message: String,
    /// How many will not hear of it.
    lost: usize,
}

/// What a process that failed has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Show its own message, and end with its own code.
    Show,
    /// End with this code; the message is shown elsewhere.
    Silent(u8),
}

/// Watches over the other processes.
pub struct Watch {
    rank: usize,
    size: usize,
    attempt: String,
    /// Requests of the thread that trains.
    store: Store,
    /// Waits for [`FAILED`], so that no request waits behind it.
    waiting: Store,
    /// Says and asks why all end, however long the thread that trains waits for an answer.
    telling: Store,
    ring: Group,
    announce: Announce,
    /// One more than the step of the newest checkpoint; 0 without.
    saved: AtomicU64,
    over: AtomicBool,
    /// Whether a thread is finding out who does not answer.
    is_losing: AtomicBool,
    last_act: Mutex<Option<LastAct>>,
}

impl Watch {
    /// Begins to watch.
    ///
    /// # Errors
    /// A store or a neighbour that cannot be reached.
    pub fn start(
        launch: &Launch,
        [store, waiting, telling]: [Store; 3],
        join_ring: impl FnOnce(&Store, Duration) -> Result<Group, NativeError>,
        announce: Announce,
    ) -> Result<Arc<Self>, NativeError> {
        let ring = join_ring(&store, FOR_EVER)?;
        let watch = Arc::new(Self {
            rank: launch.rank,
            size: launch.size,
            attempt: launch.attempt.clone(),
            store,
            waiting,
            telling,
            ring,
            announce,
            saved: AtomicU64::new(0),
            over: AtomicBool::new(false),
            is_losing: AtomicBool::new(false),
            last_act: Mutex::new(None),
        });
        let (listener, neighbour) = (Arc::clone(&watch), Arc::clone(&watch));
        thread::spawn(move || listener.listen());
        thread::spawn(move || neighbour.watch_neighbour());
        Ok(watch)
    }

    /// The store's key for this start of the processes.
    pub fn key(&self, name: &str) -> String {
        key(&self.attempt, name)
    }

    /// Requests of the thread that trains.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// A checkpoint of this step is there.
    pub fn saved(&self, step: u64) {
        self.saved.store(step + 1, Ordering::SeqCst);
    }

    /// What is to be done before another process's failure ends this one.
    pub fn set_last_act(&self, act: Option<LastAct>) {
        *self.last_act() = act;
    }

    /// Does `act` in place of the last act; no other process's failure ends this one meanwhile.
    pub fn settle<T>(&self, act: impl FnOnce() -> T) -> T {
        let mut last_act = self.last_act();
        *last_act = None;
        act()
    }

    fn last_act(&self) -> MutexGuard<'_, Option<LastAct>> {
        self.last_act.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of several threads that end this process, one does: the others wait for the lock, which is never given back.
    fn end(&self, code: u8) -> ! {
        let mut last_act = self.last_act();
        if let Some(act) = last_act.take() {
            act();
        }
        low_level::exit(code.into())
    }

    fn way_on(&self) -> String {
        match self.saved.load(Ordering::SeqCst) {
            0 => "there is no checkpoint yet".to_owned(),
            after => format!("the last checkpoint is of step {}, continue with `--resume`", after - 1),
        }
    }

    /// Ends the process when another one says why all end.
    fn listen(&self) {
        loop {
            match self.waiting.wait(&self.key(FAILED), FOR_EVER) {
                Ok(false) => {}
                Ok(true) => {
                    let text = self.waiting.get(&self.key(FAILED)).unwrap_or_default();
                    let Ok(reason) = serde_json::from_str::<Reason>(&text) else { return };
                    if reason.teller != self.rank {
                        self.follow(&reason);
                    }
                    return;
                }
                Err(_) if self.over.load(Ordering::SeqCst) => return,
                Err(_) => {
                    // Its server was process 0, or a launcher.
                    thread::sleep(POLL * 20);
                    if self.over.load(Ordering::SeqCst) {
                        return;
                    }
                    if self.rank == 1 {
                        (self.announce)(&self.gone(0));
                    }
                    self.end(LOST);
                }
            }
        }
    }

    fn gone(&self, rank: usize) -> String {
        format!("process {rank} is gone (killed, or out of memory?); {}", self.way_on())
    }

    /// Ends the process as another one says.
    fn follow(&self, reason: &Reason) -> ! {
        if reason.shown_by == self.rank {
            (self.announce)(&reason.message);
        }
        let _ = self.waiting.add(&self.key(HEARD), 1);
        self.wait_for_listeners(&self.waiting, reason.lost);
        self.end(reason.code)
    }

    /// Process 0 may have the store, and stays until the others know why they end.
    fn wait_for_listeners(&self, store: &Store, lost: usize) {
        let (start, listeners) = (Instant::now(), (self.size - 1 - lost) as i64);
        while self.rank == 0 && start.elapsed() < PATIENCE {
            match store.add(&self.key(HEARD), 0) {
                Ok(heard) if heard < listeners => thread::sleep(POLL),
                _ => return,
            }
        }
    }

    /// Ends all when the neighbour in the ring dies without a word.
    fn watch_neighbour(&self) {
        let neighbour = (self.rank + 1) % self.size;
        if self.ring.watch(neighbour).is_ok() || self.over.load(Ordering::SeqCst) {
            return;
        }
        // One that failed has said why before it went; the listener has it, or the store went with process 0.
        let known = |name| !matches!(self.telling.has(&self.key(name)), Ok(false));
        if known(ALL_ARRIVED) || known(FAILED) {
            return;
        }
        if let Verdict::Show = self.tell(LOST, &self.gone(neighbour), &[neighbour]) {
            (self.announce)(&self.gone(neighbour));
        }
        self.end(LOST)
    }

    /// From now on, a collective between GPUs that takes longer than `timeout` ends all, though no call waits for it.
    pub fn end_overdue(self: &Arc<Self>, timeout: Duration) {
        let watch = Arc::clone(self);
        thread::spawn(move || {
            while !c10d::is_overdue(timeout) {
                thread::sleep(POLL_OVERDUE);
                if watch.over.load(Ordering::SeqCst) {
                    return;
                }
            }
            let _ = watch.lost("an exchange between GPUs has not ended");
            watch.end(LOST)
        });
    }

    /// Tells the others that this process fails, and why. `lost` are those that will not hear it. Does not come back where
    /// another one was first.
    pub fn tell(&self, code: u8, message: &str, lost: &[usize]) -> Verdict {
        let shown_by = if lost.contains(&0) { self.rank } else { 0 };
        let message = match self.rank {
            rank if lost.is_empty() && rank != 0 => format!("process {rank}: {message}"),
            _ => message.to_owned(),
        };
        let reason = Reason { teller: self.rank, shown_by, code, message, lost: lost.len() };
        let Ok(text) = serde_json::to_string(&reason) else { return Verdict::Show };
        match self.telling.claim(&self.key(FAILED), &text) {
            Err(_) => {
                // The store went with process 0, which the listener sees as well.
                thread::sleep(PATIENCE);
                return Verdict::Silent(code);
            }
            Ok(first) if first != text => {
                // The listener ends this process.
                thread::sleep(2 * PATIENCE);
                return Verdict::Silent(code);
            }
            Ok(_) => {}
        }
        self.wait_for_listeners(&self.telling, lost.len());
        if shown_by == self.rank { Verdict::Show } else { Verdict::Silent(code) }
    }

    /// A collective of this process has failed: ends it with the reason that another one has, or finds out who does not
    /// answer.
    pub fn lost(self: &Arc<Self>, error: &str) -> Verdict {
        if self.is_losing.swap(true, Ordering::SeqCst) {
            // Another thread is about to say who it is, and ends the process.
            loop {
                thread::park();
            }
        }
        // A process that is stopped may be the one with the store, whose answers then never come.
        let (sender, receiver) = std::sync::mpsc::channel();
        let (watch, error) = (Arc::clone(self), error.to_owned());
        thread::spawn(move || {
            let stuck = |rank: usize| watch.key(&format!("stuck/{rank}"));
            let _ = watch.telling.set(&stuck(watch.rank), "");
            thread::sleep(PATIENCE);
            let silent = |rank: &usize| *rank != watch.rank && matches!(watch.telling.has(&stuck(*rank)), Ok(false));
            let silent: Vec<usize> = (0..watch.size).filter(silent).collect();
            let message = match silent.len() {
                0 => format!("the processes have lost each other ({error}); {}", watch.way_on()),
                _ => watch.silent(&silent),
            };
            let _ = sender.send(watch.tell(LOST, &message, &silent).told(&watch, &message));
        });
        receiver.recv_timeout(2 * PATIENCE).unwrap_or_else(|_| {
            if self.rank == 1 {
                (self.announce)(&self.silent(&[0]));
            }
            Verdict::Silent(LOST)
        })
    }

    fn silent(&self, ranks: &[usize]) -> String {
        let ranks: Vec<String> = ranks.iter().map(ToString::to_string).collect();
        let (which, what) = if ranks.len() == 1 { ("process", "does") } else { ("processes", "do") };
        format!("{which} {} {what} not answer (`train.collective_timeout`); {}", ranks.join(", "), self.way_on())
    }

    /// Waits until all have come to the end, so that none takes another's end for a death.
    pub fn leave(&self) {
        let store = &self.store;
        let arrive = || -> Result<(), NativeError> {
            if store.add(&self.key(ARRIVED), 1)? == self.size as i64 {
                store.set(&self.key(ALL_ARRIVED), "")?;
            }
            while !store.wait(&self.key(ALL_ARRIVED), FOR_EVER)? {}
            self.over.store(true, Ordering::SeqCst);
            let (start, mut left) = (Instant::now(), store.add(&self.key(LEFT), 1)?);
            while self.rank == 0 && left < self.size as i64 && start.elapsed() < PATIENCE {
                thread::sleep(POLL);
                left = store.add(&self.key(LEFT), 0)?;
            }
            Ok(())
        };
        if let Err(error) = arrive() {
            tracing::debug!("leaving the other processes: {error}");
        }
    }
}

impl Verdict {
    /// The verdict of a message that the caller does not know: shown here.
    fn told(self, watch: &Watch, message: &str) -> Self {
        match self {
            Self::Show => {
                (watch.announce)(message);
                Self::Silent(LOST)
            }
            silent => silent,
        }
    }
}

/// The store's key `name` for one start of the processes.
pub fn key(attempt: &str, name: &str) -> String {
    format!("selfsame/{attempt}/{name}")
}
