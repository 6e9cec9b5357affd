//! What a run owes to a plugin: the terms and the reference of each data set and encoder that it used.

use selfsame_encoder_api::EncoderCard;
use selfsame_plugin_api::Card;
use serde::{Deserialize, Serialize};

/// A data set or an encoder that was used, as its card describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedCard {
    /// `data set` or `encoder`.
    pub what: String,
    /// Its name.
    pub name: String,
    /// Its licence.
    pub licence: String,
    /// What to cite.
    pub citation: String,
}

impl From<&Card> for UsedCard {
    fn from(card: &Card) -> Self {
        let Card { name, licence, citation, .. } = card.clone();
        Self { what: "data set".into(), name, licence, citation }
    }
}

impl From<&EncoderCard> for UsedCard {
    fn from(card: &EncoderCard) -> Self {
        let EncoderCard { name, licence, citation, .. } = card.clone();
        Self { what: "encoder".into(), name, licence, citation }
    }
}
