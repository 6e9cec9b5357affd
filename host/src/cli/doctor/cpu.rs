//! The processor and its threads.

use super::Line;
use crate::native;

/// Names that people know, and those of `/proc/cpuinfo`.
const FEATURES: [(&str, &str); 4] =
    [("AVX2", "avx2"), ("AVX-512", "avx512f"), ("AVX512-BF16", "avx512_bf16"), ("AMX", "amx_bf16")];

pub(super) fn lines() -> [Line; 2] {
    [processor(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()), threads_here()]
}

fn processor(cpuinfo: &str) -> Line {
    let field = |name: &str| {
        cpuinfo.lines().find(|line| line.starts_with(name)).and_then(|line| Some(line.split_once(':')?.1.trim()))
    };
    let flags: Vec<_> = field("flags").unwrap_or_default().split(' ').collect();
    let named = |present: bool| {
        let names = FEATURES.iter().filter(|(_, flag)| flags.contains(flag) == present).map(|(name, _)| *name);
        Some(names.collect::<Vec<_>>().join(", ")).filter(|names| !names.is_empty())
    };
    let (has, lacks) = (named(true).unwrap_or("none of these".into()), named(false));
    let lacks = lacks.map(|lacks| format!(" (without {lacks})")).unwrap_or_default();
    let kernels = native::cpu_capability().unwrap_or_default();
    let model = field("model name").unwrap_or("processor");
    let found = format!("{model}: {has}{lacks}; libtorch's kernels are {kernels}; `train.precision: auto` means fp32");
    match flags.contains(&"avx2") {
        true => Line::good("CPU", found),
        false => Line::better("CPU", found, "training is many times as fast on a processor with AVX2"),
    }
}

/// What sets libtorch's number of threads.
const LIMITS: [&str; 2] = ["OMP_NUM_THREADS", "MKL_NUM_THREADS"];

fn threads_here() -> Line {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let limits = LIMITS.into_iter().filter(|name| std::env::var_os(name).is_some()).collect::<Vec<_>>();
    threads(usize::try_from(tch::get_num_threads()).unwrap_or(1), cores, &limits)
}

/// Without limits libtorch takes a thread for each core; processors are often two to a core.
fn threads(threads: usize, processors: usize, limits: &[&str]) -> Line {
    let found = format!("libtorch computes with {threads} on {processors} processors");
    match limits {
        [] => Line::good("threads", found),
        _ if threads * 2 >= processors => Line::good("threads", found),
        limits => Line::better("threads", found, format!("unset {} to use all of them", limits.join(" and "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::State;

    #[test]
    fn instruction_sets_are_named_that_are_there_and_that_are_not() {
        let line = processor("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu avx avx2 avx512f\n");
        assert!(
            line.found.starts_with("Some CPU @ 2 GHz: AVX2, AVX-512 (without AVX512-BF16, AMX); "),
            "{}",
            line.found
        );
        assert!(matches!(line.state, State::Good));
        assert!(matches!(threads(2, 8, &[]).state, State::Good));
        assert!(matches!(threads(4, 8, &["OMP_NUM_THREADS"]).state, State::Good));
        let State::Better(advice) = threads(3, 8, &["OMP_NUM_THREADS"]).state else { panic!("3 of 8") };
        assert_eq!(advice, "unset OMP_NUM_THREADS to use all of them");
        let line = processor("flags : fpu avx");
        assert!(line.found.starts_with("processor: none of these (without AVX2, "), "{}", line.found);
        assert!(matches!(line.state, State::Better(_)));
    }
}
