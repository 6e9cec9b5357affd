//! Several processes that compute what one computes: who they are, their collectives, and how they end together.
//!
//! A process that is alone has a world as well, in which every call does nothing and costs nothing.

mod collective;
mod launch;
mod share;
mod spawn;
mod watch;

pub use collective::Agreement;
pub use launch::{Asked, Fleet, Launch, LaunchError, Start, start};
pub use share::Share;
pub use spawn::{Ended, end_with_parent, spawn};
pub use watch::{Announce, LOST, Verdict};

use crate::machine;
use crate::native::NativeError;
use crate::native::c10d::{Group, Server, Store};
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use watch::{LastAct, Watch, key};

/// A collective failed: another process is gone, or does not answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WorldError(String);

impl From<NativeError> for WorldError {
    fn from(error: NativeError) -> Self {
        Self(error.to_string())
    }
}

type Result<T, E = WorldError> = std::result::Result<T, E>;

/// The processes of a run, seen from one of them. Copies are of one world.
#[derive(Clone, Default)]
pub struct World(Option<Arc<Member>>);

struct Member {
    launch: Launch,
    timeout: Duration,
    watch: Arc<Watch>,
    /// Of projections, gradients and statistics.
    tensors: Group,
    /// Of everything else.
    control: Group,
}

/// Between two lines that say who is waited for.
const WAITING: Duration = Duration::from_secs(10);

impl World {
    /// A process by itself.
    #[must_use]
    pub fn alone() -> Self {
        Self(None)
    }

    /// Meets the other processes. A collective fails after `timeout`, and those that have not come after twice that time are
    /// named. `announce` shows what ends all of them.
    ///
    /// # Errors
    /// Processes that do not come, or cannot be reached.
    pub fn join(launch: Launch, timeout: Duration, announce: Announce) -> Result<Self> {
        let limit = Instant::now() + 2 * timeout;
        machine::share((launch.local_rank, launch.local_size));
        let store = meet(&launch, timeout, limit)?;
        let another = || Store::open(&launch.host, launch.port, Server::Elsewhere, timeout);
        let (waiting, telling) = (another()?, another()?);
        let address = own_address(&launch)?;
        let ranks = (launch.rank, launch.size);
        let group = |store: &Store, name: &str, timeout| {
            Group::join(store, &key(&launch.attempt, name), ranks, address, timeout)
        };
        let (tensors, control) = (group(&store, "tensors", timeout)?, group(&store, "control", timeout)?);
        let watch =
            Watch::start(&launch, [store, waiting, telling], |store, timeout| group(store, "ring", timeout), announce)?;
        Ok(Self(Some(Arc::new(Member { launch, timeout, watch, tensors, control }))))
    }

    /// From now on, tensors of GPUs are exchanged by NCCL. All have to call it; each has a GPU of its own.
    ///
    /// # Errors
    /// A libtorch without NCCL, and what NCCL refuses.
    pub fn use_nccl(&self) -> Result<()> {
        let Some(Member { launch, timeout, watch, tensors, .. }) = self.0.as_deref() else { return Ok(()) };
        let name = key(&launch.attempt, "nccl");
        // NCCL ends the process without a word, so it waits longer.
        tensors.use_nccl(watch.store(), &name, (launch.rank, launch.size), 2 * *timeout)?;
        watch.end_overdue(*timeout);
        Ok(())
    }

    /// This process's number, from 0, and that of all.
    #[must_use]
    pub fn ranks(&self) -> (usize, usize) {
        self.0.as_ref().map_or((0, 1), |member| (member.launch.rank, member.launch.size))
    }

    /// This process's number among those of its machine, from 0, and their number.
    #[must_use]
    pub fn local_ranks(&self) -> (usize, usize) {
        self.0.as_ref().map_or((0, 1), |member| (member.launch.local_rank, member.launch.local_size))
    }

