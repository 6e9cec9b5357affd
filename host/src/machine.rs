//! What one of several processes that compute together takes of their machine.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of the processes on this machine.
static PROCESSES: AtomicUsize = AtomicUsize::new(1);
/// Among how many of them the cores are divided while samples are read.
static READERS: AtomicUsize = AtomicUsize::new(1);

/// From now on this process is one of several here: its number, from 0, and theirs. The first one reads samples while the others
/// wait, and they after it, all at once.
pub fn share((rank, processes): (usize, usize)) {
    PROCESSES.store(processes.max(1), Ordering::SeqCst);
    READERS.store(if rank == 0 { 1 } else { processes.saturating_sub(1).max(1) }, Ordering::SeqCst);
}

/// Number of the processes that share this machine's memory.
pub fn processes() -> usize {
    PROCESSES.load(Ordering::SeqCst)
}

/// This process's part of the cores, at least one.
pub fn cores() -> usize {
    part_of_cores(processes())
}

/// Threads that this process reads samples with before it trains: one for each core that is then its own.
pub fn reading_threads() -> usize {
    part_of_cores(READERS.load(Ordering::SeqCst))
}

fn part_of_cores(processes: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    (cores / processes).max(1)
}
