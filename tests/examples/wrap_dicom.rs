//! `cargo run --release -p selfsame-tests --example wrap_dicom -- IN OUT [PATTERN]`: wraps the images of `IN/SPLIT/CLASS/`
//! as DICOM files with the same grey pixels, for `DicomFolder`. PATTERN finds an image's patient in its path.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(from), Some(to), true) = (arguments.first(), arguments.get(1), arguments.len() <= 3) else {
        eprintln!("usage: wrap_dicom IN OUT [PATTERN]");
        return ExitCode::from(2);
    };
    let patient = match arguments.get(2).map(|pattern| regex::Regex::new(pattern)).transpose() {
        Ok(patient) => patient,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    match selfsame_tests::wrap::wrap(Path::new(from), Path::new(to), patient.as_ref()) {
        Ok(count) => {
            println!("{count} files; train with:");
            println!("  --set dataset.name=DicomFolder --set dataset.dataset_dir={to}");
            println!("  --set dataset.options.csv=labels.csv --set dataset.options.label_column=label");
            println!("  --set dataset.options.split_column=split --set dataset.options.voi=none");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
