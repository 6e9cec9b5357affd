//! What may happen in any method: `HOW:METHOD` as the fault.

use std::hint::black_box;

/// Meets the fault in `method` when the user asked for it there.
pub fn meet(fault: &str, method: &str) {
    let Some((how, _)) = fault.split_once(':').filter(|(_, asked)| *asked == method) else { return };
    match how {
        "panic" => panic!("asked to panic"),
        "hang" => hang(),
        "exit" => std::process::exit(0),
        "abort" => std::process::abort(),
        "overflow" => drop(black_box(sink(0))),
        "memory" => drop(black_box(Vec::<u8>::with_capacity(1 << 60))),
        // SAFETY: none; it is what is tested.
        "segv" => unsafe { black_box(std::ptr::null_mut::<u8>()).write_volatile(1) },
        _ => {}
    }
}

/// Goes on for longer than anybody waits.
pub fn hang() {
    tracing::warn!("hanging");
    std::thread::sleep(std::time::Duration::from_secs(600));
}

/// Calls itself for as long as there is a stack.
fn sink(depth: usize) -> usize {
    let page = black_box([depth; 512]);
    if depth == usize::MAX { 0 } else { sink(depth + 1) + page[depth % 512] }
}
