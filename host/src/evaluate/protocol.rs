//! How an encoder is judged.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How an encoder is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// The nearest training images vote; the encoder is frozen
    Knn,
    /// A linear classifier on frozen features of plainly cropped images
    Linear,
    /// A linear classifier on frozen features of randomly cropped and flipped images
    LinearAug,
    /// Encoder and classifier learn the labels together
    Finetune,
}

impl Protocol {
    /// The name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Knn => "knn",
            Protocol::Linear => "linear",
            Protocol::LinearAug => "linear-aug",
            Protocol::Finetune => "finetune",
        }
    }

    /// Whether the protocol takes this option of the command line.
    pub fn takes(self, option: &str) -> bool {
        match option {
            "k" | "temperature" => self == Protocol::Knn,
            "seeds" => self != Protocol::Knn,
            "epochs" | "batch-size" => matches!(self, Protocol::LinearAug | Protocol::Finetune),
            "lr" => self == Protocol::Finetune,
            _ => false,
        }
    }

    /// Seeds that the protocol is run with unless the user says: kNN and the linear probe draw next to nothing.
    pub fn default_seeds(self) -> usize {
        match self {
            Protocol::Knn | Protocol::Linear => 1,
            Protocol::LinearAug | Protocol::Finetune => 3,
        }
    }
}
