use super::{Quiet, registry};
use selfsame::config::{self, Config, Recommended, Sources};
use selfsame::error::Error;
use selfsame::run::record::RunStatus;
use selfsame::run::{RunFolder, RunRecord};
use selfsame::samples::{self, Skipped};
use selfsame::train::Run;
use selfsame::train::build::build_method;
use selfsame::train::compute::Compute;
use selfsame::train::engine::Engine;
use selfsame::train::observer::{Observer, StepReport};
use selfsame::train::signals::Stop;
use selfsame::world::World;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Remembers what it is told.
#[derive(Default)]
struct Record {
    steps: RefCell<Vec<(usize, usize)>>,
    phases: RefCell<Vec<String>>,
    looks: usize,
    ended: usize,
}

impl Observer for Record {
    fn step(&self, epoch: usize, within: usize) {
        self.steps.borrow_mut().push((epoch, within));
    }

    fn phase(&self, what: &str, _: usize, _: usize) {
        self.phases.borrow_mut().push(what.to_owned());
    }

    fn steps(&mut self, _: &StepReport) -> Result<(), Error> {
        self.looks += 1;
        Ok(())
    }

    fn epoch(&mut self, _: u64, _: usize, _: &BTreeMap<String, f64>) -> Result<(), Error> {
        Ok(())
    }

    fn trained(&mut self, _: u64, _: usize, _: &BTreeMap<String, f64>) -> Result<(), Error> {
        Ok(())
    }

    fn ended(&mut self) {
        self.ended += 1;
    }
}

/// Four images in batches of two, with the small encoder of the same plugin.
fn configuration(cache: &std::path::Path) -> Config {
    let sets = [
        "dataset.name=hostile",
        "train.self_supervision.encoder_name=tiny",
        "train.batch_size=2",
        "train.device=cpu",
        "scheduler.epochs=2",
        "data.val_fraction=0",
        "knn.k=1",
        "method.projection.hidden_dim=4",
        "method.projection.output_dim=4",
    ];
    let sets =
        sets.iter().map(|set| (*set).to_owned()).chain([format!("data.cache_dir={}", cache.display())]).collect();
    let values = registry().dataset_card("hostile").unwrap().recommended;
    let recommended = vec![Recommended { origin: "data set hostile".into(), values }];
    config::load(&Sources { sets, recommended, ..Sources::default() }).unwrap().config
}

#[test]
fn whoever_watches_a_run_is_told_of_every_step_and_phase() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path());
    let compute = Compute::select(&config).unwrap();
    let data = samples::load(&config, registry(), &Quiet, compute.device, &Skipped::new()).unwrap();
    let views = samples::views(&config, &data).unwrap();
    let (channels, size) = (views.encoder.output_channels(), views.encoder.output_size());
    let method = build_method(None, &config, registry(), channels, size, compute.device, false).unwrap();
    let run = RunFolder::open(&folder.path().join("run"), false).unwrap();
    let (checkpoints, stop) = (run.checkpoints().unwrap(), Stop::install().unwrap());
    let mut record = Record::default();
    let mut engine =
        Engine::new(&config, compute, &data, &views, method, None, checkpoints, &mut record, stop, World::alone())
            .unwrap();
    engine.run().unwrap();
    drop(engine);
    // Every step at once, while the loss waits for the end of the epoch.
    assert_eq!(record.steps.take(), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    assert_eq!(record.looks, 2);
    let mut phases = record.phases.take();
    phases.dedup();
    let measured = ["embedding train images", "embedding test images", "nearest neighbours", "linear probe"];
    let saved = ["saving a checkpoint"; 1];
    assert_eq!(phases, [&measured[..], &saved, &measured].concat());
}

#[test]
fn a_library_user_trains_in_a_few_lines_and_finds_the_run_complete_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = configuration(folder.path());
    config.train.output_dir = folder.path().join("run");
    let mut watched = Record::default();
    let mut run = Run::open(&config, registry(), &Quiet, Stop::default(), World::alone()).unwrap();
    let (plan, done) = run.plan().unwrap();
    assert_eq!((plan.epochs, plan.steps_per_epoch, done), (2, 2, None));
    let record = run.train(&mut watched).unwrap().clone();
    assert_eq!((record.status, record.epochs_done), (RunStatus::Completed, 2));
    assert!(record.metrics.contains_key("linear/test/accuracy"), "{:?}", record.metrics);
    assert_eq!(watched.steps.take(), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    assert_eq!(watched.phases.take().last().unwrap(), "writing the results");
    assert_eq!(watched.ended, 1);
    for file in ["run.json", "config.yaml", "encoder.safetensors", "checkpoints/step-00000004"] {
        assert!(run.folder().join(file).exists(), "{file}");
    }
    assert_eq!(RunRecord::read(run.folder()).unwrap(), record);

    // The same run again, although it has no checkpoint any more: nothing is left to train, and nothing changes.
    std::fs::remove_dir_all(run.folder().join("checkpoints")).unwrap();
    drop(run);
    config.train.resume_from_last_checkpoint = true;
    let mut run = Run::open(&config, registry(), &Quiet, Stop::default(), World::alone()).unwrap();
    assert!(run.plan().is_none());
    assert_eq!(run.train(&mut watched).unwrap(), &record);
    assert_eq!(watched.ended, 1);
}
