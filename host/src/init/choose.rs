//! What suits a folder's images, the device and the time that there is; each value with its reason.

use super::ask::Asked;
use super::image_views;
use super::look::Look;
use super::run_file::RunFile;
use crate::config::Config;
use crate::error::Error;
use crate::output::bars::readable;
use crate::plugin::Registry;
use crate::train::rehearsal::Rehearsal;
use indicatif::{DecimalBytes, HumanCount};
use selfsame_plugin_api::Split;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pixels of an image's side on a CPU and on a GPU.
const SIDES: [usize; 2] = [64, 224];
/// Images of a step on a CPU and on a GPU.
const BATCHES: [usize; 2] = [64, 256];
/// Most epochs of a first run on a CPU and on a GPU.
const EPOCHS: [u64; 2] = [100, 300];
/// Fewest epochs from which something can be seen.
const FEWEST_EPOCHS: u64 = 3;
/// Epochs on a part of the images, where the time is not enough for all.
const EPOCHS_OF_A_PART: u64 = 5;
/// Below this batch size, other images are too few to learn from the difference to them.
const FEWEST_NEGATIVES: usize = 16;
/// A tenth of fewer images than this says little about a score.
const FEW_HELD_OUT: usize = 50;
/// The most neighbours that a first run asks.
const MOST_NEIGHBOURS: usize = 200;

/// What there is to compute with.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// A GPU, or a CPU.
    pub is_gpu: bool,
    /// How long the run may take.
    pub time: Duration,
}

impl Room {
    fn of<T: Copy>(self, values: [T; 2]) -> T {
        values[usize::from(self.is_gpu)]
    }

    fn name(self) -> &'static str {
        if self.is_gpu { "a GPU" } else { "a CPU" }
    }
}

/// The choices so far.
#[derive(Debug)]
pub struct Choices<'a> {
    asked: &'a Asked,
    look: &'a Look,
    room: Room,
    output_dir: PathBuf,
    encoder: (String, String),
    side: usize,
    val_fraction: f64,
    batch: usize,
    was_lowered: bool,
    epochs: u64,
    /// Of training and of validation.
    limit: Option<(usize, usize)>,
    neighbours: usize,
}

impl<'a> Choices<'a> {
    /// Everything that can be chosen before a step is measured.
    ///
    /// # Errors
    /// Fewer than two images to learn from.
    pub fn new(
        asked: &'a Asked,
        look: &'a Look,
        room: Room,
        output_dir: &Path,
        registry: &Registry,
    ) -> Result<Self, Error> {
        let training = look.training();
        let has_own_val = look.split(Split::Val).is_some();
        let val_fraction = match (has_own_val, look.has_labels()) {
            (true, _) => 0.0,
            (false, true) if training < 10 * FEW_HELD_OUT => 0.2,
            _ => 0.1,
        };
        let kept = (training as f64 * (1.0 - val_fraction)).floor() as usize;
        if kept < 2 {
            return Err(Error::data(format!(
                "{} holds {training} images to learn from, expected at least 3; name a folder with more",
                asked.root().display()
            )));
        }
        Ok(Self {
            asked,
            look,
            room,
            output_dir: output_dir.to_owned(),
            encoder: encoder(registry, room, training),
            side: side(look, room),
            val_fraction,
            // At least two steps an epoch.
            batch: power_of_two(room.of(BATCHES).min(kept / 2)).max(2),
            was_lowered: false,
            epochs: room.of(EPOCHS),
            limit: None,
            neighbours: 1,
        })
    }

    /// Halves the batch, where it can be halved.
    pub fn lower_batch(&mut self) -> bool {
        let can = self.batch > 2;
        if can {
            self.batch /= 2;
            self.was_lowered = true;
        }
        can
    }

