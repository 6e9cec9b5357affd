//! One SimCLR training step with the shipped ResNet-18 plugin, timed; `cargo xtask bench` sets it beside PyTorch's.
//!
//! It runs prepared as the program runs (see `selfsame::cli::restart_prepared`), and does the same work as `peer_step.py`:
//! encoder, projection head, NT-Xent, backward and SGD on ready views. Prints images per second, an image being two
//! views.

use selfsame::config::Config;
use selfsame::data::Size;
use selfsame::method::StepContext;
use selfsame::native;
use selfsame::optim::{Groups, Rates};
use selfsame::plugin::{Registry, SearchDir};
use selfsame::train::build::build_method;
use std::time::Instant;
use tch::{Device, Kind, Tensor};

fn main() {
    selfsame::cli::restart_prepared();
    let argument = |name: &str, default: i64| {
        let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
        arguments.next().map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} takes a number")))
    };
    let (batch, steps) = (argument("--batch", 64), argument("--steps", 10));
    let plugins = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.parent()?.join("plugins")));
    let plugins = plugins.unwrap_or_else(|| "plugins".into());
    let registry = Registry::scan(&[SearchDir::new(plugins, "the benchmark")]);

    let config = Config::default();
    let mut method = build_method(None, &config, &registry, 3, Size::square(32), Device::Cpu, false)
        .unwrap_or_else(|error| panic!("{error}; run `cargo xtask build` first"));
    let mut optimizer = Groups::new(&config.optimizer, method.parameter_groups()).expect("an optimiser");
    let rates = Rates { lr: 0.01, weight_decay: config.optimizer.weight_decay };
    let view = || native::to_channels_last(&Tensor::randn([batch, 3, 32, 32], (Kind::Float, Device::Cpu)));
    let views = [view().expect("a view"), view().expect("a view")];
    let context = StepContext {
        seed: 1,
        step: 0,
        steps_per_epoch: 1,
        total_steps: 1,
        global_views: 2,
        train: true,
        autocast: None,
        loss_scale: 1.0,
    };
    let mut step = || {
        let output = method.step(&views, &context).expect("a step");
        optimizer.zero_grad();
        output.loss.backward();
        optimizer.step(rates, rates.lr).expect("an update");
    };
    (0..2).for_each(|_| step());
    let start = Instant::now();
    (0..steps).for_each(|_| step());
    println!("{:.2}", (batch * steps) as f64 / start.elapsed().as_secs_f64());
}
