//! Elements that are written otherwise than their transfer syntax says, and elements that nobody needs.

use super::folders::{opened, put};
use super::writer::{BASELINE, BIG, DEFLATED, IMPLICIT, LITTLE, Picture, RLE, element, head, short};
use super::{frame, stored};
use crate::coding::{Coding, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE};
use crate::found::{Found, contradictions};
use crate::identity::Identity;
use crate::options::{Color, RenderOptions, Voi};
use crate::source::Source;
use selfsame_plugin_api::Split;
use serde_json::json;

const VALUES: [i32; 6] = [0, 819, 1638, 2457, 3276, 4095];
const LOOK: RenderOptions = RenderOptions { voi: Voi::Window, color: Color::Grey, bit_depth: 8 };

/// Shown with its window as 0, 51, 102, …, and with a functional group, so that items matter.
fn picture() -> Picture {
    let window = vec![(0x0028_1050, *b"DS", "2048".into()), (0x0028_1051, *b"DS", "4096".into())];
    Picture { nested: vec![(0x5200_9229, 0x0028_9132, window)], ..Picture::grey(2, 3, 12, VALUES.to_vec()) }
}

/// A file of this data set, whatever its transfer syntax.
fn wrapped(syntax: &str, set: &[u8]) -> Vec<u8> {
    let empty = Picture::grey(0, 0, 8, Vec::new()).file(syntax, &[]);
    let meta = element(EXPLICIT_LITTLE, 0x0002_0010, b"UI", syntax.as_bytes());
    let end = empty.windows(meta.len()).position(|part| part == meta).unwrap() + meta.len();
    [&empty[..end], set].concat()
}

fn pixels(coding: Coding) -> Vec<u8> {
    element(coding, 0x7fe0_0010, b"OW", &picture().cells(coding))
}

/// The grey levels of a file's only frame, and what is said about the file.
fn read(bytes: &[u8]) -> Result<(Vec<u8>, String), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    std::fs::write(&path, bytes).unwrap();
    let levels = frame(&path, 0, LOOK)?.data;
    let source = Source::open(&path).map_err(|refusal| refusal.why())?;
    let identity = Identity::of(&source)?.unwrap();
    Ok((levels, contradictions(&[Found { file: "image".into(), identity }]).join("; ")))
}

const LEVELS: [u8; 6] = [0, 51, 102, 153, 204, 255];
const OTHERWISE: &str = "files that are not written as their transfer syntax says, read as their bytes are: 1 (image)";

/// pydicom#1943, and the file SC_rgb_jpeg.dcm of its tests.
#[test]
fn a_data_set_is_read_as_its_bytes_are_whatever_its_transfer_syntax_says() {
    for syntax in [IMPLICIT, LITTLE, BIG, DEFLATED, RLE] {
        for coding in [IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG] {
            let set = [picture().attributes(coding), pixels(coding)].concat();
            let (levels, said) =
                read(&wrapped(syntax, &set)).unwrap_or_else(|why| panic!("{syntax} {coding:?}: {why}"));
            assert_eq!(levels, LEVELS, "{syntax} {coding:?}");
            let stated = match syntax {
                IMPLICIT => Some(IMPLICIT_LITTLE),
                LITTLE => Some(EXPLICIT_LITTLE),
                BIG => Some(EXPLICIT_BIG),
                _ => None,
            };
            assert_eq!(said, if stated == Some(coding) { "" } else { OTHERWISE }, "{syntax} {coding:?}");
        }
    }
    // No transfer syntax at all, and zlib's header before deflated bytes.
    let set = [picture().attributes(IMPLICIT_LITTLE), pixels(IMPLICIT_LITTLE)].concat();
    assert_eq!(read(&wrapped("", &set)).unwrap(), (LEVELS.to_vec(), OTHERWISE.into()));
    let deflated = picture().file(DEFLATED, &[]);
    let at = wrapped(DEFLATED, &[]).len();
    let zlib = [&deflated[..at], &[0x78, 0x9c], &deflated[at..]].concat();
    assert_eq!(read(&zlib).unwrap().0, LEVELS);
}

