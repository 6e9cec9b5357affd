//! Files of other makers against digests of what pydicom decodes; they are not shipped, so the test is asked for by name.

use super::stored;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Files whose samples are not pydicom's, and why.
const OTHERS: [(&str, &str); 5] = [
    ("CTImage_JPEGProcess1_1.2.840.10008.1.2.4.50.dcm", LOSSY),
    ("CTImage_JPEGProcess2_4_1.2.840.10008.1.2.4.51.dcm", LOSSY),
    ("JPGExtended.dcm", LOSSY),
    ("SC_rgb_dcmtk__eb_cr.dcm", LOSSY),
    ("no_meta.dcm", "its first byte is too much; pydicom finds no pixels in it either"),
];
const LOSSY: &str = "lossy JPEG, whose inverse transformation each decoder rounds in its own way";

/// Reads `MANIFEST.tsv` (columns `file`, `decoded_dtype`, `decoded_sha256_le`: little-endian samples as pydicom has them)
/// in the folder that `SELFSAME_DICOM_FILES` names, prints a table, and fails for every file but [`OTHERS`] that is not
/// the same, and for every one of them that is.
#[test]
#[ignore = "needs a folder of DICOM files, named by SELFSAME_DICOM_FILES"]
fn files_of_other_makers_decode_to_the_samples_of_pydicom() {
    let folder = PathBuf::from(std::env::var("SELFSAME_DICOM_FILES").expect("SELFSAME_DICOM_FILES"));
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
    let mut lines = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let column = |name: &str| names.iter().position(|found| *found == name).unwrap_or_else(|| panic!("{names:?}"));
    let (file, dtype, sha) = (column("file"), column("decoded_dtype"), column("decoded_sha256_le"));
    let (frames, syntax) = (column("frames"), column("transfer_syntax"));
    let mut wrong = Vec::new();
    for row in lines {
        let width: usize = row[dtype].chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
        let width = if row[dtype].starts_with(['u', 'i']) { width / 8 } else { width };
        let count: u32 = row[frames].parse().unwrap_or(1);
        let mut digest = Sha256::new();
        let mut refused = None;
        for frame in 0..count {
            match stored(&folder.join(row[file]), frame) {
                Ok((_, _, stored)) => {
                    for value in stored.values.wide().iter() {
                        digest.update(&value.to_le_bytes()[..width.max(1)]);
                    }
                }
                Err(why) => refused = Some(why),
            }
        }
        let digest = base16ct::lower::encode_string(&digest.finalize());
        let outcome = match refused {
            Some(why) => format!("refused: {why}"),
            None if digest == row[sha] => "same".into(),
            None => "different".into(),
        };
        println!("{}\t{}\t{outcome}", row[file], row[syntax]);
        let is_other = OTHERS.iter().any(|(name, _)| row[file].ends_with(name));
        if is_other == (outcome == "same") {
            wrong.push(format!("{}: {outcome}", row[file]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