    /// Chooses what follows from the time that a step takes.
    pub fn settle(&mut self, measured: &mut Rehearsal, config: &Config) {
        let time = self.room.time.as_secs_f64();
        let total = |measured: &Rehearsal, epochs: u64| {
            let mut config = config.clone();
            config.scheduler.epochs = epochs as usize;
            measured.estimate(&config).total()
        };
        let first = total(measured, 1);
        let each = (total(measured, 11) - first) / 10.0;
        let fits = ((time - (first - each)) / each).floor().max(0.0) as u64;
        self.epochs = fits.clamp(FEWEST_EPOCHS, self.room.of(EPOCHS));
        let least = total(measured, FEWEST_EPOCHS);
        if least > 1.5 * time {
            let part = time / total(measured, EPOCHS_OF_A_PART);
            let of = |split: Split| measured.samples(split);
            let share = |count: usize| (count as f64 * part) as usize;
            let train = (share(of(Split::Train)) / self.batch).max(2) * self.batch;
            let val = share(of(Split::Val)).max(of(Split::Val).min(FEW_HELD_OUT));
            self.epochs = EPOCHS_OF_A_PART;
            self.limit = Some((train, val));
            measured.limit(train, val, self.batch);
        }
        self.neighbours = self.neighbours_of(measured.bank());
    }

    /// The square root of the images that are asked, within what says something.
    fn neighbours_of(&self, bank: usize) -> usize {
        let training = self.look.training().max(1);
        let smallest = self.look.balance().map_or(0, |(_, least)| least);
        // Of which some are held out.
        let smallest = (smallest as f64 * bank as f64 / training as f64 * 0.9) as usize;
        let most = (bank / 10).min(smallest.max(1)).clamp(1, MOST_NEIGHBOURS);
        ((bank as f64).sqrt().round() as usize).clamp(1, most)
    }

    /// The file, with what was measured where it was.
    pub fn file(&self, measured: Option<&Rehearsal>) -> RunFile {
        let mut file = RunFile::of(&self.encoder.0);
        self.head(&mut file);
        self.data(&mut file);
        self.train(&mut file, measured);
        let (side, room) = (self.side, self.room);
        image_views::set(&mut file, self.look, side, room.is_gpu);
        if self.look.has_labels() {
            let reason =
                "near the square root of the images that vote, and no more than the rarest class or a tenth of them";
            file.set("knn.k", self.neighbours, reason);
            let every = (self.epochs / 10).max(1);
            let reason =
                if every == 1 { "a score after every epoch" } else { "about ten scores while the encoder learns" };
            file.set("knn.every_epochs", every, reason);
        }
        file
    }

    fn head(&self, file: &mut RunFile) {
        let folder = self.asked.folder.display();
        file.head(format!(
            "Written by `selfsame init` for {folder}. Every value may be changed; `selfsame config explain KEY` says what a key \
             means."
        ));
        let count = HumanCount(self.look.images() as u64);
        file.head(format!("{count} images, {} of which were looked at.", HumanCount(self.look.looked_at() as u64)));
        if !self.look.has_labels() {
            file.head(
                "There are no labels, so that nothing is scored: the run reports its loss and the spread of its features.",
            );
        }
    }

    fn data(&self, file: &mut RunFile) {
        let (asked, look) = (self.asked, self.look);
        file.set("dataset.name", asked.name.as_str(), "the data set that reads most files of the folder");
        let root = asked.root().to_string_lossy();
        file.set("dataset.dataset_dir", &*root, "from the root, so that the file works from any folder");
        for option in &asked.survey.options {
            file.set_below("dataset.options", &option.name, option.value.clone(), &option.reason);
        }
        if look.split(Split::Val).is_none() {
            let groups = look.split(Split::Train).and_then(|stats| stats.groups.as_ref());
            let whole = if groups.is_some() { ", whole patients" } else { "" };
            let reason = if self.val_fraction > 0.1 {
                format!("a fifth is held out{whole}, as a tenth of so few images says little")
            } else {
                format!("a tenth is held out{whole} for the scores while the encoder learns")
            };
            file.set("data.val_fraction", self.val_fraction, reason);
        }
        if let Some((train, val)) = self.limit {
            let (all, minutes) = (HumanCount(look.training() as u64), self.room.time.as_secs().div_ceil(60));
            let reason =
                format!("of {all}: more do not fit into {minutes} min on this machine; take the limits away for all");
            file.set("data.limit.train", train, reason);
            if val > 0 {
                file.set("data.limit.val", val, "as many in proportion");
            }
        }
        let damaged: Vec<_> = look.damaged().collect();
        if let Some((_, first)) = damaged.first() {
            let count = damaged.len();
            let reason =
                format!("{count} of {} images looked at cannot be read, such as {}", look.looked_at(), first.id);
            file.set("data.on_error", "skip", reason);
        }
    }

