//! The processor and its threads.

use super::Line;
use crate::native;

/// Names that people know, and those of `/proc/cpuinfo`.
const FEATURES: [(&str, &str); 4] =
    [("AVX2", "avx2"), ("AVX-512", "avx512f"), ("AVX512-BF16", "avx512_bf16"), ("AMX", "amx_bf16")];

pub(super) fn lines() -> [Line; 2] {
    [processor(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()), threads()]
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

fn threads() -> Line {
    let (threads, cores) =
        (tch::get_num_threads(), std::thread::available_parallelism().map_or(1, |cores| cores.get()));
    let found = format!("libtorch computes with {threads} on {cores} processors");
    match usize::try_from(threads).is_ok_and(|threads| threads * 2 > cores) {
        true => Line::good("threads", found),
        false => Line::better("threads", found, "unset OMP_NUM_THREADS to use all of them"),
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
        let line = processor("flags : fpu avx");
        assert!(line.found.starts_with("processor: none of these (without AVX2, "), "{}", line.found);
        assert!(matches!(line.state, State::Better(_)));
    }
}
