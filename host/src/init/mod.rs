//! A first run file for a folder of which nothing is known: what is there, asked of the data sets that read folders; what
//! suits it, each value with its reason; and how long that would take, measured.

mod ask;
mod choose;
mod image_views;
mod look;
mod run_file;
mod summary;

use crate::config::{self, Config, Recommended, Sources};
use crate::device;
use crate::error::Error;
use crate::plugin::Registry;
use crate::train::rehearsal::{self, Rehearsal};
use crate::train::signals::Stop;
use choose::{Choices, Room};
use look::Look;
use run_file::RunFile;
use selfsame_plugin_api::{ErrorKind, Services, lacks_memory};
use std::path::Path;
use std::time::Duration;
use tch::Device;

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The folder of images, from the root.
    pub folder: &'a Path,
    /// The run's folder to write into the file.
    pub output_dir: &'a Path,
    /// How long training may take.
    pub time: Duration,
}

/// A run file, and what it rests on.
#[derive(Debug)]
pub struct Proposal {
    /// The run file's text.
    pub yaml: String,
    /// What the folder holds, and what the run would be, for people.
    pub found: String,
}

/// Looks at the folder, chooses, and measures.
///
/// # Errors
/// A folder that holds nothing that any data set reads, or too little; what the data set, the encoder or a step refuses.
pub fn propose(wanted: Wanted, registry: &Registry, services: &dyn Services, stop: &Stop) -> Result<Proposal, Error> {
    let asked = ask::ask(wanted.folder, registry, services)?;
    let look = Look::at(&asked, registry, services)?;
    let device = device::select("auto")?;
    if let Some(note) = &device.note {
        tracing::info!("{note}");
    }
    let is_gpu = matches!(device.device, Device::Cuda(_));
    let room = Room { is_gpu, time: wanted.time };
    let mut choices = Choices::new(&asked, &look, room, wanted.output_dir, registry)?;
    let (mut measured, config) = loop {
        let config = resolved(&choices.file(None), &look, registry)?;
        // What the data set has to say was said when it was looked at.
        let quietly = tracing::subscriber::NoSubscriber::default();
        let rehearse = || rehearsal::rehearse(&config, registry, services, stop);
        match tracing::subscriber::with_default(quietly, rehearse) {
            Ok(measured) => break (measured, config),
            // Half the images at a time take about half the memory.
            Err(Error::Failed { kind: ErrorKind::Device, message }) if lacks_memory(&message) => {
                if !choices.lower_batch() {
                    return Err(Error::Failed { kind: ErrorKind::Device, message });
                }
            }
            Err(error) => return Err(error),
        }
    };
    choices.settle(&mut measured, &config);
    let file = choices.file(Some(&measured));
    let config = resolved(&file, &look, registry)?;
    let estimate = measured.estimate(&config);
    Ok(Proposal { yaml: file.text(), found: summary::text(&asked, &look, &config, &measured, estimate) })
}

/// The configuration that a file of this text would be.
fn resolved(file: &RunFile, look: &Look, registry: &Registry) -> Result<Config, Error> {
    let encoder = registry.encoder_card(&file.encoder)?;
    let recommended = vec![
        Recommended { origin: format!("data set {}", look.card.name), values: look.card.recommended.clone() },
        Recommended { origin: format!("encoder {}", encoder.name), values: encoder.recommended },
    ];
    let folder = tempfile::tempdir().map_err(|error| Error::data(format!("no temporary file can be made: {error}")))?;
    let path = folder.path().join("run.yaml");
    std::fs::write(&path, file.text()).map_err(|error| Error::data(format!("{}: {error}", path.display())))?;
    let sources = Sources { recommended, files: vec![path], ..Sources::default() };
    Ok(config::load(&sources)?.config)
}

/// What was measured, in words of the file.
fn device_of(measured: &Rehearsal) -> &'static str {
    if matches!(measured.device, Device::Cuda(_)) { "this GPU" } else { "this CPU" }
}