#[test]
fn items_and_elements_in_another_coding_than_the_data_set_are_read() {
    for (outer, inner, syntax) in
        [(EXPLICIT_LITTLE, IMPLICIT_LITTLE, LITTLE), (IMPLICIT_LITTLE, EXPLICIT_LITTLE, IMPLICIT)]
    {
        for has_length in [true, false] {
            let plain = Picture { nested: Vec::new(), ..picture() };
            let text = |tag, value: &[u8]| element(inner, tag, b"DS", value);
            let sequence = |coding, tag, item: Vec<u8>| {
                if has_length {
                    let item = [head(coding, 0xfffe_e000, b"UN", item.len() as u32), item].concat();
                    return element(coding, tag, b"SQ", &item);
                }
                let (begin, end) = (head(coding, 0xfffe_e000, b"UN", u32::MAX), head(coding, 0xfffe_e00d, b"UN", 0));
                let parts = [head(coding, tag, b"SQ", u32::MAX), begin, item, end, head(coding, 0xfffe_e0dd, b"UN", 0)];
                parts.concat()
            };
            let window = [text(0x0028_1050, b"2048"), text(0x0028_1051, b"4096")].concat();
            let group = sequence(outer, 0x5200_9229, sequence(inner, 0x0028_9132, window));
            let set = [plain.attributes(outer), group, pixels(outer)].concat();
            let read = read(&wrapped(syntax, &set)).unwrap_or_else(|why| panic!("{outer:?} {has_length}: {why}"));
            assert_eq!(read, (LEVELS.to_vec(), OTHERWISE.into()), "{outer:?} {has_length}");
        }
        // The second half of the elements.
        let attributes = Picture { nested: Vec::new(), ..picture() };
        let (all, other) = (attributes.attributes(outer), attributes.attributes(inner));
        let rows = |coding| element(coding, 0x0028_0010, b"US", &short(coding, 2));
        let place = |set: &[u8], part: Vec<u8>| set.windows(part.len()).position(|window| window == part).unwrap();
        let set = [&all[..place(&all, rows(outer))], &other[place(&other, rows(inner))..], &pixels(outer)].concat();
        assert_eq!(read(&wrapped(syntax, &set)).unwrap(), (LEVELS.to_vec(), OTHERWISE.into()), "{outer:?}");
    }
}

/// fo-dicom#64, dicom-rs#169, dicomParser#34 and #141, pydicom#114 and #140, libdicom#48.
#[test]
fn an_element_that_nobody_needs_stops_no_file() {
    let raw = |coding: Coding, tag: u32, rest: &[u8]| {
        [&short(coding, (tag >> 16) as u16)[..], &short(coding, tag as u16), rest].concat()
    };
    let endless = |coding, item: Vec<u8>| {
        let parts = [head(coding, 0xfffe_e000, b"UN", u32::MAX), item, head(coding, 0xfffe_e00d, b"UN", 0)];
        [parts.concat(), head(coding, 0xfffe_e0dd, b"UN", 0)].concat()
    };
    for (coding, syntax) in [(EXPLICIT_LITTLE, LITTLE), (EXPLICIT_BIG, BIG), (IMPLICIT_LITTLE, IMPLICIT)] {
        let word = |value: u16| short(coding, value).to_vec();
        let text = |coding| element(coding, 0x0008_0016, b"UI", b"1.2.3.4");
        let mut strange: Vec<(&str, Vec<u8>)> = vec![
            ("an odd length", raw(coding, 0x0029_1010, &[&head(coding, 0x0029_1010, b"LO", 3)[4..], b"abc"].concat())),
            (
                "unknown explicit items",
                [head(coding, 0x0029_1010, b"UN", u32::MAX), endless(coding, text(EXPLICIT_LITTLE))].concat(),
            ),
            (
                "unknown implicit items",
                [head(coding, 0x0029_1010, b"UN", u32::MAX), endless(coding, text(IMPLICIT_LITTLE))].concat(),
            ),
            (
                "items of nonsense",
                [head(coding, 0x0029_1010, b"SQ", u32::MAX), endless(coding, b"no element at all".to_vec())].concat(),
            ),
            (
                "a number of one byte",
                raw(coding, 0x0028_0106, &[&head(coding, 0x0028_0106, b"US", 1)[4..], &[7]].concat()),
            ),
            ("a stray group 0002", element(coding, 0x0002_0003, b"UI", b"1.2.3")),
        ];
        if coding.explicit {
            for written in [b"ZZ", b"--", b"OX", b"\0\0", b"zz", b"??"] {
                strange.push((
                    "an unknown representation",
                    raw(coding, 0x0029_1010, &[&written[..], &word(4), b"abcd"].concat()),
                ));
            }
            strange.push((
                "16 bits for a length of 32",
                raw(coding, 0x0029_1010, &[b"UT".to_vec(), word(4), b"abcd".to_vec()].concat()),
            ));
        }
        for (what, part) in strange {
            let attributes = picture().attributes(coding);
            // In the order of tags: before group 5200, or first.
            let at = match part.starts_with(&short(coding, 2)) {
                true => 0,
                false => {
                    let later = raw(coding, 0x5200_9229, &[]);
                    attributes.windows(4).position(|four| four == later).unwrap()
                }
            };
            let set = [&attributes[..at], &part, &attributes[at..], &pixels(coding)].concat();
            let read = read(&wrapped(syntax, &set)).unwrap_or_else(|why| panic!("{what}, {syntax}: {why}"));
            assert_eq!(read.0, LEVELS, "{what}, {syntax}");
        }
    }
}

