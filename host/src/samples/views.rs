//! The views of a run's images.

use super::data_sets::{RunData, check_channels, facts};
use crate::augment::{AugmentError, Views};
use crate::config::Config;
use crate::config::schema::AugmentationConfig;
use crate::error::Error;

/// The views of a run.
pub struct RunViews {
    /// Of the encoder's images.
    pub encoder: Views,
    /// Of the head's own batches, and the plain view of the data set that is scored; none: as the encoder's.
    pub head: Option<Views>,
}

impl RunViews {
    /// The views of the data set that head and probes use.
    pub fn probe(&self) -> &Views {
        self.head.as_ref().unwrap_or(&self.encoder)
    }
}

/// The views that the configuration describes, for the data sets' images.
///
/// The head's images come out as the encoder's do: of the same size, and normalised with the encoder's statistics.
///
/// # Errors
/// Parameters that do not fit the images, and images of the head that do not fit the encoder.
pub fn views(config: &Config, data: &RunData) -> Result<RunViews, Error> {
    let kinds = config.augmentation.resolved_views().map_err(AugmentError::from)?;
    if !kinds.iter().any(|kind| kind.settings.is_random()) {
        return Err(Error::configuration(
            "`augmentation`: no random operation is on, so all views of an image would be equal but for their sizes, and \
             nothing could be learnt from them. Switch some on, such as `augmentation.use_random_crop=true`, or begin with \
             a file from configs/; `selfsame preview` shows the views",
        ));
    }
    let first = &data.encoder[0];
    let (channels, statistics) = (first.card.channels, data.statistics());
    let encoder =
        Views::new(&config.augmentation, &config.preprocess, channels, first.nominal_size(), statistics.clone())?;
    if !data.head_draws_own_batches() {
        return Ok(RunViews { encoder, head: None });
    }
    let probed = data.probe_data();
    let name = &probed.label;
    check_channels("linear_head.dataset.name", facts(probed), facts(first))?;
    let augmentation =
        AugmentationConfig { normalize: config.augmentation.normalize, ..config.linear_head.augmentation.clone() };
    let head = Views::new(&augmentation, &config.preprocess, channels, probed.nominal_size(), statistics)?;
    let (size, own) = (encoder.output_size(), head.output_size());
    if size != own {
        return Err(Error::configuration(format!(
            "`linear_head.dataset.name` is {name}, whose images come out at {own} pixels; the encoder takes {size}. \
             Set `preprocess.resize: {}`, which holds for every data set of the run",
            size.height
        )));
    }
    Ok(RunViews { encoder, head: Some(head) })
}
