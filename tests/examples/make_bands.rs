//! `cargo run --release -p selfsame-tests --example make_bands -- satellite|microscope DIR COUNT SIDE`: a synthetic folder of
//! images with 13 or 6 channels, COUNT of each class.

use selfsame_tests::bands::{microscope, satellite};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match &arguments[..] {
        [kind, folder, count, side] => Some((kind.as_str(), folder, count.parse(), side.parse())),
        _ => None,
    };
    let Some((kind @ ("satellite" | "microscope"), folder, Ok(count), Ok(side))) = parsed else {
        eprintln!("usage: make_bands satellite|microscope DIR COUNT SIDE");
        return ExitCode::from(2);
    };
    let written = match kind {
        "satellite" => satellite(Path::new(folder), count, side),
        _ => microscope(Path::new(folder), count, side),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {folder}: {error}");
            ExitCode::FAILURE
        }
    }
}
