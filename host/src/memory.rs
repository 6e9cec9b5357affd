//! How much memory this process may still take.

use crate::machine;
use std::fs;
use std::path::Path;

/// Free bytes: what the system calls available, or what the process's control group still allows, whichever is less; divided
/// among the processes that compute together. None where neither can be read.
pub fn available() -> Option<usize> {
    let system = fs::read_to_string("/proc/meminfo").ok().and_then(|text| system_available(&text));
    let group = group_available(Path::new("/sys/fs/cgroup"));
    let free = [system, group].into_iter().flatten().min()?;
    Some(free / machine::processes())
}

/// The most bytes of memory that this process has held at once; none where the system does not say.
pub fn peak() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<usize>().ok().map(|kib| kib * 1024)
}

fn system_available(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find(|line| line.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse::<usize>().ok().map(|kib| kib * 1024)
}

/// The limit of a version 2 control group, less what it uses beside file pages that can be dropped.
fn group_available(folder: &Path) -> Option<usize> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let limit = read("memory.max")?.trim().parse::<usize>().ok()?;
    let used = read("memory.current")?.trim().parse::<usize>().ok()?;
    let stat = read("memory.stat").unwrap_or_default();
    let droppable = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.trim().parse::<usize>().ok());
    Some(limit.saturating_sub(used.saturating_sub(droppable.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_groups_limit_counts_what_it_uses_but_not_the_file_pages_it_can_drop() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("memory.max", "max\n");
        write("memory.current", "700\n");
        assert_eq!(group_available(folder.path()), None);
        write("memory.max", "1000\n");
        assert_eq!(group_available(folder.path()), Some(300));
        write("memory.stat", "anon 500\ninactive_file 200\n");
        assert_eq!(group_available(folder.path()), Some(500));
        assert_eq!(system_available("MemTotal: 9 kB\nMemAvailable:       4 kB\n"), Some(4096));
    }
}