#[test]
fn elements_out_of_order_are_found_behind_the_pixels() {
    for (coding, syntax) in [(EXPLICIT_LITTLE, LITTLE), (IMPLICIT_LITTLE, IMPLICIT)] {
        let set = [pixels(coding), picture().attributes(coding)].concat();
        assert_eq!(read(&wrapped(syntax, &set)).unwrap().0, LEVELS, "{syntax}");
    }
    let picture = picture();
    let code =
        [head(EXPLICIT_LITTLE, 0x7fe0_0010, b"OB", u32::MAX), head(EXPLICIT_LITTLE, 0xfffe_e000, b"UN", 0)].concat();
    let fragment = element(EXPLICIT_LITTLE, 0xfffe_e000, b"OB", &picture.rle());
    let end = head(EXPLICIT_LITTLE, 0xfffe_e0dd, b"UN", 0);
    let set = [code, fragment, end, picture.attributes(EXPLICIT_LITTLE)].concat();
    assert_eq!(read(&wrapped(RLE, &set)).unwrap().0, LEVELS);
}

/// fo-dicom#992, pydicom#1799.
#[test]
fn fragments_are_told_apart_by_their_first_bytes_and_plain_pixels_by_their_length() {
    let levels = |level: u8| {
        let mut code = Vec::new();
        jpeg_encoder::Encoder::new(&mut code, 95).encode(&[level; 64], 8, 8, jpeg_encoder::ColorType::Luma).unwrap();
        code
    };
    let frames = [levels(40), levels(120), levels(200)];
    let parts = |code: &[u8]| [code[..90].to_vec(), code[90..].to_vec()];
    let folder = tempfile::tempdir().unwrap();
    let picture = |frames| Picture { frames, ..Picture::grey(8, 8, 8, vec![0; 64]) };
    let file = |stated, syntax: &str, fragments: &[Vec<u8>]| {
        put(folder.path(), "a.dcm", &picture(stated).file(syntax, fragments));
        folder.path().join("a.dcm")
    };
    let split: Vec<_> = [parts(&frames[0]).to_vec(), vec![frames[1].clone()], parts(&frames[2]).to_vec()].concat();
    let path = file(3, BASELINE, &split);
    for (index, level) in [40, 120, 200].into_iter().enumerate() {
        let (_, _, stored) = stored(&path, index as u32).unwrap();
        assert!(stored.values.wide().iter().all(|value| (value - level).abs() < 3), "frame {index}");
    }
    let said = |path: &std::path::Path| {
        let identity = Identity::of(&Source::open(path).unwrap()).unwrap().unwrap();
        contradictions(&[Found { file: "a.dcm".into(), identity }]).concat()
    };
    assert_eq!(said(&path), "");
    assert!(said(&file(1, BASELINE, &split)).contains("1 (a.dcm: 3 compressed frames, 1 by its header)"));
    let error = stored(&file(4, BASELINE, &frames), 0).unwrap_err();
    assert!(error.contains("4 frames by its header, but only 3 fragments"), "{error}");
    let error = stored(&file(2, BASELINE, &split), 0).unwrap_err();
    assert!(error.contains("2 frames in 5 fragments, 3 of which begin an image"), "{error}");
    // Code of another kind than the transfer syntax says.
    for syntax in [LITTLE, RLE, super::writer::JPEG_LS, super::writer::JPEG_2000] {
        let path = file(1, syntax, &frames[..1]);
        assert!(stored(&path, 0).unwrap().2.values.wide().iter().all(|value| (value - 40).abs() < 3), "{syntax}");
        assert!(said(&path).contains("not written as their transfer syntax says"), "{syntax}");
    }
    let grey = Picture::grey(8, 8, 8, (0..64).collect());
    put(folder.path(), "a.dcm", &grey.file(LITTLE, &[grey.rle()]));
    assert_eq!(stored(&folder.path().join("a.dcm"), 0).unwrap().2.values.wide()[..], (0..64).collect::<Vec<_>>());
    put(folder.path(), "a.dcm", &grey.file(BASELINE, &[]));
    assert_eq!(stored(&folder.path().join("a.dcm"), 0).unwrap().2.values.wide()[..], (0..64).collect::<Vec<_>>());
    // Nothing, zeros and a few stray bytes instead of the delimiter.
    let whole = picture(1).file(BASELINE, &frames[..1]);
    for rest in [0, 4, 5, 8, 40] {
        put(folder.path(), "a.dcm", &[&whole[..whole.len() - 8], &vec![0; rest]].concat());
        assert!(stored(&folder.path().join("a.dcm"), 0).is_ok(), "{rest}");
    }
}

