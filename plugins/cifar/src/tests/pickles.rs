//! The Python form.

use super::*;
use crate::published::CIFAR100;
use crate::{published::Form, python, record_file};
use tempfile::TempDir;

/// numpy 2.4, Python 3: `pickle.dumps({b"batch_label": b"…", b"labels": [3, 9], b"data": (np.arange(6144) * 7 %
/// 256).astype(np.uint8).reshape(2, 3072), b"filenames": [b"a.png", b"b.png"]}, 2)`.
const NUMPY: &[u8] = include_bytes!("numpy.pickle");

/// A pickle as Python 2's cPickle writes it with protocol 2 (byte strings, `numpy.core`), like the published files.
fn python2(key: &str, labels: &[u8], pixels: &[u8], count: usize) -> Vec<u8> {
    let short = |text: &str| [b"U", &[text.len() as u8][..], text.as_bytes()].concat();
    let mut out = b"\x80\x02}q\x01(".to_vec();
    out.extend(short("batch_label"));
    out.extend(b"q\x02");
    out.extend(short("training batch 1 of 5"));
    out.extend(b"q\x03");
    out.extend(short(key));
    out.extend(b"q\x04]q\x05(");
    out.extend(labels.iter().flat_map(|&label| [b'K', label]));
    out.extend(b"e");
    out.extend(short("data"));
    out.extend(
        b"q\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09(K\x01M",
    );
    out.extend((count as u16).to_le_bytes());
    out.extend(b"M\x00\x0c\x86cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNN");
    out.extend(b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T");
    out.extend((pixels.len() as u32).to_le_bytes());
    out.extend(pixels);
    out.extend(b"tbu.");
    out
}

fn python_files(published: &Published) -> Vec<(&'static str, Vec<u8>)> {
    let file = |(file, member): (usize, &crate::published::Member)| {
        let labels: Vec<_> = (0..COUNT).map(|record| class(published, file, record)).collect();
        let pixels: Vec<_> =
            (0..COUNT).flat_map(|record| (0..PIXELS).map(move |byte| pixel(file, record, byte))).collect();
        (member.file, python2(published.python_labels, &labels, &pixels, COUNT))
    };
    published.python.members.iter().enumerate().map(file).collect()
}

#[test]
fn reads_python_files_in_their_folder_or_directly_or_packed() {
    for published in [&CIFAR10, &CIFAR100] {
        let files = python_files(published);
        for folder in ["", published.python.folder] {
            let root = TempDir::new().unwrap();
            write_files(&root.path().join(folder), &files);
            let cifar = dataset(published, root.path(), offline());
            cifar.prepare(&Patient).unwrap();
            assert_synthetic(published, &cifar);
        }
        let root = TempDir::new().unwrap();
        fs::write(root.path().join(published.python.archive), pack(&published.python, &files)).unwrap();
        let cifar = dataset(published, root.path(), offline());
        cifar.prepare(&Patient).unwrap();
        assert_synthetic(published, &cifar);
    }
}

#[test]
fn reads_what_numpy_writes_today() {
    let records = python::parse(&CIFAR10, NUMPY).unwrap();
    assert_eq!(records.classes, [3, 9]);
    let expected: Vec<u8> = (0..6144_u32).map(|index| (index * 7 % 256) as u8).collect();
    assert_eq!(records.pixels, expected);
}

#[test]
fn an_image_folder_is_not_the_python_form() {
    let root = TempDir::new().unwrap();
    for split in ["train", "test"] {
        fs::create_dir(root.path().join(split)).unwrap();
    }
    assert!(crate::layout::find(&CIFAR100, root.path()).unwrap().is_none());
}

#[test]
fn rejects_every_truncation_of_a_pickle() {
    let file = python2("labels", &[3, 9], &[5; 2 * PIXELS], 2);
    for length in (0..700).chain([file.len() - 2, file.len() - 1]) {
        assert!(python::parse(&CIFAR10, &file[..length]).is_err(), "{length}");
    }
}

#[test]
fn says_what_is_wrong_with_a_pickle() {
    let cause = |bytes: Vec<u8>| python::parse(&CIFAR10, &bytes).unwrap_err();
    let pixels = vec![5; 2 * PIXELS];
    assert!(cause(python2("labels", &[3, 10], &pixels, 2)).contains("record 1 has the label 10"));
    assert!(cause(python2("labels", &[3], &pixels, 2)).contains("2 images but 1 labels"));
    assert!(cause(python2("fine_labels", &[3, 9], &pixels, 2)).contains("without the key `labels`"));
    assert!(cause(python2("labels", &[3, 9], &pixels, 3)).contains("uint8 array of shape [N, 3072]"));
    assert!(cause(python2("labels", &[3, 9], &pixels[1..], 2)).contains("uint8 array of shape [N, 3072]"));
    assert!(cause(b"\x80\x02]q\x01.".to_vec()).contains("not of a mapping"));
    assert!(cause(b"GIF89a".to_vec()).contains("not a pickle"));
}

#[test]
fn rejects_a_python_file_that_is_not_the_published_one() {
    let root = TempDir::new().unwrap();
    write_files(root.path(), &python_files(&CIFAR10));
    let error = dataset(&CIFAR10, root.path(), json!({})).prepare(&Patient).unwrap_err();
    assert!(error.message.contains("data_batch_1: MD5") && error.message.contains("c99cafc1"), "{error}");
    assert!(record_file::load(&CIFAR10, Form::Python, &root.path().join("data_batch_1")).is_ok());
}

#[test]
fn survives_random_changes() {
    let original = python2("labels", &[3, 9], &[5; 2 * PIXELS], 2);
    for round in 0..5000 {
        let mut file = original.clone();
        for change in 0..3 {
            // Everything but the pixels lies in the first and last bytes.
            let at = (usize::from(pixel(round, change, 0)) + usize::from(pixel(round, change, 1))) % 260;
            file[at] = pixel(round, change, 2);
        }
        // Either is right; a panic is not.
        let _ = python::parse(&CIFAR10, &file);
    }
}

#[test]
fn rejects_deep_nesting() {
    let depth = 1_000_000;
    let file = [b"\x80\x02".to_vec(), vec![b']'; depth], vec![b'a'; depth - 1], b".".to_vec()].concat();
    assert!(python::parse(&CIFAR10, &file).is_err());
}

#[test]
fn rejects_multiplying_references() {
    // Each list holds the one before it twice: 2^40 elements when written out.
    let mut file = b"\x80\x02]q\x00".to_vec();
    for level in 0..40 {
        file.extend([b'0', b']', b'q', level + 1, b'h', level, b'a', b'h', level, b'a']);
    }
    file.push(b'.');
    assert!(python::parse(&CIFAR10, &file).is_err());
}
