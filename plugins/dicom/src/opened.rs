//! A file whose header was read, so that each of its frames costs no more than its own bytes.

use crate::attributes::Attributes;
use crate::codec::{self, Stored};
use crate::coding::Pixels;
use crate::frame::{self, Fragments};
use crate::guard::{self, caught};
use crate::header;
use crate::layout::Layout;
use crate::options::Voi;
use crate::presentation::Presentation;
use crate::source::{Elements, Refusal, Source};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// An open file with its header, and with the places of its fragments once a frame was read.
pub struct Opened {
    path: PathBuf,
    pub source: Source,
    object: InMemDicomObject,
    pixels: Option<Pixels>,
    /// Or why its samples cannot be read, which stops nobody who asks for its facts.
    layout: Result<Layout, String>,
    fragments: OnceLock<Fragments>,
}

impl Opened {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// Why it cannot be read, without its name.
    pub fn new(path: &Path) -> Result<Self, String> {
        let source = Source::open(path).map_err(Refusal::why)?;
        let Elements { object, pixels, .. } = header::elements(&source)?;
        let layout = caught(|| Layout::read(Attributes::new(&object, source.coding.explicit)));
        Ok(Self { path: path.to_path_buf(), source, object, pixels, layout, fragments: OnceLock::new() })
    }

    /// The elements of its header that somebody asks for.
    pub fn attributes(&self) -> Attributes<'_> {
        Attributes::new(&self.object, self.source.coding.explicit)
    }

    /// The stored samples of one frame and what they mean; windows are looked at where `voi` asks for them.
    ///
    /// # Errors
    /// Why the frame cannot be read, without the file's name.
    pub fn stored(&self, frame: u32, voi: Voi) -> Result<(Layout, Presentation, Stored), String> {
        let pixels = self.pixels.ok_or("has no pixels (7fe0,0010)")?;
        if pixels.tag != tags::PIXEL_DATA {
            let tag = guard::shown(pixels.tag);
            return Err(format!("has floating-point pixels {tag}, which are not read; convert them to whole numbers"));
        }
        let layout = self.layout.as_ref().map_err(Clone::clone)?;
        let shown = Presentation::read(self.attributes(), layout, frame, voi)?;
        if frame >= layout.frames {
            return Err(format!("has {} frames; frame {frame} was asked for", layout.frames));
        }
        // A transfer syntax that is not read is named.
        codec::is_native(&self.source.syntax)?;
        let stored = match pixels.length {
            Some(_) => {
                let (bytes, stored_as) = frame::native(&self.source, layout, pixels, frame)?;
                codec::unpack(bytes, self.source.coding, &stored_as)?
            }
            None => {
                let code = frame::encapsulated(&self.source, self.fragments(pixels)?, layout, frame)?;
                codec::decode(&code, &self.source.syntax, layout)?
            }
        };
        if stored.values.len() != layout.count() {
            return Err(format!("has {} samples, expected {}", stored.values.len(), layout.count()));
        }
        Ok((layout.clone(), shown, stored))
    }

    /// The places of its fragments, which are searched for once.
    ///
    /// # Errors
    /// The fragments are damaged, or more than the bounds allow.
    fn fragments(&self, pixels: Pixels) -> Result<&Fragments, String> {
        if let Some(found) = self.fragments.get() {
            return Ok(found);
        }
        let found = Fragments::find(&self.source, pixels)?;
        Ok(self.fragments.get_or_init(|| found))
    }

    fn has_several_frames(&self) -> bool {
        self.layout.as_ref().is_ok_and(|layout| layout.frames > 1)
    }
}

/// The file of several frames that was read last: all readers of a data set share it, and it stays open until another one
/// is read.
#[derive(Default)]
pub struct Last(Mutex<Option<Arc<Opened>>>);

impl Last {
    /// Opens a file, unless it is the last one.
    ///
    /// # Errors
    /// As [`Opened::new`].
    pub fn open(&self, path: &Path) -> Result<Arc<Opened>, String> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = lock().as_ref().filter(|last| last.path == path) {
            return Ok(Arc::clone(last));
        }
        let opened = Arc::new(Opened::new(path)?);
        if opened.has_several_frames() {
            *lock() = Some(Arc::clone(&opened));
        }
        Ok(opened)
    }
}
