//! What several processes of this machine add to a SimCLR step: `cargo bench -p selfsame --bench processes -- --processes 2
//! --batch 64`, of which each process has its part. One thread each, in turns within one run:
//!
//! * `alone`: the step on the process's own images, as if there were no others,
//! * `batch norm`: with statistics of all processes,
//! * `together`: with the loss of all and gradients that are summed while the backward pass goes on, as in training,
//! * `sum`: the sum of as many numbers as there are parameters, by itself,
//! * `small sum`: the sum of 256 numbers, as a batch norm's.
//!
//! Prints the median of each in milliseconds, that of the slowest process, for `docs/performance.md`.

mod simclr;

use selfsame::config::Config;
use selfsame::method::{Method, Together, shared_step};
use selfsame::world::{Asked, Ended, Fleet, Share, Start, World, spawn, start};
use simclr::CONTEXT;
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

const PHASES: [&str; 5] = ["alone", "batch norm", "together", "sum", "small sum"];
const TIMEOUT: Duration = Duration::from_secs(300);

fn main() {
    selfsame::cli::restart_prepared();
    let argument = |name: &str| std::env::args().skip_while(|argument| argument != name).nth(1);
    let number = |name: &str, default: usize| {
        argument(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} takes a number")))
    };
    let (processes, batch, rounds) = (number("--processes", 2), number("--batch", 64), number("--rounds", 15));
    let encoder = argument("--encoder").unwrap_or_else(|| "resnet18".into());
    let by_environment = start(&|name| std::env::var(name).ok(), &Asked::default()).expect("an environment");
    let world = match by_environment {
        Start::Member(launch) => {
            World::join(launch, TIMEOUT, Box::new(|message| eprintln!("{message}"))).expect("others")
        }
        _ if processes == 1 => World::alone(),
        _ => {
            let fleet = Fleet { processes, first: 0, size: processes, master: None };
            let arguments: Vec<_> = std::env::args_os().skip(1).collect();
            assert_eq!(spawn(&fleet, &arguments).expect("processes"), Ended::Well);
            return;
        }
    };
    tch::set_num_threads(1);
    measure(&world, &encoder, batch, rounds);
    world.leave();
}

fn measure(world: &World, encoder: &str, batch: usize, rounds: usize) {
    let mut config = Config::default();
    config.train.self_supervision.encoder_name = encoder.into();
    let mut method = simclr::method(&config);
    let share = Share::new(batch, batch, world.ranks());
    let mut together = Together::new(world, share.clone(), method.parameters()).expect("a reducer");
    let rows = share.piece() as i64;
    let views = simclr::views(rows);
    let parameters: usize = method.parameters().iter().map(|parameter| parameter.tensor.numel()).sum();
    let mut numbers = Tensor::zeros([parameters as i64], (Kind::Float, Device::Cpu));
    let mut seconds = PHASES.map(|_| Vec::with_capacity(rounds));
    for round in 0..=rounds {
        for (phase, seconds) in seconds.iter_mut().enumerate() {
            let mut ready = Tensor::zeros([1], (Kind::Float, Device::Cpu));
            world.sum(&mut ready).expect("the others");
            let started = Instant::now();
            step(phase, world, method.as_mut(), &views, &mut together, &mut numbers);
            if round > 0 {
                seconds.push(started.elapsed().as_secs_f64());
            }
        }
    }
    let medians = seconds.map(|mut seconds| {
        seconds.sort_by(f64::total_cmp);
        1e3 * seconds[seconds.len() / 2]
    });
    let all = world.told_by_all("medians", &medians.to_vec()).expect("the others");
    if !world.is_first() {
        return;
    }
    let slowest = |phase: usize| all.iter().map(|medians| medians[phase]).fold(0.0, f64::max);
    println!(
        "{encoder}, {} process(es) of one thread, {rows} images each of 32 × 32 pixels, {:.1} MB of gradients",
        world.size(),
        4e-6 * parameters as f64
    );
    for (phase, name) in PHASES.iter().enumerate() {
        println!("{name:>12} {:8.2} ms", slowest(phase));
    }
    println!("{:>12} {:8.3}", "efficiency", slowest(0) / slowest(2));
}

fn step(
    phase: usize,
    world: &World,
    method: &mut dyn Method,
    views: &[Tensor],
    together: &mut Together,
    numbers: &mut Tensor,
) {
    let alone = |method: &mut dyn Method| method.step(views, &CONTEXT).expect("a step").loss.backward();
    for parameter in method.parameters() {
        parameter.tensor.shallow_clone().zero_grad();
    }
    match phase {
        0 => alone(method),
        1 => {
            let _synchronised = world.synchronised().expect("batch norm of all");
            alone(method);
        }
        2 if world.size() > 1 => drop(shared_step(method, views, &CONTEXT, together).expect("a step")),
        2 => alone(method),
        3 => world.sum(numbers).expect("the others"),
        _ => world.sum(&mut numbers.narrow(0, 0, 256)).expect("the others"),
    }
}
