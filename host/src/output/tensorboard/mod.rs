//! TensorBoard's event files: scalars, a run's values and an image, in TFRecord framing.
//!
//! The few fields needed of TensorFlow's `event.proto` and `summary.proto` are encoded here: the crates that write them
//! want `protoc` at build time or an image library.

mod fields;
mod hyperparameters;
pub mod projector;

use self::fields::{bytes, double, varint_field};
use super::picture::Picture;
use crate::storage::{FileError, Naming};
use jiff::Timestamp;
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What the names of event files begin with.
const EVENTS: &str = "events.out.tfevents.";

/// Appends scalars to an event file of its own in the run's folder.
#[derive(Debug)]
pub struct TensorBoard {
    file: File,
    path: PathBuf,
}

impl TensorBoard {
    /// Starts an event file; given the checkpoint's step that a run resumes from, it tells TensorBoard to forget what
    /// earlier files in the folder say about later steps, and without one, about all steps.
    pub fn open(run_dir: &Path, resume_from: Option<u64>) -> Result<Self, FileError> {
        let now = Timestamp::now();
        let mut names = fs::read_dir(run_dir).naming("list", run_dir)?.flatten().map(|entry| entry.file_name());
        let is_restart = names.any(|name| name.as_encoded_bytes().starts_with(EVENTS.as_bytes()));
        let prefix = format!("{EVENTS}{:010}.{}.", now.as_second(), std::process::id());
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix(&prefix).suffix(".selfsame");
        // A name that nobody can foresee, so that no link can stand there.
        let made = builder.make_in(run_dir, |path| File::create_new(path)).naming("create", run_dir)?;
        let (file, path) = made.keep().map_err(|error| error.error).naming("create", run_dir)?;
        let mut board = Self { file, path };
        board.append(&file_version(wall_time(now)))?;
        let forget = resume_from.map(|step| step + 1).or(is_restart.then_some(0));
        if let Some(step) = forget {
            board.append(&session_start(wall_time(now), step))?;
        }
        Ok(board)
    }

    /// Writes the values of one step, by flat name.
    pub fn scalars<'a>(
        &mut self,
        step: u64,
        values: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<(), FileError> {
        self.append(&scalar_event(wall_time(Timestamp::now()), step, values))
    }

    /// Writes what the run is made of, by dotted key, for TensorBoard's table of runs; its scores are the last scalars.
    pub fn hyperparameters<'a>(
        &mut self,
        values: impl IntoIterator<Item = (&'a str, &'a Value)>,
    ) -> Result<(), FileError> {
        let now = wall_time(Timestamp::now());
        self.append(&summary_event(now, &hyperparameters::start(now, values)))
    }

    /// Writes that the run is complete, for the same table.
    pub fn completed(&mut self) -> Result<(), FileError> {
        let now = wall_time(Timestamp::now());
        self.append(&summary_event(now, &hyperparameters::success(now)))
    }

    /// Writes a picture under this name.
    pub fn image(&mut self, name: &str, picture: &Picture) -> Result<(), FileError> {
        let png = picture.to_png().naming("write", &self.path)?;
        let size = [picture.height, picture.width].map(|side| side as u64);
        self.append(&summary_event(wall_time(Timestamp::now()), &image_value(name, size, &png)))
    }

    fn append(&mut self, event: &[u8]) -> Result<(), FileError> {
        self.file.write_all(&framed(event)).naming("write", &self.path)
    }
}

/// Seconds since 1970.
fn wall_time(time: Timestamp) -> f64 {
    time.as_nanosecond() as f64 / 1e9
}

/// `Event { wall_time = 1, file_version = 3 }`
fn file_version(wall_time: f64) -> Vec<u8> {
    let mut event = double(1, wall_time);
    event.extend(bytes(3, b"brain.Event:2"));
    event
}

/// `Event { wall_time = 1, step = 2, session_log = 7 { status = 1: START = 1 } }`
fn session_start(wall_time: f64, step: u64) -> Vec<u8> {
    let mut event = double(1, wall_time);
    event.extend(varint_field(2, step));
    event.extend(bytes(7, &varint_field(1, 1)));
    event
}

/// `Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } … } }`
fn scalar_event<'a>(wall_time: f64, step: u64, values: impl IntoIterator<Item = (&'a str, f64)>) -> Vec<u8> {
    let mut summary = Vec::new();
    for (name, value) in values {
        let mut entry = bytes(1, name.as_bytes());
        entry.push(2 << 3 | 5); // 32 bits
        entry.extend((value as f32).to_le_bytes());
        summary.extend(bytes(1, &entry));
    }
    let mut event = double(1, wall_time);
    event.extend(varint_field(2, step));
    event.extend(bytes(5, &summary));
    event
}