/// pydicom#1846, #2012 and #2035; dicomParser#34; fo-dicom#1915.
#[test]
fn attributes_that_do_not_matter_for_the_pixels_do_not_stop_them() {
    let number = |coding: Coding, value: u16| short(coding, value).to_vec();
    let without = |tag: u32| {
        let attributes = picture().attributes(EXPLICIT_LITTLE);
        let mut kept = Vec::new();
        let mut rest = &attributes[..];
        while !rest.is_empty() {
            let is_long = matches!(&rest[4..6], b"SQ");
            let length = if is_long {
                12 + u32::from_le_bytes([rest[8], rest[9], rest[10], rest[11]]) as usize
            } else {
                8 + usize::from(u16::from_le_bytes([rest[6], rest[7]]))
            };
            let own = u32::from(u16::from_le_bytes([rest[0], rest[1]])) << 16
                | u32::from(u16::from_le_bytes([rest[2], rest[3]]));
            if own != tag {
                kept.extend(&rest[..length]);
            }
            rest = &rest[length..];
        }
        kept
    };
    let little = EXPLICIT_LITTLE;
    let read = |tag: u32, part: Vec<u8>| read(&wrapped(LITTLE, &[without(tag), part, pixels(little)].concat()));
    for frames in ["0", "0.", "1 ", "+1", "-1", "", "1.0"] {
        let levels = read(0x0028_0008, element(little, 0x0028_0008, b"IS", frames.as_bytes()));
        assert_eq!(levels, Ok((LEVELS.to_vec(), String::new())), "{frames}");
    }
    for high in [0, 7, 10, 15, 16, 99] {
        assert_eq!(
            read(0x0028_0102, element(little, 0x0028_0102, b"US", &number(little, high))).unwrap().0,
            LEVELS,
            "{high}"
        );
    }
    let numbers: [(u32, &[u8; 2], &[u8]); 6] = [
        (0x0028_0010, b"UL", &[2, 0, 0, 0]),
        (0x0028_0011, b"IS", b"3 "),
        (0x0028_0100, b"DS", b"16"),
        (0x0028_0101, b"SS", &[12, 0]),
        (0x0028_0103, b"IS", b"0 "),
        (0x0028_0002, b"UN", &[1, 0]),
    ];
    for (tag, written, value) in numbers {
        assert_eq!(read(tag, element(little, tag, written, value)).unwrap().0, LEVELS, "{tag:08x}");
    }
    for (function, written) in [("linear", Voi::Window), ("Linear_Exact", Voi::Window), ("sigmoid ", Voi::Window)] {
        let window = vec![
            (0x0028_1050, *b"DS", "2048".into()),
            (0x0028_1051, *b"DS", "4096".into()),
            (0x0028_1056, *b"CS", function.into()),
        ];
        let upper = window
            .iter()
            .map(|(tag, kind, text): &(u32, [u8; 2], String)| (*tag, *kind, text.to_uppercase()))
            .collect();
        let shown = |texts| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("image");
            std::fs::write(&path, Picture { texts, nested: Vec::new(), ..picture() }.file(LITTLE, &[])).unwrap();
            frame(&path, 0, RenderOptions { voi: written, ..LOOK }).unwrap().data
        };
        assert_eq!(shown(window.clone()), shown(upper), "{function}");
    }
}

