//! The contract of data sets.

use super::outcome::{Outcome, UNKNOWN_OPTION, refuses_unknown, text};
use super::verdict::{IsStopped, Verdicts};
use crate::data::{Depth, Moments};
use crate::plugin::{self, Registry};
use crate::random;
use selfsame_plugin_api::{
    Cancelled, Card, Dataset, DatasetRequest, ErrorKind, Image, ReadHints, Result, Samples, Services, Split,
};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// After which a call must have answered a wish to stop.
const STOP: Duration = Duration::from_secs(2);
/// Samples of a split that are read twice, besides the first and the last.
const DRAWN: usize = 14;
/// Samples of the training split that the card's statistics are compared with.
const MEASURED: usize = 256;
/// How far mean and deviation of those may be from the card's, of values in 0–1.
const TOLERANCE: f64 = 0.1;
/// Threads that read at once.
const THREADS: usize = 4;

/// Answers every report with whether to stop.
struct Wish<'a>(&'a IsStopped<'a>);

impl Services for Wish<'_> {
    fn progress(&self, _: &str, _: u64, _: Option<u64>) -> std::result::Result<(), Cancelled> {
        if (self.0)() { Err(Cancelled) } else { Ok(()) }
    }
}

/// Checks the data set that `request` names.
pub(super) fn check(registry: &Registry, request: &DatasetRequest, is_stopped: &IsStopped, verdicts: &mut Verdicts) {
    let unknown = || refuses_unknown(registry.create_dataset(&with_unknown_option(request)));
    verdicts.note("an unknown option is refused", unknown);
    let made = || registry.create_dataset(request).map(|made| (made, String::new()));
    let Some(dataset) = verdicts.note("it is made", made) else { return };
    if verdicts.note("a wish to stop is answered within 2 s", || stops(registry, request)).is_none() {
        return verdicts.skip("everything else", "`prepare` may not come back");
    }
    let prepared = || prepare(dataset.as_ref(), &Wish(is_stopped));
    let Some(card) = verdicts.note("it is prepared, twice", prepared) else { return };
    for split in &card.splits {
        check_split(dataset.as_ref(), &card, *split, verdicts);
    }
}

fn with_unknown_option(request: &DatasetRequest) -> DatasetRequest {
    let mut request = request.clone();
    if let Some(options) = request.options.as_object_mut() {
        options.insert(UNKNOWN_OPTION.into(), 1.into());
    }
    request
}

/// Prepares under a wish to stop, on a thread that is left behind where it does not come back.
fn stops(registry: &Registry, request: &DatasetRequest) -> Outcome<()> {
    let dataset = registry.create_dataset(request).map_err(text)?;
    let (done, answer) = mpsc::channel();
    thread::spawn(move || {
        // Nobody listens any more where it took too long.
        let _ = done.send(dataset.prepare(&Wish(&|| true)));
    });
    match answer.recv_timeout(STOP) {
        Ok(Err(error)) if error.kind == ErrorKind::Cancelled => Ok(((), "stopped".into())),
        Ok(Err(error)) => Ok(((), format!("ended by itself: {error}"))),
        Ok(Ok(())) => Ok(((), "there was nothing to do".into())),
        Err(_) => {
            // The process may end over the call that is left behind.
            plugin::expect_exit();
            Err("`prepare` goes on; report progress every second and return what it answers with `?`".into())
        }
    }
}

fn prepare(dataset: &dyn Dataset, services: &dyn Services) -> Outcome<Card> {
    let mut cards = Vec::new();
    for _ in 0..2 {
        dataset.prepare(services).map_err(text)?;
        cards.push(dataset.card().map_err(text)?);
    }
    match (cards.pop().flatten(), cards.pop().flatten()) {
        (Some(second), Some(first)) if first == second => Ok((second, String::new())),
        _ => Err("the card is another one after the second time".into()),
    }
}

fn check_split(dataset: &dyn Dataset, card: &Card, split: Split, verdicts: &mut Verdicts) {
    let name = split.name();
    // Opening checks labels, groups, ids and the block against the card.
    let opened = || open(dataset, split);
    let Some(samples) = verdicts.note(&format!("{name}: labels, groups and ids"), opened) else { return };
    let samples = samples.as_ref();
    let chosen = chosen(samples.len());
    let images = verdicts.note(&format!("{name}: images are read"), || images(samples, &chosen));
    let Some(images) = images else { return };
    verdicts.note(&format!("{name}: read again, from several threads"), || reads_again(samples, &chosen, &images));
    verdicts.note(&format!("{name}: several images a call"), || reads_at_once(samples, &chosen, &images));
    verdicts.note(&format!("{name}: no image is smaller than hinted"), || keeps_hints(samples, &chosen, &images));
    match samples.block() {
        Some(block) => drop(verdicts.note(&format!("{name}: the block"), || block_agrees(block, &chosen, &images))),
        None => verdicts.skip(&format!("{name}: the block"), "it has none"),
    }
    verdicts.note(&format!("{name}: facts"), || facts(samples, &chosen));
    if split == Split::Train {
        verdicts.note(&format!("{name}: the card's mean and deviation"), || statistics(samples, card));
    }
}

