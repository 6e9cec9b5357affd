//! `cargo run --release -p selfsame-tests --example make_rsna -- DIR COUNT SIZE [subjects|boxes]`: a synthetic folder
//! for `RSNAKaggle`.

use selfsame_tests::rsna::{Labels, write};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match &arguments[..] {
        [folder, count, size] => Some((folder, count, size, Labels::Boxes)),
        [folder, count, size, form] if form == "boxes" => Some((folder, count, size, Labels::Boxes)),
        [folder, count, size, form] if form == "subjects" => Some((folder, count, size, Labels::Subjects)),
        _ => None,
    };
    let Some((folder, Ok(count), Ok(size), labels)) =
        parsed.map(|(folder, count, size, labels)| (folder, count.parse(), size.parse(), labels))
    else {
        eprintln!("usage: make_rsna DIR COUNT SIZE [subjects|boxes]");
        return ExitCode::from(2);
    };
    match write(Path::new(folder), count, size, labels, 0) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {folder}: {error}");
            ExitCode::FAILURE
        }
    }
}
