//! `selfsame preview`: what the views of a configuration look like.

use super::args::{Cli, PreviewArgs};
use super::failure::Failure;
use super::open;
use super::print::ensure_new;
use super::views_sheet::{legend, pixels, tile};
use crate::augment::resized_crop::{CropBox, Params};
use crate::augment::{Views, resized_crop};
use crate::config::Config;
use crate::config::schema::{Interpolation, OnError};
use crate::data::loader::store_side;
use crate::data::{Depth, Images, Size, reduce};
use crate::error::Error;
use crate::output::contact_sheet::{Column, Row, Sheet, draw};
use crate::output::host_services::HostServices;
use crate::output::picture::Picture;
use crate::plugin::Registry;
use crate::random;
use crate::samples;
use crate::storage::{Disk, write_atomically};
use crate::train::signals::Stop;
use indicatif::MultiProgress;
use selfsame_plugin_api::{Card, ErrorKind, Image, Normalization, Samples, Split, Targets};
use tch::Tensor;

/// The fewest views of an image that are shown where nobody says how many.
const FEWEST_VIEWS: usize = 4;

/// Draws the contact sheet and returns what was written.
pub fn preview(cli: &Cli, arguments: &PreviewArgs, bars: &MultiProgress) -> Result<String, Failure> {
    if arguments.out.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("png")) {
        return Err(Failure::usage(format!("{}: expected a name that ends in .png", arguments.out.display())));
    }
    ensure_new(&arguments.out, arguments.force)?;
    if ![0, 1, 3].contains(&arguments.bands.len()) {
        return Err(Failure::usage(format!("--bands names {} channels, expected 1 or 3", arguments.bands.len())));
    }
    let registry = open::registry(&cli.common);
    let resolved = open::configuration(&arguments.config, &[], &[], &registry)?;
    drawn(arguments, &registry, &resolved.config, bars).map_err(|failure| open::naming_path(&resolved, failure))
}

fn drawn(
    arguments: &PreviewArgs,
    registry: &Registry,
    config: &Config,
    bars: &MultiProgress,
) -> Result<String, Failure> {
    let stop = Stop::install()?;
    let stopped = || stop.requested().is_some();
    let signalled = |error: Error| Failure::from(error).signalled(&stop);
    let (requests, _) = samples::requests(config)?;
    let (card, dataset) =
        samples::prepare(&requests[0], registry, &HostServices::new(bars, &stopped)).map_err(signalled)?;
    let split = Split::from(arguments.split);
    if !card.splits.contains(&split) {
        let splits: Vec<_> = card.splits.iter().map(|split| split.name()).collect();
        let message = format!("data set {} has no split `{}`; it has {}", card.name, split.name(), splits.join(", "));
        return Err(Failure::usage(message));
    }
    let channels = card.channels;
    if let Some(band) = arguments.bands.iter().find(|band| **band > channels) {
        let message = format!("--bands names channel {band}, and the images of data set {} have {channels}", card.name);
        return Err(Failure::usage(message));
    }
    let samples = dataset.open(split)?;
    let order = random::permutation(samples.len(), config.train.seed, "preview", &[]);
    let (mut indices, mut images) = (Vec::new(), Vec::new());
    for index in order {
        if indices.len() == arguments.samples {
            break;
        }
        match samples.read(&[index]) {
            Ok(mut read) => {
                images.append(&mut read);
                indices.push(index);
            }
            Err(error) if error.kind == ErrorKind::Data && config.data.on_error == OnError::Skip => {
                tracing::warn!("left out: {error}");
            }
            Err(error) => return Err(error.into()),
        }
    }
    if indices.is_empty() {
        return Err(Failure::data(format!("data set {}: no sample of `{}` can be read", card.name, split.name())));
    }
    let views = views(config, &card, &images)?;
    let count = arguments.views.unwrap_or_else(|| FEWEST_VIEWS.next_multiple_of(views.count()));
    let sheet = sheet(config, &views, count, &card, samples.as_ref(), split, &indices, &images, &arguments.bands)?;
    let picture = draw(&sheet);
    let out = &arguments.out;
    let png = picture.to_png().map_err(|error| Failure::data(format!("{}: {error}", out.display())))?;
    write_atomically(&Disk, out, &png)?;
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (samples, views) = (counted(indices.len(), "sample"), counted(count, "view"));
    Ok(format!("{} ({samples}, {views} each)", out.display()))
}

/// The views of a run whose images have the size of these, where that is one size.
fn views(config: &Config, card: &Card, images: &[Image]) -> Result<Views, Error> {
    let nominal = match images.first().map(Size::from) {
        Some(first) if images.iter().all(|image| Size::from(image) == first) => first,
        _ => Size::nominal(card),
    };
    let statistics = card.normalization.as_ref().map(|Normalization { mean, std }| (mean.clone(), std.clone()));
    Ok(Views::new(&config.augmentation, &config.preprocess, card.channels, nominal, statistics)?)
}

