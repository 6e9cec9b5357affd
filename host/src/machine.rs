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
    READERS.store(readers_beside(rank, processes), Ordering::SeqCst);
}

/// How many processes read at the time that the one with this number reads.
fn readers_beside(rank: usize, processes: usize) -> usize {
    if rank == 0 { 1 } else { processes.saturating_sub(1).max(1) }
}

/// Number of the processes that share this machine's memory.
pub fn processes() -> usize {
    PROCESSES.load(Ordering::SeqCst)
}

/// This process's part of the cores, at least one.
pub fn cores() -> usize {
    part_of(all_cores(), processes())
}

/// Threads that this process reads samples with before it trains: one for each core that is then its own.
pub fn reading_threads() -> usize {
    part_of(all_cores(), READERS.load(Ordering::SeqCst))
}

fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get())
}

fn part_of(cores: usize, processes: usize) -> usize {
    (cores / processes).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_read_at_once_have_no_more_threads_than_there_are_cores_and_one_at_least() {
        for (cores, processes, threads) in [(16, 1, [16].as_slice()), (16, 4, &[16, 5, 5, 5]), (2, 4, &[2, 1, 1, 1])] {
            let given: Vec<_> = (0..processes).map(|rank| part_of(cores, readers_beside(rank, processes))).collect();
            assert_eq!(given, threads, "{processes} processes, {cores} cores");
        }
    }

    #[test]
    fn a_process_alone_has_every_core() {
        assert_eq!((processes(), cores(), reading_threads()), (1, all_cores(), all_cores()));
    }
}
