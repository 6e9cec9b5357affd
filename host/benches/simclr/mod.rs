//! What the benchmarks of a training step measure: SimCLR with a shipped encoder on ready views of 32 × 32 pixels, on the CPU.

use selfsame::config::Config;
use selfsame::data::Size;
use selfsame::method::{Method, StepContext};
use selfsame::native;
use selfsame::plugin::{Registry, SearchDir};
use selfsame::train::build::build_method;
use tch::{Device, Kind, Tensor};

/// A step in the midst of training.
pub const CONTEXT: StepContext = StepContext {
    seed: 1,
    step: 0,
    steps_per_epoch: 1,
    total_steps: 1,
    global_views: 2,
    train: true,
    autocast: None,
    loss_scale: 1.0,
};

/// The method, with the plugins that were built beside the benchmark.
pub fn method(config: &Config) -> Box<dyn Method> {
    let plugins = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.parent()?.join("plugins")));
    let registry = Registry::scan(&[SearchDir::new(plugins.unwrap_or_else(|| "plugins".into()), "the benchmark")]);
    build_method(None, config, &registry, 3, Size::square(32), Device::Cpu, false)
        .unwrap_or_else(|error| panic!("{error}; run `cargo xtask build` first"))
}

/// Two views of so many images.
pub fn views(images: i64) -> [Tensor; 2] {
    [(); 2].map(|()| {
        let view = Tensor::randn([images, 3, 32, 32], (Kind::Float, Device::Cpu));
        native::to_channels_last(&view).expect("a view")
    })
}
