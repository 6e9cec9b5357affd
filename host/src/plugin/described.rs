//! A data set without code, behind the plain traits: its reader's, with another card.

use super::card;
use super::description::Description;
use selfsame_plugin_api::{Card, Dataset, PluginError, Result, Samples, Services, Split};
use std::sync::Arc;

pub(super) struct DescribedDataset {
    pub(super) description: Arc<Description>,
    pub(super) reader: Box<dyn Dataset>,
}

impl Dataset for DescribedDataset {
    fn prepare(&self, services: &dyn Services) -> Result<()> {
        self.reader.prepare(services).map_err(|error| self.description.named(error))
    }

    fn card(&self) -> Result<Option<Card>> {
        let named = |error| self.description.named(error);
        let Some(found) = self.reader.card().map_err(named)? else { return Ok(None) };
        let card = self.description.card_found(found).map_err(named)?;
        checked(&self.description, card).map(Some)
    }

    fn open(&self, split: Split) -> Result<Box<dyn Samples>> {
        self.reader.open(split).map_err(|error| self.description.named(error))
    }
}

/// A card that keeps the contract of cards.
///
/// # Errors
/// What the file says that no card may.
pub(super) fn checked(description: &Description, card: Card) -> Result<Card> {
    match card::check(&card, &description.file().name) {
        Ok(()) => Ok(card),
        Err(reason) => Err(description.named(PluginError::data(reason))),
    }
}