    fn train(&self, file: &mut RunFile, measured: Option<&Rehearsal>) {
        let (room, batch) = (self.room, self.batch);
        file.set("train.seed", 1, "decides everything random; another number is another run");
        let mut reason = format!("usual on {}", room.name());
        if batch < room.of(BATCHES) {
            reason = "at least two steps an epoch".into();
        }
        if self.was_lowered {
            reason = "twice as many do not fit into the memory".into();
        }
        if let Some(memory) = measured.and_then(|measured| measured.memory) {
            reason = format!("{reason}; steps with it took {} of memory", DecimalBytes(memory));
        }
        file.set("train.batch_size", batch, reason);
        file.set("train.base_lr", 0.001, "Adam's usual peak; lower it if the loss jumps");
        let folder = self.output_dir.to_string_lossy();
        file.set("train.output_dir", &*folder, "the run's folder; `--output-dir` names another one");
        let (method, reason) = if batch < FEWEST_NEGATIVES {
            ("byol", "needs no other images to tell an image from, and there are few in a batch of this size")
        } else {
            ("simclr", "the simplest method that learns well in a short run; docs/methods.md has the others")
        };
        file.set("train.self_supervision.type", method, reason);
        file.set("train.self_supervision.encoder_name", self.encoder.0.as_str(), self.encoder.1.as_str());
        if let Some((most, least)) = self.look.balance()
            && most as f64 > 1.5 * least as f64
        {
            let key = "train.self_supervision.use_balanced_binary_loss_for_linear_head";
            let reason = format!("the most frequent class has {most} images to learn from, the rarest {least}");
            file.set(key, true, reason);
        }
        let reason = match measured {
            Some(measured) => self.time(measured),
            None => String::new(),
        };
        file.set("scheduler.epochs", self.epochs, reason);
        file.set("optimizer.name", "adam", "suits every method without another learning rate");
        file.set("optimizer.weight_decay", 1e-6, "SimCLR's, https://arxiv.org/abs/2002.05709");
        file.set("optimizer.lr_scaling", "none", "base_lr is the peak itself");
        if method == "simclr" {
            file.set("method.temperature", 0.5, "SimCLR's for small batches and short runs");
        }
    }

    /// The time that the epochs take, in words.
    fn time(&self, measured: &Rehearsal) -> String {
        let mut config = Config::default();
        config.scheduler.epochs = self.epochs as usize;
        config.knn.every_epochs = (self.epochs / 10).max(1) as usize;
        let time = |seconds: f64| readable(Duration::from_secs_f64(seconds.ceil()));
        let all = measured.estimate(&config).total();
        let (step, steps) = (measured.step, measured.plan.steps_per_epoch);
        config.scheduler.epochs *= 10;
        config.knn.every_epochs *= 10;
        let ten = measured.estimate(&config).total();
        let device = super::device_of(measured);
        format!(
            "about {} on {device}: {steps} steps an epoch, of {step:.2} s each, as two of them took; more learn more, ten times as \
             many take {}",
            time(all),
            time(ten)
        )
    }
}

/// The encoder that its plugin suggests for such a run, and why.
fn encoder(registry: &Registry, room: Room, images: usize) -> (String, String) {
    let cards = registry.encoder_cards();
    let suiting = cards.iter().flat_map(|card| card.suits.iter().map(move |suits| (card, suits)));
    let fitting = suiting.filter(|(_, suits)| suits.gpu == room.is_gpu && suits.least_images <= images);
    match fitting.max_by_key(|(_, suits)| suits.least_images) {
        Some((card, suits)) => (card.name.clone(), suits.reason.clone()),
        None => (Config::default().train.self_supervision.encoder_name, "the program's default".into()),
    }
}

/// The side of the images that the encoder gets.
fn side(look: &Look, room: Room) -> usize {
    let usual = room.of(SIDES);
    let Some(sizes) = look.sizes() else { return usual };
    let (height, width) = (sizes.height.1, sizes.width.1);
    let own = height.min(width);
    match own {
        // Of images of one small size, every pixel counts.
        own if own <= usual && sizes.different == 1 => own,
        own => usual.min((own / 8 * 8).max(16)),
    }
}

/// The largest power of two that is at most `number`.
fn power_of_two(number: usize) -> usize {
    number.checked_ilog2().map_or(1, |power| 1 << power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_powers_of_two() {
        assert_eq!([0, 1, 2, 3, 63, 64, 255].map(power_of_two), [1, 1, 2, 2, 32, 64, 128]);
    }
}
