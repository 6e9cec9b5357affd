//! Writes 8-bit grey DICOM files.

/// The pixels of a file.
#[derive(Debug, Clone, Copy)]
pub enum Stored<'a> {
    /// Grey levels, row-major, as they are (Explicit VR Little Endian).
    Plain(&'a [u8]),
    /// A JPEG Baseline stream.
    Jpeg(&'a [u8]),
}

/// The bytes of a file: one frame of `size` (height, width), MONOCHROME2, no window and no rescaling.
pub fn file(patient: &str, (height, width): (u16, u16), pixels: &Stored<'_>) -> Vec<u8> {
    let syntax: &[u8] = match pixels {
        Stored::Plain(_) => b"1.2.840.10008.1.2.1",
        Stored::Jpeg(_) => b"1.2.840.10008.1.2.4.50",
    };
    let mut meta = Vec::new();
    element(&mut meta, 0x0002_0002, b"UI", b"1.2.840.10008.5.1.4.1.1.7");
    element(&mut meta, 0x0002_0010, b"UI", syntax);
    let mut file = vec![0; 128];
    file.extend(b"DICM");
    element(&mut file, 0x0002_0000, b"UL", &(meta.len() as u32).to_le_bytes());
    file.extend(meta);
    element(&mut file, 0x0008_0016, b"UI", b"1.2.840.10008.5.1.4.1.1.7");
    element(&mut file, 0x0008_0060, b"CS", b"CR");
    element(&mut file, 0x0010_0020, b"LO", patient.as_bytes());
    element(&mut file, 0x0018_5101, b"CS", b"PA");
    element(&mut file, 0x0028_0002, b"US", &1u16.to_le_bytes());
    element(&mut file, 0x0028_0004, b"CS", b"MONOCHROME2");
    for (tag, value) in [(0x10, height), (0x11, width), (0x100, 8), (0x101, 8), (0x102, 7), (0x103, 0)] {
        element(&mut file, 0x0028_0000 | tag, b"US", &value.to_le_bytes());
    }
    pixel_data(&mut file, pixels);
    file
}

/// Appends Pixel Data: as a whole, or as a sequence of an empty offset table and one fragment (PS3.5 §A.4).
fn pixel_data(file: &mut Vec<u8>, pixels: &Stored<'_>) {
    file.extend([0xe0, 0x7f, 0x10, 0x00, b'O', b'B', 0, 0]);
    let sized = |file: &mut Vec<u8>, bytes: &[u8]| {
        file.extend((bytes.len().next_multiple_of(2) as u32).to_le_bytes());
        file.extend(bytes);
        file.resize(file.len() + bytes.len() % 2, 0);
    };
    match pixels {
        Stored::Plain(levels) => sized(file, levels),
        Stored::Jpeg(code) => {
            file.extend([0xff; 4]);
            for fragment in [&[][..], code] {
                file.extend([0xfe, 0xff, 0x00, 0xe0]);
                sized(file, fragment);
            }
            file.extend([0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0]);
        }
    }
}

/// Appends an element with a short length (PS3.5 §7.1.2).
fn element(file: &mut Vec<u8>, tag: u32, representation: &[u8; 2], value: &[u8]) {
    file.extend(((tag >> 16) as u16).to_le_bytes());
    file.extend((tag as u16).to_le_bytes());
    file.extend(representation);
    file.extend((value.len().next_multiple_of(2) as u16).to_le_bytes());
    file.extend(value);
    if value.len() % 2 == 1 {
        file.push(if representation == b"UI" { 0 } else { b' ' });
    }
}
