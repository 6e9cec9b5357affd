//! The model card (Mitchell et al. 2019) of an exported encoder: `README.md`, as model hubs show it.

use crate::config::schema::PreprocessConfig;
use crate::error::Error;
use crate::evaluate::{self, TrainedRun};
use crate::run::record::{PluginFile, RunRecord};
use std::fmt::Write;

/// The card. `module` is the Python file to import first, where one is needed.
///
/// # Errors
/// Results of evaluations that cannot be listed.
pub(super) fn text(run: &TrainedRun, embedding: &str, module: Option<&str>) -> Result<String, Error> {
    let (record, config) = (&run.record, &run.config);
    let mut text =
        String::from("---\nlibrary_name: timm\ntags:\n- image-feature-extraction\n- self-supervised\n---\n\n");
    let (encoder, method, dataset) = (plain(&record.encoder), plain(&record.method), plain(&record.dataset));
    let [channels, height, width] = record.input_size;
    let _ = write!(
        text,
        "# {encoder}, trained with {method} on {dataset}\n\nAn image encoder without a classifier: {channels} × {height} × \
         {width} pixels to a vector of features ({}). Its weights were learned without labels.\n",
        plain(embedding)
    );
    text.push_str(&loading(module));
    text.push_str(&preparation(channels, &config.preprocess));
    text.push_str(&data(record));
    let _ = write!(
        text,
        "\n## Recipe\n\n| | |\n|---|---|\n| method | {method} |\n| epochs | {} of {} |\n| batch | {} |\n| optimiser | {}, \
         learning rate {} |\n| seed | {} |\n| software | selfsame {}, libtorch {} |\n| device | {}, {} |\n",
        record.epochs_done,
        record.epochs,
        config.train.batch_size,
        format!("{:?}", config.optimizer.name).to_lowercase(),
        config.train.base_lr,
        record.seed,
        plain(&record.selfsame_version),
        plain(&record.libtorch_version),
        plain(&record.device),
        plain(&format!("precision {:?}", config.train.precision).to_lowercase()),
    );
    if let Some(init) = &record.init {
        let _ = writeln!(text, "| started from | {} (SHA-256 `{}`) |", plain(&init.path), plain(&init.sha256));
    }
    text.push_str(&scores(run)?);
    text.push_str(USE);
    if !record.warnings.is_empty() {
        text.push_str("\nWhat has to be known of the scores:\n\n");
        record.warnings.iter().for_each(|warning| {
            let _ = writeln!(text, "* {}", plain(warning));
        });
    }
    text.push_str("\n## Files\n\n");
    if let Some(digest) = &record.encoder_sha256 {
        let _ = writeln!(text, "* the run's `encoder.safetensors`: SHA-256 `{}`", plain(digest));
    }
    for PluginFile { name, version, sha256, .. } in &record.plugins {
        let _ = writeln!(text, "* plugin {} {}: SHA-256 `{}`", plain(name), plain(version), plain(sha256));
    }
    Ok(text)
}

const USE: &str = "\n## Intended use and limits\n\nFeatures for images like those it was trained on: nearest neighbours, linear \
                   probes, a start for fine-tuning. It has not been tested for anything that the table above does not show, \
                   least of all for decisions about people; images of another kind, device or population may be embedded \
                   badly without a sign of it.\n";

fn loading(module: Option<&str>) -> String {
    let import = module.map(|module| format!("import {module}  # from this folder: sys.path.append(FOLDER)\n"));
    format!(
        "\n## Loading\n\n```python\nimport timm\n{}model = timm.create_model(\"local-dir:FOLDER\", pretrained=True).eval()\n\
         transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)\n\
         features = model(transform(image).unsqueeze(0))  # [1, {{features}}]\n```\n",
        import.unwrap_or_default()
    )
    .replace("{features}", "D")
}

/// What timm's transform does not do of what the encoder's images have passed.
fn preparation(channels: usize, preprocess: &PreprocessConfig) -> String {
    let equalized = match (preprocess.use_histogram_equalization, preprocess.use_clahe) {
        (true, _) => Some("histogram equalisation (`preprocess.use_histogram_equalization`)"),
        (_, true) => Some("CLAHE (`preprocess.use_clahe`)"),
        _ => None,
    };
    let grey = (channels == 1)
        .then_some("\nThe images are grey: `image.convert(\"L\")` comes before the transform.\n".to_owned());
    let equalized = equalized
        .map(|what| format!("\nIn training, images passed {what} first, which timm's transform does not do.\n"));
    grey.into_iter().chain(equalized).collect()
}

/// What it was trained on, with terms and citations.
fn data(record: &RunRecord) -> String {
    let mut text = String::from("\n## Data\n\n");
    for data in &record.data_sets {
        let sizes: Vec<_> = data.split_sizes.iter().map(|(split, size)| format!("{size} {split}")).collect();
        let _ = writeln!(text, "* {} ({})", plain(&data.name), plain(&sizes.join(", ")));
    }
    for card in record.plugins.iter().flat_map(|plugin| &plugin.used) {
        let stated = |what: &str| if what.is_empty() { "none stated".to_owned() } else { plain(what) };
        let _ = writeln!(
            text,
            "* {} {}: licence: {}; cite: {}",
            plain(&card.what),
            plain(&card.name),
            stated(&card.licence),
            stated(&card.citation)
        );
    }
    text
}

/// The results of evaluations, or what the run measured itself.
fn scores(run: &TrainedRun) -> Result<String, Error> {
    let mut text = String::from("\n## Scores\n\n");
    let evaluations = match run.is_run() {
        true => evaluate::read_all(&run.folder)?,
        false => Vec::new(),
    };
    if evaluations.is_empty() {
        let kept: Vec<_> = run.record.metrics.iter().filter(|(name, _)| name.contains("/val/")).collect();
        if kept.is_empty() {
            text.push_str("None: nothing was evaluated.\n");
            return Ok(text);
        }
        text.push_str(
            "Measured during training on images held out of the training split; `untrained/` before the first step.\n\n\
             | metric | value |\n|---|---|\n",
        );
        for (name, value) in kept {
            let _ = writeln!(text, "| {} | {value:.4} |", plain(name));
        }
        return Ok(text);
    }
    let (titles, rows) = evaluate::rows(&evaluations);
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    text.push_str(&line(&titles.iter().map(|title| plain(title)).collect::<Vec<_>>()));
    text.push_str(&line(&vec!["---".to_owned(); titles.len()]));
    for row in rows {
        text.push_str(&line(&row.iter().map(|cell| plain(cell)).collect::<Vec<_>>()));
    }
    text.push_str(
        "\nA result is named by protocol, data set and split (`-untrained`: the encoder before training): knn, nearest \
         neighbours on the frozen encoder; linear, a linear classifier on it; finetune, encoder and classifier together. In \
         brackets: 95 % bootstrap intervals over the scored images.\n",
    );
    Ok(text)
}

/// A text from elsewhere in a line of Markdown: no new line, no cell's end, no tag.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '<' | '>' | '[' | ']' | '\\' => {
                safe.push('\\');
                safe.push(c);
            }
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
