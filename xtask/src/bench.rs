//! `cargo xtask bench`: the training step beside eager PyTorch's, in turn on this machine.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build;
use crate::workspace::Workspace;

const ROUNDS: usize = 3;
const SIZE: [&str; 4] = ["--batch", "64", "--steps", "5"];

/// Measures ResNet-18's SimCLR step, batch 64, float32, and prints images per second and the ratio to PyTorch's better
/// memory format where `python` has torch and torchvision.
pub fn run(workspace: &Workspace, python: &str) -> Result<()> {
    build::run(workspace)?;
    let peer = workspace.root.join("host/benches/peer_step.py");
    let ours =
        || figure(workspace.cargo().args(["bench", "--package", "selfsame", "--bench", "step", "--"]).args(SIZE));
    let theirs = |format: &[&str]| figure(Command::new(python).arg(&peer).args(SIZE).args(format));
    if !has_torch(python, &workspace.root) {
        println!("selfsame  {:.1} images/s", ours()?);
        println!("{python} has no torch and torchvision to compare with; name one that has with --python");
        return Ok(());
    }
    println!("ResNet-18, SimCLR step, batch 64, float32: images per second, an image being two views");
    println!("{:>9} {:>18} {:>23}", "selfsame", "PyTorch contiguous", "PyTorch channels-last");
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let (own, contiguous, channels_last) = (ours()?, theirs(&[])?, theirs(&["--channels-last"])?);
        println!("{own:9.1} {contiguous:18.1} {channels_last:23.1}");
        ratios.push(own / contiguous.max(channels_last));
    }
    ratios.sort_by(f64::total_cmp);
    println!("ratio to PyTorch's better format: {:.2} (median of {ROUNDS})", ratios[ROUNDS / 2]);
    Ok(())
}

fn has_torch(python: &str, folder: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import torch, torchvision"]).current_dir(folder);
    command.output().is_ok_and(|output| output.status.success())
}

/// The number that a program prints last.
fn figure(command: &mut Command) -> Result<f64> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.split_whitespace().last().with_context(|| format!("{command:?} printed nothing"))?;
    last.parse().with_context(|| format!("{command:?} printed `{last}`, which is no number"))
}
