//! The batches of several data sets, each data set's part gathered in the background.

use super::error::DataError;
use super::images::Batch;
use super::mixture::{self, Pick};
use super::prefetch::Batches;
use super::source::Source;
use tch::Device;

/// The batches of a plan, in its order.
pub struct MixedBatches<'a> {
    plan: std::vec::IntoIter<Vec<Pick>>,
    /// Each data set's own part of those batches that hold any of its images.
    parts: Vec<Option<Batches<'a>>>,
}

impl<'a> MixedBatches<'a> {
    /// Batches out of these data sets, by their index in the picks; none where no pick is of it.
    pub fn new(sources: &[Option<&'a Source>], plan: Vec<Vec<Pick>>, device: Device) -> Self {
        let places = |set: usize, picks: &[Pick]| -> Vec<usize> {
            picks.iter().filter(|pick| pick.set == set).map(|pick| pick.place).collect()
        };
        let part = |(set, source): (usize, &Option<&'a Source>)| {
            let own = plan.iter().map(|picks| places(set, picks)).filter(|places| !places.is_empty()).collect();
            source.map(|source| source.batches(own, device))
        };
        let parts = sources.iter().enumerate().map(part).collect();
        Self { plan: plan.into_iter(), parts }
    }
}

impl Iterator for MixedBatches<'_> {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let picks = self.plan.next()?;
        let parts = &mut self.parts;
        Some(mixture::batch(&picks, |set, _| {
            match parts.get_mut(set).and_then(Option::as_mut).and_then(Batches::next) {
                Some(batch) => batch,
                None => Err(DataError::data("mixture", format!("data set {set} of the mixture has no images"))),
            }
        }))
    }
}
