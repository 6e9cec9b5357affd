//! Which files the rows of a table mean.

use crate::found::Found;
use crate::listing::few;
use crate::options::IdKind;
use crate::table::{Table, shown};
use selfsame_plugin_api::Result;
use selfsame_tables::files::printable;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

/// The kinds, the most exact first.
const KINDS: [IdKind; 5] = [IdKind::Path, IdKind::FileName, IdKind::FileStem, IdKind::Instance, IdKind::Patient];

/// A folder's files by every kind of id.
pub struct Ids<'f> {
    found: &'f [Found],
    files: BTreeMap<IdKind, BTreeMap<String, Vec<usize>>>,
}

impl<'f> Ids<'f> {
    /// Of these files.
    pub fn new(found: &'f [Found]) -> Self {
        let mut files: BTreeMap<_, BTreeMap<_, Vec<_>>> = BTreeMap::new();
        for (index, file) in found.iter().enumerate() {
            let text = |part: Option<&OsStr>| part.map(|part| printable(Path::new(part)));
            for kind in KINDS {
                let id = match kind {
                    IdKind::Path => Some(file.name()),
                    IdKind::FileName => text(file.file.file_name()),
                    IdKind::FileStem => text(file.file.file_stem()),
                    IdKind::Instance => file.identity.instance.clone(),
                    IdKind::Patient => file.identity.patient.clone(),
                };
                if let Some(id) = id {
                    let id = if kind.is_name() { id.replace('\\', "/") } else { id };
                    files.entry(kind).or_default().entry(id).or_default().push(index);
                }
            }
        }
        Self { found, files }
    }

    /// The files of an id: all of a patient's, and one of another kind unless it is ambiguous.
    pub fn files(&self, kind: IdKind, id: &str) -> &[usize] {
        let Some(files) = self.files.get(&kind) else { return &[] };
        let found =
            if kind.is_name() { files.get(id.replace('\\', "/").trim_start_matches("./")) } else { files.get(id) };
        found.map(Vec::as_slice).unwrap_or_default()
    }

    /// All ids of a kind.
    pub fn of_kind(&self, kind: IdKind) -> impl Iterator<Item = &str> {
        self.files.get(&kind).into_iter().flat_map(|files| files.keys()).map(String::as_str)
    }

    fn meant(&self, kind: IdKind, id: &str) -> Option<&[usize]> {
        let files = self.files(kind, id);
        (files.len() == 1 || (kind == IdKind::Patient && !files.is_empty())).then_some(files)
    }

    /// The kind of all ids of a table (its first column): the one by which the most rows have a file.
    ///
    /// # Errors
    /// Two kinds are as good and mean different files, or none fits all rows and two contradict each other.
    pub fn choose(&self, table: &Table) -> Result<IdKind> {
        let ids = || table.rows.iter().filter_map(|(line, values)| Some((*line, values.first()?)));
        let counts = KINDS.map(|kind| ids().filter(|(_, id)| self.meant(kind, id).is_some()).count());
        let most = counts.into_iter().max().unwrap_or(0);
        let chosen =
            KINDS.into_iter().zip(counts).find(|&(_, count)| count == most).map_or(IdKind::Path, |best| best.0);
        for (kind, count) in KINDS.into_iter().zip(counts) {
            if count < most && most == table.rows.len() {
                continue;
            }
            for (line, id) in ids() {
                match (self.meant(chosen, id), self.meant(kind, id)) {
                    (Some(one), Some(other)) if one != other => {
                        return Err(table.wrong(
                            line,
                            &format!(
                                "`{}` is the {} of {} and the {} of {}; set dataset.options.id_kind to the right one, \
                                 {} or {}",
                                shown(id),
                                chosen.words(),
                                self.names(one),
                                kind.words(),
                                self.names(other),
                                chosen.name(),
                                kind.name()
                            ),
                        ));
                    }
                    _ => {}
                }
            }
        }
        Ok(chosen)
    }

    /// Files for a message.
    pub fn names(&self, files: &[usize]) -> String {
        let names: Vec<_> = files.iter().map(|&file| self.found[file].name()).collect();
        if let [name] = &names[..] { name.clone() } else { few(&names) }
    }
}