/// `Event { wall_time = 1, summary = 5 { value = 1 } }`, of step 0
fn summary_event(wall_time: f64, value: &[u8]) -> Vec<u8> {
    let mut event = double(1, wall_time);
    event.extend(bytes(5, &bytes(1, value)));
    event
}

/// `Value { tag = 1, image = 4 { height = 1, width = 2, colorspace = 3: RGB = 3, encoded_image_string = 4 } }`
fn image_value(name: &str, [height, width]: [u64; 2], png: &[u8]) -> Vec<u8> {
    let numbers = [(1, height), (2, width), (3, 3)].map(|(field, value)| varint_field(field, value));
    let mut image = numbers.concat();
    image.extend(bytes(4, png));
    [bytes(1, name.as_bytes()), bytes(4, &image)].concat()
}

/// A TFRecord: length, its masked CRC, data, its masked CRC; little-endian.
fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend(masked_crc(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked_crc(data).to_le_bytes());
    record
}

fn masked_crc(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit: a record has a few hundred bytes.
fn crc32c(data: &[u8]) -> u32 {
    let crc = data.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 * (crc & 1)))
    });
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_agrees_with_published_values() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283); // RFC 3720's polynomial, the usual check value
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa); // RFC 3720, appendix B.4
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn bytes_equal_those_of_tensorboards_own_writer() {
        // tensorboard 2.21: RecordWriter over Event(wall_time=1.5, file_version="brain.Event:2"), Event(wall_time=2.5,
        // step=301, session_log=SessionLog(status=START)) and Event(wall_time=3.5, step=301, summary=Summary(value=[
        // Value(tag="ssl/train/loss", simple_value=4.25), Value(tag="optim/lr", simple_value=nan)]))
        let expected = concat!(
            "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c1000000000000000",
            "95fbfe1809000000000000044010ad023a0208019daf86af36000000000000004f578cef090000000000000c4010ad02",
            "2a280a150a0e73736c2f747261696e2f6c6f737315000088400a0f0a086f7074696d2f6c72150000c07fed41329e",
        );
        let values = [("ssl/train/loss", 4.25), ("optim/lr", f64::NAN)];
        let events = [file_version(1.5), session_start(2.5, 301), scalar_event(3.5, 301, values)];
        let bytes: Vec<u8> = events.iter().flat_map(|event| framed(event)).collect();
        let hex = base16ct::lower::encode_string(&bytes);
        assert_eq!(hex, expected);
    }

    #[test]
    fn an_image_equals_that_of_tensorboards_own_writer() {
        // tensorboard 2.21: Event(wall_time=3.5, summary=Summary(value=[Value(tag="views", image=Image(height=2, width=300,
        // colorspace=3, encoded_image_string=b"PNG"))])).SerializeToString()
        let expected = "090000000000000c402a170a150a057669657773220c080210ac0218032203504e47";
        let event = summary_event(3.5, &image_value("views", [2, 300], b"PNG"));
        assert_eq!(base16ct::lower::encode_string(&event), expected);
    }

    #[test]
    fn a_run_that_starts_anew_takes_back_what_earlier_files_say() {
        let dir = tempfile::tempdir().unwrap();
        let start = framed(&session_start(0.0, 0))[21..].to_vec(); // after length, checksum and time
        let says_so = |board: &TensorBoard| {
            let written = fs::read(&board.path).unwrap();
            written.windows(start.len() - 4).any(|part| part == &start[..start.len() - 4])
        };
        assert!(!says_so(&TensorBoard::open(dir.path(), None).unwrap()));
        assert!(says_so(&TensorBoard::open(dir.path(), None).unwrap()));
    }

    #[test]
    fn a_resumed_run_adds_a_file_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let mut board = TensorBoard::open(dir.path(), Some(300)).unwrap();
        board.scalars(301, [("ssl/train/loss", 1.0)]).unwrap();
        let name = board.path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("events.out.tfevents.") && name.contains(&std::process::id().to_string()));
        let written = std::fs::read(&board.path).unwrap();
        let mut rest = written.as_slice();
        let mut records = 0;
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(rest[..16 + length], framed(&rest[12..12 + length]));
            rest = &rest[16 + length..];
            records += 1;
        }
        assert_eq!(records, 3);
    }
}
