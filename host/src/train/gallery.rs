//! What embeddings look like: a map of scored images, and the training images that are nearest to some of them.

use super::evaluation::{Embedded, Evaluator, evenly};
use crate::data::Source;
use crate::error::Error;
use crate::probe;
use selfsame_plugin_api::Task;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Images on the map.
const ON_THE_MAP: usize = 384;
/// Images whose neighbours are shown.
const QUERIES: usize = 16;
/// Neighbours of each.
const NEIGHBOURS: usize = 6;
/// The longer side of a small copy in pixels.
const SIDE: i64 = 40;

/// A map, neighbours, and small copies of all images that they show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gallery {
    /// Epochs that the encoder had trained.
    pub epoch: usize,
    /// The name of the split on the map.
    pub split: String,
    /// Names of the classes; empty where images have no single class.
    pub classes: Vec<String>,
    /// The images on the map.
    pub points: Vec<Point>,
    /// Neighbours of some of them.
    pub queries: Vec<Query>,
    /// Embeddings of the points, one after the other, as the projector reads them; kept in its own file.
    #[serde(skip)]
    pub features: Vec<f32>,
    /// Small copies: those of the points, then those of each query's neighbours; none where the page is to show no images.
    #[serde(skip)]
    pub thumbnails: Option<Thumbnails>,
}

/// An image on the map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Its sample.
    pub image: Shown,
    /// Its place by principal components.
    pub pca: [f64; 2],
    /// Its place by t-SNE.
    pub t_sne: [f64; 2],
}

/// One image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its index in its split of the data set.
    pub index: i64,
    /// Its class.
    pub class: Option<usize>,
}

/// An image of the map and those of the training split that are nearest to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// Its place among the points.
    pub point: usize,
    /// The nearest training images with their cosine similarity, the most similar first.
    pub neighbours: Vec<(Shown, f64)>,
}

/// Small copies of images, all of one size, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnails {
    /// Columns of each.
    pub width: usize,
    /// Rows of each.
    pub height: usize,
    /// Row by row, red, green and blue of each pixel.
    pub rgb: Vec<u8>,
}

impl Gallery {
    /// Of these embeddings after so many epochs.
    ///
    /// # Errors
    /// Images that cannot be read any more, and what libtorch refuses.
    pub fn new(evaluator: &Evaluator<'_>, embedded: &Embedded, epoch: usize) -> Result<Self, Error> {
        let task = evaluator.data.probe_data();
        let (split, scored) = task.scored().ok_or_else(|| Error::data("no split is scored"))?;
        let on_map = evenly(scored.len(), ON_THE_MAP);
        let rows = select(&embedded.features, &on_map)?;
        let (pca, t_sne) = (probe::principal_components(&rows)?, probe::t_sne(&rows)?);
        let has_class = matches!(task.card.task, Task::Binary | Task::Multiclass);
        let [of_scored, of_train] = [scored, &task.train].map(|source| if has_class { source.labels() } else { None });
        let points = on_map.iter().zip(pca).zip(t_sne);
        let points: Vec<Point> = points
            .map(|((place, pca), t_sne)| Ok(Point { image: shown(scored, of_scored, *place)?, pca, t_sne }))
            .collect::<Result<_, Error>>()?;
        let (mut queries, mut neighbours) = (Vec::new(), Vec::new());
        for (point, found) in nearest(&rows, embedded)? {
            let shown =
                found.iter().map(|(place, similarity)| Ok((shown(&task.train, of_train, *place)?, *similarity)));
            queries.push(Query { point, neighbours: shown.collect::<Result<_, Error>>()? });
            neighbours.extend(found.into_iter().map(|(place, _)| place));
        }
        let thumbnails = match evaluator.config.train.report_images {
            true => Some(thumbnails(evaluator, &[(scored, &on_map), (&task.train, &neighbours)])?),
            false => None,
        };
        let classes = if has_class { task.card.classes.clone() } else { Vec::new() };
        let features = Vec::<f32>::try_from(rows.f_to_kind(Kind::Float)?.f_flatten(0, -1)?)?;
        Ok(Self { epoch, split: split.name().to_owned(), classes, points, queries, features, thumbnails })
    }
}

fn select(rows: &Tensor, places: &[usize]) -> Result<Tensor, Error> {
    let index: Vec<i64> = places.iter().map(|place| *place as i64).collect();
    Ok(rows.f_index_select(0, &Tensor::f_from_slice(&index)?.f_to_device(rows.device())?)?)
}

fn shown(source: &Source, labels: Option<&Tensor>, place: usize) -> Result<Shown, Error> {
    let class = labels.map(|labels| labels.f_int64_value(&[place as i64])).transpose()?;
    Ok(Shown { index: source.sample_id(place), class: class.map(|class| class as usize) })
}

/// Places of training images and their similarities to an image, the most similar first.
type Nearest = Vec<(usize, f64)>;

/// Some of the points, each with the training images nearest to it.
fn nearest(rows: &Tensor, embedded: &Embedded) -> Result<Vec<(usize, Nearest)>, Error> {
    let queries = evenly(rows.size()[0] as usize, QUERIES);
    let unit = |rows: &Tensor| rows.f_div(&rows.f_norm_scalaropt_dim(2.0, [1].as_slice(), true)?.f_clamp_min(1e-12)?);
    let similarities = unit(&select(rows, &queries)?)?.f_matmul(&unit(&embedded.bank)?.f_transpose(0, 1)?)?;
    let count = NEIGHBOURS.min(embedded.bank_places.len()) as i64;
    let (values, places) = similarities.f_topk(count, 1, true, true)?;
    let values = Vec::<f64>::try_from(values.f_to_kind(Kind::Double)?.f_flatten(0, -1)?)?;
    let places = Vec::<i64>::try_from(places.f_flatten(0, -1)?)?;
    let found: Vec<_> = places.iter().map(|place| embedded.bank_places[*place as usize]).zip(values).collect();
    Ok(queries.into_iter().zip(found.chunks(count.max(1) as usize).map(<[_]>::to_vec)).collect())
}

/// Small copies of the images at these places, as the encoder sees them; channels that are no colours by their mean.
fn thumbnails(evaluator: &Evaluator<'_>, wanted: &[(&Source, &[usize])]) -> Result<Thumbnails, Error> {
    let views = evaluator.views.probe();
    let (mut rgb, mut size) = (Vec::new(), (0, 0));
    for (source, places) in wanted {
        let plan = places.chunks(evaluator.compute.embed_batch).map(<[usize]>::to_vec).collect();
        for batch in source.batches(plan, evaluator.compute.device) {
            let view = views.denormalized(&views.eval(&batch?.images)?)?;
            let (count, channels, height, width) = view.size4()?;
            let view = if [1, 3].contains(&channels) { view } else { view.f_mean_dim(1, true, None)? };
            let scale = (SIDE as f64 / height.max(width) as f64).min(1.0);
            let [height, width] = [height, width].map(|side| ((side as f64 * scale).round() as i64).max(1));
            size = (height as usize, width as usize);
            let small =
                view.f_adaptive_avg_pool2d([height, width])?.f_clamp(0.0, 1.0)?.f_mul_scalar(255.0)?.f_round()?;
            let small = small.f_to_kind(Kind::Uint8)?.f_expand([count, 3, height, width], false)?;
            let small = small.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_flatten(0, -1)?;
            rgb.extend(Vec::<u8>::try_from(small)?);
        }
    }
    Ok(Thumbnails { width: size.1, height: size.0, rgb })
}