    /// Number of processes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.ranks().1
    }

    /// Whether this is the process that writes and speaks.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.ranks().0 == 0
    }

    /// What tells random draws of this process from those of others; none where there are no others.
    #[must_use]
    pub fn own_draw(&self) -> Option<u64> {
        self.0.as_ref().map(|member| member.launch.rank as u64)
    }

    /// A checkpoint of this step is there.
    pub fn saved(&self, step: u64) {
        if let Some(member) = &self.0 {
            member.watch.saved(step);
        }
    }

    /// What is to be done before another process's failure ends this one.
    pub fn set_last_act(&self, act: Option<LastAct>) {
        if let Some(member) = &self.0 {
            member.watch.set_last_act(act);
        }
    }

    /// Does `act` in place of the last act; no other process's failure ends this one meanwhile.
    pub fn settle<T>(&self, act: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(member) => member.watch.settle(act),
            None => act(),
        }
    }

    /// Tells the others that this process fails. Does not come back where another one has failed first.
    #[must_use]
    pub fn tell(&self, code: u8, message: &str) -> Verdict {
        self.0.as_ref().map_or(Verdict::Show, |member| member.watch.tell(code, message, &[]))
    }

    /// Finds out, after a collective has failed, who is to blame. Does not come back where another process knows.
    #[must_use]
    pub fn lost(&self, error: &str) -> Verdict {
        self.0.as_ref().map_or(Verdict::Show, |member| member.watch.lost(error))
    }

    /// Waits until all have come to the end.
    pub fn leave(&self) {
        if let Some(member) = &self.0 {
            member.watch.leave();
        }
    }
}

/// Opens the store and waits for all, with a line now and then that names who is missing.
fn meet(launch: &Launch, timeout: Duration, limit: Instant) -> Result<Store> {
    let Launch { rank, size, host, port, server, attempt, by, .. } = launch;
    let left = |limit: Instant| limit.saturating_duration_since(Instant::now());
    let store = loop {
        let patience = match server {
            Server::Elsewhere => WAITING.min(left(limit)),
            _ => timeout,
        };
        match Store::open(host, *port, *server, patience.max(Duration::from_millis(100))) {
            Ok(_) if *server == Server::Elsewhere => break Store::open(host, *port, *server, timeout)?,
            Ok(store) => break store,
            Err(error) if *server != Server::Elsewhere || left(limit).is_zero() => {
                return Err(WorldError(format!("process {rank} of {size} ({by}): no way to {host}:{port} ({error})")));
            }
            Err(_) => tracing::warn!("process {rank} waits for process 0 at {host}:{port} ({by})"),
        }
    };
    let here = |rank: usize| key(attempt, &format!("here/{rank}"));
    let all = key(attempt, "all are here");
    store.set(&here(*rank), "")?;
    if *rank != 0 {
        // Process 0 names those that are missing.
        if !store.wait(&all, left(limit) + timeout)? {
            return Err(WorldError(format!("process {rank} of {size}: the others did not come ({by})")));
        }
        return Ok(store);
    }
    let mut missing: Vec<usize> = (1..*size).collect();
    while let Some(next) = missing.first() {
        if !store.wait(&here(*next), WAITING.min(left(limit)))? {
            let names: Vec<String> = missing.iter().take(16).map(ToString::to_string).collect();
            let names = format!("{} of {size} processes, {} among them", missing.len(), names.join(", "));
            if left(limit).is_zero() {
                return Err(WorldError(format!("{names}, did not come to {host}:{port} ({by})")));
            }
            tracing::warn!("waiting for {names}, at {host}:{port} ({by}); `--processes 1` trains alone");
        }
        let mut still = Vec::new();
        for rank in missing {
            if !store.has(&here(rank))? {
                still.push(rank);
            }
        }
        missing = still;
    }
    store.set(&all, "")?;
    Ok(store)
}

/// The address by which the others reach this machine: that of the way to process 0. None: GLOO_SOCKET_IFNAME names the
/// interface.
fn own_address(launch: &Launch) -> Result<Option<SocketAddr>> {
    if std::env::var_os("GLOO_SOCKET_IFNAME").is_some_and(|name| !name.is_empty()) {
        return Ok(None);
    }
    let unreachable = |error: std::io::Error| WorldError(format!("no way to {}: {error}", launch.host));
    let mut addresses = (launch.host.as_str(), launch.port).to_socket_addrs().map_err(unreachable)?;
    let Some(to) = addresses.next() else { return Err(WorldError(format!("{} has no address", launch.host))) };
    // Nothing is sent: the system only chooses the way.
    let any: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).and_then(|socket| socket.connect(to).map(|()| socket)).map_err(unreachable)?;
    socket.local_addr().map(Some).map_err(unreachable)
}
