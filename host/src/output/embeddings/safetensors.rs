//! safetensors: `embeddings` (F32 `[N, D]`) and `labels` (I64 `[N]`, or U8 `[N, classes]` for multilabel), streamed.
//! Ids, splits, groups and class names are JSON lists in the metadata.

use super::{Format, Rows, Target, bytes};
use selfsame_plugin_api::Targets;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

pub(super) struct Safetensors {
    target: Target,
    /// Flags come after the matrix, whose elements are larger, so that both are aligned.
    after: Vec<u8>,
}

pub(super) fn begin(mut target: Target, rows: &Rows, dim: usize, facts: &[(&str, &str)]) -> io::Result<Safetensors> {
    let n = rows.ids.len();
    let mut metadata: Map<String, Value> =
        facts.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    metadata.insert("format".into(), "pt".into());
    metadata.insert("ids".into(), json!(rows.ids).to_string().into());
    metadata.insert("splits".into(), json!(rows.splits).to_string().into());
    metadata.insert("classes".into(), json!(rows.classes).to_string().into());
    if let Some(groups) = &rows.groups {
        metadata.insert("groups".into(), json!(groups).to_string().into());
    }
    let (before, after) = match &rows.targets {
        Targets::None => (Vec::new(), Vec::new()),
        Targets::Classes(labels) => (labels.iter().flat_map(|label| label.to_le_bytes()).collect(), Vec::new()),
        Targets::Multilabel(flags) => (Vec::new(), flags.clone()),
    };
    let matrix_end = before.len() + n * dim * size_of::<f32>();
    let mut header = json!({
        "__metadata__": metadata,
        "embeddings": { "dtype": "F32", "shape": [n, dim], "data_offsets": [before.len(), matrix_end] },
    });
    match &rows.targets {
        Targets::None => {}
        Targets::Classes(_) => {
            header["labels"] = json!({ "dtype": "I64", "shape": [n], "data_offsets": [0, before.len()] });
        }
        Targets::Multilabel(_) => {
            let end = matrix_end + after.len();
            let shape = [n, rows.classes.len()];
            header["labels"] = json!({ "dtype": "U8", "shape": shape, "data_offsets": [matrix_end, end] });
        }
    }
    let mut header = header.to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    target.write_all(&(header.len() as u64).to_le_bytes())?;
    target.write_all(header.as_bytes())?;
    target.write_all(&before)?;
    Ok(Safetensors { target, after })
}

impl Format for Safetensors {
    fn write(&mut self, values: &[f32]) -> io::Result<()> {
        self.target.write_all(&bytes(values))
    }

    fn finish(mut self: Box<Self>) -> io::Result<Target> {
        self.target.write_all(&self.after)?;
        Ok(self.target)
    }
}