#[test]
fn a_data_set_behind_a_preamble_without_its_magic_word_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for (name, before) in [("a", 128), ("b", 132), ("c", 0)] {
        let set = [picture().attributes(IMPLICIT_LITTLE), pixels(IMPLICIT_LITTLE)].concat();
        put(folder.path(), name, &[vec![0; before], set].concat());
    }
    put(folder.path(), "nothing", &[0; 400]);
    let samples = opened("DicomFolder", folder.path(), json!({}), Split::Train);
    assert_eq!(samples.ids().unwrap(), ["a", "b", "c"]);
    for image in samples.read(&[0, 1, 2]).unwrap() {
        assert_eq!(image.data, LEVELS);
    }
}

#[test]
fn an_unknown_character_set_is_counted_and_a_legal_extension_is_not() {
    for (characters, said) in [("\\ISO 2022 IR 87", ""), ("ISO_IR 100", ""), ("KLINGON", "unknown character set")] {
        let texts = vec![(0x0008_0005, *b"CS", characters.into())];
        let (levels, notes) = read(&Picture { texts, ..picture() }.file(LITTLE, &[])).unwrap();
        assert_eq!(levels, LEVELS);
        assert_eq!(notes.contains("unknown character set"), !said.is_empty(), "{characters}: {notes}");
    }
}

/// Each costs a walk of all that follows it, which a hostile file could ask for without end.
#[test]
fn strange_elements_without_a_length_are_passed_over_a_few_times_only() {
    let nonsense = |number: u32| {
        let parts = [
            head(EXPLICIT_LITTLE, 0x0029_1010 + number, b"UN", u32::MAX),
            head(EXPLICIT_LITTLE, 0xfffe_e000, b"UN", u32::MAX),
            b"no element at all".to_vec(),
            head(EXPLICIT_LITTLE, 0xfffe_e0dd, b"UN", 0),
        ];
        parts.concat()
    };
    for (count, is_read) in [(1, true), (16, true), (17, false), (200, false)] {
        let plain = Picture { nested: Vec::new(), ..picture() }.attributes(EXPLICIT_LITTLE);
        let strange: Vec<u8> = (0..count).flat_map(nonsense).collect();
        let read = read(&wrapped(LITTLE, &[plain, strange, pixels(EXPLICIT_LITTLE)].concat()));
        match read {
            Ok((levels, _)) => assert!(is_read && levels == LEVELS, "{count}"),
            Err(why) => {
                assert!(!is_read && why.contains("has more than 16 elements that cannot be walked"), "{count}: {why}")
            }
        }
    }
}