fn open(dataset: &dyn Dataset, split: Split) -> Outcome<Box<dyn Samples>> {
    let first = dataset.open(split).map_err(text)?;
    if first.is_empty() {
        return Err("it has no samples".into());
    }
    let again = dataset.open(split).map_err(text)?;
    let differs = [
        ("len", first.len() != again.len()),
        ("targets", first.targets() != again.targets()),
        ("groups", first.groups() != again.groups()),
        ("ids", first.ids() != again.ids()),
        ("fingerprint", first.fingerprint() != again.fingerprint()),
    ];
    if let Some((method, _)) = differs.iter().find(|(_, differs)| *differs) {
        return Err(format!("`{method}` answers something else when the split is opened again"));
    }
    let count = first.len();
    Ok((first, format!("{count} samples")))
}

/// The first, the last and some others, each once.
fn chosen(len: usize) -> Vec<usize> {
    let mut chosen = vec![0, len - 1];
    chosen.extend(random::permutation(len, 0, "conformance", &[]).into_iter().take(DRAWN));
    let mut seen = std::collections::HashSet::new();
    chosen.retain(|index| seen.insert(*index));
    chosen
}

fn one(samples: &dyn Samples, index: usize) -> Result<Image> {
    Ok(samples.read(&[index])?.remove(0))
}

fn images(samples: &dyn Samples, chosen: &[usize]) -> Outcome<Vec<Image>> {
    let images: Result<Vec<_>> = chosen.iter().map(|&index| one(samples, index)).collect();
    let images = images.map_err(text)?;
    let range = |side: fn(&Image) -> usize| {
        let sides = || images.iter().map(side);
        let (least, most) = (sides().min().unwrap_or(0), sides().max().unwrap_or(0));
        if least == most { least.to_string() } else { format!("{least} to {most}") }
    };
    let (height, width) = (range(|image| image.height), range(|image| image.width));
    let detail = format!("{} of {} samples, {height} high and {width} wide", images.len(), samples.len());
    Ok((images, detail))
}

fn reads_again(samples: &dyn Samples, chosen: &[usize], images: &[Image]) -> Outcome<()> {
    let read_all = |shift: usize| {
        for at in 0..chosen.len() {
            let at = (at + shift) % chosen.len();
            if one(samples, chosen[at]).map_err(text)? != images[at] {
                return Err(format!("sample {} has other bytes than when it was first read", chosen[at]));
            }
        }
        Ok(())
    };
    // Each thread begins elsewhere, so that different samples are read at once.
    let answers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|i| scope.spawn(move || read_all(i * 3))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("the check panicked".into()))).collect()
    });
    answers.into_iter().collect::<std::result::Result<(), String>>().map(|()| ((), String::new()))
}

fn reads_at_once(samples: &dyn Samples, chosen: &[usize], images: &[Image]) -> Outcome<()> {
    match samples.read(chosen).map_err(text)? == images {
        true => Ok(((), String::new())),
        false => Err("`read` of several indices answers something else than one at a time, or in another order".into()),
    }
}

fn keeps_hints(samples: &dyn Samples, chosen: &[usize], images: &[Image]) -> Outcome<()> {
    for (&index, image) in chosen.iter().zip(images) {
        let shorter = image.height.min(image.width);
        let least = shorter.div_ceil(2);
        let hinted = samples.read_with(&[index], &ReadHints::least_side(Some(least))).map_err(text)?.remove(0);
        let got = hinted.height.min(hinted.width);
        if !(least..=shorter).contains(&got) {
            return Err(format!("sample {index}: {got} pixels, at least {least} were asked for and it has {shorter}"));
        }
    }
    Ok(((), String::new()))
}

fn block_agrees(block: &[u8], chosen: &[usize], images: &[Image]) -> Outcome<()> {
    for (&index, image) in chosen.iter().zip(images) {
        let bytes = image.data.len();
        if block.get(index * bytes..(index + 1) * bytes) != Some(&image.data) {
            return Err(format!("sample {index} has other bytes there than `read` answers"));
        }
    }
    Ok(((), String::new()))
}

fn facts(samples: &dyn Samples, chosen: &[usize]) -> Outcome<()> {
    for &index in chosen {
        samples.facts(index).map_err(|error| format!("sample {index}: {error}"))?;
    }
    Ok(((), String::new()))
}

/// Mean and deviation of each channel, of samples spread over the split.
fn statistics(samples: &dyn Samples, card: &Card) -> Outcome<()> {
    let count = samples.len().min(MEASURED);
    let mut moments = Moments::new(card.channels, Depth::of(card));
    for at in 0..count {
        moments.add(&one(samples, at * samples.len() / count).map_err(text)?);
    }
    let (mean, std) = (moments.mean(), moments.std());
    let measured = format!("measured on {count} images: mean {mean:.4?}, deviation {std:.4?}");
    let Some(stated) = &card.normalization else { return Ok(((), format!("{measured}; the card states none"))) };
    let both = format!("{measured}; the card says {:.4?} and {:.4?}", stated.mean, stated.std);
    let far = |stated: &[f64], found: &[f64]| stated.iter().zip(found).any(|(a, b)| (a - b).abs() > TOLERANCE);
    match far(&stated.mean, &mean) || far(&stated.std, &std) {
        true => Err(both),
        false => Ok(((), both)),
    }
}
