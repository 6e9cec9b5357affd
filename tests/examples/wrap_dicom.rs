//! `cargo run --release -p selfsame-tests --example wrap_dicom -- IN OUT`: wraps the images of `IN/SPLIT/CLASS/` as DICOM
//! files with the same grey pixels, for `DicomFolder`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = &arguments[..] else {
        eprintln!("usage: wrap_dicom IN OUT");
        return ExitCode::from(2);
    };
    match selfsame_tests::wrap::wrap(Path::new(from), Path::new(to)) {
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
