//! The batches of several data sets, each data set's part gathered in the background.

use super::error::DataError;
use super::images::Batch;
use super::mixture::{MixedPicks, Pick};
use super::prefetch::Batches;
use super::source::Source;
use tch::Device;

/// The batches of a plan, in its order.
pub struct MixedBatches<'a> {
    plan: std::vec::IntoIter<MixedPicks>,
    /// Each data set's own part of those batches that hold any of its images.
    parts: Vec<Option<Batches<'a>>>,
}

impl<'a> MixedBatches<'a> {
    /// Batches out of these data sets, by their index in the picks; none where no pick is of it.
    pub fn new(sources: &[Option<&'a Source>], plan: Vec<Vec<Pick>>, device: Device) -> Self {
        let plan: Vec<MixedPicks> = plan.into_iter().map(MixedPicks::new).collect();
        let part = |(set, source): (usize, &Option<&'a Source>)| {
            source.map(|source| source.batches(plan.iter().filter_map(|picks| picks.places(set)).collect(), device))
        };
        let parts = sources.iter().enumerate().map(part).collect();
        Self { plan: plan.into_iter(), parts }
    }

    /// The next part of one data set.
    fn part(&mut self, set: usize) -> Result<Batch, DataError> {
        let next = self.parts.get_mut(set).and_then(Option::as_mut).and_then(Batches::next);
        next.unwrap_or_else(|| Err(DataError::data("mixture", format!("data set {set} of the mixture has no images"))))
    }
}

impl Iterator for MixedBatches<'_> {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let picks = self.plan.next()?;
        let parts: Result<Vec<Batch>, DataError> = picks.sets().map(|set| self.part(set)).collect();
        Some(parts.and_then(|parts| Ok(picks.assemble(parts)?)))
    }
}
