//! Images and labels in memory.

use crate::published::PIXELS;
use selfsame_plugin_api::{Image, PluginError, Result, Samples, Targets};

/// The images of one file or split and their classes, in file order.
#[derive(Debug, Default)]
pub struct Records {
    /// `[N, 3, 32, 32]`.
    pub pixels: Vec<u8>,
    /// `[N]`, below the number of classes.
    pub classes: Vec<i64>,
}

/// The message about a label that no class has.
pub fn impossible(index: usize, meaning: &str, value: i64, classes: u8) -> String {
    format!("record {index} has the {meaning} {value}, expected 0 to {}", classes - 1)
}

impl Samples for Records {
    fn len(&self) -> usize {
        self.classes.len()
    }

    fn targets(&self) -> Targets {
        Targets::Classes(self.classes.clone())
    }

    fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
        let image = |&index: &usize| {
            let data = self.pixels.chunks_exact(PIXELS).nth(index).ok_or_else(|| {
                PluginError::plugin(format!("sample {index} was asked for, but there are {}", self.len()))
            })?;
            Ok(Image { channels: 3, height: 32, width: 32, bit_depth: 8, data: data.to_vec() })
        };
        indices.iter().map(image).collect()
    }

    fn block(&self) -> Option<&[u8]> {
        Some(&self.pixels)
    }
}
