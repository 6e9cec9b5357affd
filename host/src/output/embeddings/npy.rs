//! NumPy's array format, version 1.0 (NEP 1): a line of Python, then the numbers.

use super::{Format, Rows, Target, bytes};
use selfsame_plugin_api::Targets;
use std::io::{self, Write};

pub(super) struct Npy(Target);

pub(super) fn begin(mut target: Target, rows: usize, dim: usize) -> io::Result<Npy> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
    // Magic, version and length take ten bytes; all of it is a multiple of 64 and ends with a new line.
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    target.write_all(b"\x93NUMPY\x01\x00")?;
    target.write_all(&(header.len() as u16).to_le_bytes())?;
    target.write_all(header.as_bytes())?;
    Ok(Npy(target))
}

impl Format for Npy {
    fn write(&mut self, values: &[f32]) -> io::Result<()> {
        self.0.write_all(&bytes(values))
    }

    fn finish(self: Box<Self>) -> io::Result<Target> {
        Ok(self.0)
    }
}

/// The rows of the matrix in words: `id`, `split`, then `label` and `class`, or for multilabel a column of 0 and 1 for
/// each class, named `label:CLASS`; `group` where there are groups.
pub(super) fn write_csv(target: Target, rows: &Rows) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(target);
    let mut header = vec!["id".to_owned(), "split".to_owned()];
    match &rows.targets {
        Targets::None => {}
        Targets::Classes(_) => header.extend(["label".to_owned(), "class".to_owned()]),
        Targets::Multilabel(_) => header.extend(rows.classes.iter().map(|class| format!("label:{class}"))),
    }
    header.extend(rows.groups.as_ref().map(|_| "group".to_owned()));
    csv.write_record(&header)?;
    for (row, id) in rows.ids.iter().enumerate() {
        let mut record = vec![id.clone(), rows.splits[row].name().to_owned()];
        match &rows.targets {
            Targets::None => {}
            Targets::Classes(labels) => {
                record.extend([labels[row].to_string(), rows.classes[labels[row] as usize].clone()]);
            }
            Targets::Multilabel(flags) => {
                let classes = rows.classes.len();
                record.extend(flags[row * classes..(row + 1) * classes].iter().map(u8::to_string));
            }
        }
        record.extend(rows.groups.as_ref().map(|groups| groups[row].clone()));
        csv.write_record(&record)?;
    }
    csv.flush()
}
