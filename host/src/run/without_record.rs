//! What to do with whole checkpoints whose `run.json` is missing or broken.

use super::checkpoint;
use std::path::Path;

/// How to go on with what is left of a run in this folder; none where it has no intact checkpoint.
pub fn way_on(run: &Path) -> Option<String> {
    let newest = checkpoint::latest(run).ok().flatten()?;
    let model = newest.path.join("model.safetensors");
    let shown = model.to_string_lossy();
    let model = shell_words::quote(&shown);
    Some(format!(
        "Its checkpoints are whole (the newest is of step {}): put the file back from a copy of the run, and all goes on. \
         Without one, which samples the run learnt from is no longer known, so it is not continued; its encoder can be used: \
         `--init {model} --config {}` in place of the run with `selfsame evaluate`, `embed` and `export`, or as the start of \
         another run with `--set train.self_supervision.init={model}`",
        newest.step,
        shell_words::quote(&run.join(super::files::CONFIG_FILE).to_string_lossy()),
    ))
}
