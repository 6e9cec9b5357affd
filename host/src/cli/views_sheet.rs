//! Images beside their random views.

use crate::augment::{AugmentError, Views, describe};
use crate::config::Config;
use crate::config::schema::ResolvedView;
use crate::data::Size;
use crate::error::Error;
use crate::output::contact_sheet::{Column, Row, Sheet};
use crate::output::picture::Picture;
use crate::train::{Run, ShownViews};
use tch::{Kind, Tensor};

/// Images on the sheet of a run.
const IMAGES: usize = 6;
/// The most views of each; multi-crop has dozens.
const MOST_VIEWS: usize = 12;

/// Training images of a run beside the views that the first epoch makes of them.
///
/// # Errors
/// Images that cannot be read any more, and what libtorch refuses.
pub(super) fn of_run(run: &Run<'_>, config: &Config) -> Result<Option<Sheet>, Error> {
    let Some(ShownViews { title, indices, views, evaluation, random }) = run.shown_views(IMAGES)? else {
        return Ok(None);
    };
    let mut columns = vec![Column::new("evaluation", &pixels(views.output_size()))];
    let sizes = views.sizes().into_iter().zip(1..).take(MOST_VIEWS);
    columns.extend(sizes.map(|(size, view)| Column::new(&format!("view {view}"), &pixels(size))));
    let mut rows = Vec::new();
    for (place, index) in indices.iter().enumerate() {
        let of = |view: &Tensor| tile(&views.denormalized(&view.f_narrow(0, place as i64, 1)?)?, &[]);
        let tiles = [&evaluation].into_iter().chain(random.iter().take(MOST_VIEWS)).map(of);
        rows.push(Row { label: vec![format!("#{index}")], tiles: tiles.collect::<Result<_, Error>>()? });
    }
    Ok(Some(Sheet { title, columns, rows, legend: legend(config, views)? }))
}

/// What the columns show, in words.
pub(super) fn legend(config: &Config, views: &Views) -> Result<Vec<(String, String)>, Error> {
    let kinds = config.augmentation.resolved_views().map_err(AugmentError::from)?;
    let words = |kind: &ResolvedView| describe::operations(&kind.settings).join("; ");
    let evaluation = describe::preparation(&config.preprocess, views.output_size()).join("; ");
    let mut legend = vec![("evaluation".to_owned(), evaluation)];
    if kinds.iter().all(|kind| (words(kind), kind.size) == (words(&kinds[0]), kinds[0].size)) {
        legend.extend(kinds.first().map(|kind| ("views".to_owned(), words(kind))));
        return Ok(legend);
    }
    let mut first = 1;
    for kind in &kinds {
        let last = first + kind.count - 1;
        let heading = if first == last { format!("view {first}") } else { format!("views {first}-{last}") };
        legend.push((heading, words(kind)));
        first = last + 1;
    }
    Ok(legend)
}

/// Width and height in words.
pub(super) fn pixels(Size { height, width }: Size) -> String {
    format!("{width}×{height}")
}

/// A view `[1, C, h, w]` in 0–1 as a picture: of these channels, numbered from 1, or of all, which are shown by their mean where
/// they are no colours.
pub(super) fn tile(view: &Tensor, bands: &[usize]) -> Result<Picture, Error> {
    let (_, channels, height, width) = view.size4()?;
    let places: Vec<i64> = bands.iter().map(|band| *band as i64 - 1).collect();
    let view = match (channels, &places[..]) {
        (1 | 3, []) => view.shallow_clone(),
        (_, []) => view.f_mean_dim(1, true, None)?,
        (_, places) => view.f_index_select(1, &Tensor::from_slice(places))?,
    };
    let levels = view.f_clamp(0.0, 1.0)?.f_mul_scalar(255.0)?.f_round()?.f_to_kind(Kind::Uint8)?;
    let levels = levels.f_expand([1, 3, height, width], false)?.f_permute([0, 2, 3, 1])?.f_contiguous()?;
    let rgb = Vec::<u8>::try_from(levels.f_flatten(0, -1)?).map_err(AugmentError::from)?;
    Ok(Picture { width: width as usize, height: height as usize, rgb })
}
