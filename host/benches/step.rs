//! One SimCLR training step with the shipped ResNet-18 plugin, timed; `cargo xtask bench` sets it beside PyTorch's.
//!
//! It runs prepared as the program runs (see `selfsame::cli::restart_prepared`), and does the same work as `peer_step.py`:
//! encoder, projection head, NT-Xent, backward and SGD on ready views. Prints images per second, an image being two
//! views.

mod simclr;

use selfsame::config::Config;
use selfsame::optim::{Groups, Rates};
use simclr::CONTEXT;
use std::time::Instant;

fn main() {
    selfsame::cli::restart_prepared();
    let argument = |name: &str, default: i64| {
        let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
        arguments.next().map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} takes a number")))
    };
    let (batch, steps) = (argument("--batch", 64), argument("--steps", 10));
    let config = Config::default();
    let mut method = simclr::method(&config);
    let mut optimizer = Groups::new(&config.optimizer, method.parameter_groups()).expect("an optimiser");
    let rates = Rates { lr: 0.01, weight_decay: config.optimizer.weight_decay };
    let views = simclr::views(batch);
    let mut step = || {
        let output = method.step(&views, &CONTEXT).expect("a step");
        optimizer.zero_grad();
        output.loss.backward();
        optimizer.step(rates, rates.lr).expect("an update");
    };
    (0..2).for_each(|_| step());
    let start = Instant::now();
    (0..steps).for_each(|_| step());
    println!("{:.2}", (batch * steps) as f64 / start.elapsed().as_secs_f64());
}
