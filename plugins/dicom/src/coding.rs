//! How a data set's elements are written, and where its pixels stand.

use dicom_core::{Tag, VR};
use dicom_encoding::transfer_syntax::TransferSyntax;
use dicom_transfer_syntax_registry::entries::{
    EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN,
};

/// Byte order and whether value representations are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coding {
    pub big_endian: bool,
    pub explicit: bool,
}

pub const IMPLICIT_LITTLE: Coding = Coding { big_endian: false, explicit: false };
pub const EXPLICIT_LITTLE: Coding = Coding { big_endian: false, explicit: true };
pub const EXPLICIT_BIG: Coding = Coding { big_endian: true, explicit: true };

impl Coding {
    pub fn u16(self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    pub fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    /// The uncompressed transfer syntax whose elements are written so.
    pub fn syntax(self) -> TransferSyntax {
        match self {
            Coding { explicit: false, .. } => IMPLICIT_VR_LITTLE_ENDIAN.erased(),
            Coding { big_endian: false, .. } => EXPLICIT_VR_LITTLE_ENDIAN.erased(),
            Coding { big_endian: true, .. } => EXPLICIT_VR_BIG_ENDIAN.erased(),
        }
    }
}

/// Where the pixels stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pixels {
    pub tag: Tag,
    /// Of the value, or of the first item when encapsulated; from the file's start.
    pub offset: u64,
    /// None: encapsulated in fragments.
    pub length: Option<u64>,
    /// Of words, which matters for big endian.
    pub representation: VR,
}