#[expect(clippy::too_many_arguments, reason = "what is shown, how it is made, and what is known of it")]
fn sheet(
    config: &Config,
    views: &Views,
    count: usize,
    card: &Card,
    samples: &dyn Samples,
    split: Split,
    indices: &[usize],
    images: &[Image],
    bands: &[usize],
) -> Result<Sheet, Error> {
    // All views of the first epoch, then of the second, and so on, as training draws them.
    let epochs = count.div_ceil(views.count()) as u64;
    let numbered = (1..=epochs).flat_map(|epoch| views.sizes().into_iter().zip(1..).map(move |of| (epoch, of)));
    let numbered: Vec<_> = numbered.take(count).collect();
    let mut columns = vec![Column::new("original", ""), Column::new("evaluation", &pixels(views.output_size()))];
    columns.extend(numbered.into_iter().map(|(epoch, (size, view))| {
        let epoch = if epochs > 1 { format!(" epoch {epoch}") } else { String::new() };
        Column::new(&format!("view {view}{epoch}"), &pixels(size))
    }));
    let (ids, targets, depth) = (samples.ids(), samples.targets(), Depth::of(card));
    let mut rows = Vec::new();
    for (&index, image) in indices.iter().zip(images) {
        // As training has it: reduced, unless the plugin has all pixels in one block.
        let raw = match store_side(config, card).filter(|_| samples.block().is_none()) {
            Some(side) => raw(&reduce(image.clone(), side)?, depth)?,
            None => raw(image, depth)?,
        };
        let evaluation = tile(&views.denormalized(&views.eval(&raw)?)?, bands)?;
        let mut tiles = vec![original(&raw, views.output_size(), bands)?, evaluation];
        for epoch in 0..epochs {
            for view in views.crops(&raw, &[index as i64], config.train.seed, epoch)? {
                tiles.push(tile(&views.denormalized(&view)?, bands)?);
            }
        }
        tiles.truncate(columns.len());
        let name = ids.as_ref().and_then(|ids| ids.get(index)).cloned();
        let bits = if depth == Depth::U16 { ", 16 bit" } else { "" };
        let mut label = vec![format!("#{index}")];
        label.extend(name);
        label.extend(class(card, &targets, index));
        label.push(format!("{}×{}{bits}", image.width, image.height));
        rows.push(Row { label, tiles });
    }
    let title = format!("{} / {}", card.name, split.name());
    let mut legend = legend(config, views)?;
    if !bands.is_empty() {
        let named: Vec<_> = bands.iter().map(usize::to_string).collect();
        let colours = if bands.len() == 3 { " as red, green and blue" } else { "" };
        legend.push(("shown".to_owned(), format!("channel {}{colours}", named.join(", "))));
    }
    Ok(Sheet { title, columns, rows, legend })
}

/// The names of a sample's classes.
fn class(card: &Card, targets: &Targets, index: usize) -> Option<String> {
    let name = |class: usize| card.classes.get(class).cloned().unwrap_or_else(|| class.to_string());
    match targets {
        Targets::None => None,
        Targets::Classes(classes) => classes.get(index).map(|&class| name(class as usize)),
        Targets::Multilabel(flags) => {
            let n = card.classes.len();
            let own = flags.get(index * n..(index + 1) * n)?;
            let named: Vec<_> = (0..n).filter(|&class| own[class] == 1).map(name).collect();
            Some(if named.is_empty() { "none".into() } else { named.join(", ") })
        }
    }
}

/// One image as the views take it.
fn raw(image: &Image, depth: Depth) -> Result<Images, Error> {
    let shape = [1, image.channels as i64, image.height as i64, image.width as i64];
    let pixels = match depth {
        Depth::U16 => {
            let values: Vec<i32> =
                image.data.chunks_exact(2).map(|two| i32::from(u16::from_le_bytes([two[0], two[1]]))).collect();
            Tensor::f_from_slice(&values)
        }
        Depth::U8 => Tensor::f_from_slice(&image.data),
    };
    Ok(Images::whole(pixels?.f_view(shape)?))
}

/// The image as it is, made smaller where it is larger than a view.
fn original(raw: &Images, output: Size, bands: &[usize]) -> Result<Picture, Error> {
    let (_, _, height, width) = raw.pixels.size4()?;
    let size = Size { height: height as usize, width: width as usize };
    let shrink = (height as f64 / output.height as f64).max(width as f64 / output.width as f64).max(1.0);
    let scaled = |length: usize| ((length as f64 / shrink).round() as usize).max(1);
    let shrunk = Size { height: scaled(size.height), width: scaled(size.width) };
    let params = Params::whole(CropBox::whole(size), false, shrunk);
    tile(&resized_crop::apply(&raw.pixels, &[params], shrunk, Interpolation::Bilinear)?, bands)
}
