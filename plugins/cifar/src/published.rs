//! What the publisher says about the files: names, sizes and digests.

use selfsame_plugin_api::Split;
use selfsame_plugin_api::download::Digest;

/// Bytes of one image, `[3, 32, 32]`.
pub const PIXELS: usize = 3 * 32 * 32;

/// One file of a data set.
#[derive(Debug)]
pub struct Member {
    pub file: &'static str,
    pub split: Split,
    pub records: usize,
    pub digest: Digest<'static>,
}

/// One of the two forms in which the files are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Binary,
    Python,
}

/// An archive, the folder inside it and the files in that folder.
#[derive(Debug)]
pub struct Package {
    pub form: Form,
    pub archive: &'static str,
    pub folder: &'static str,
    pub members: &'static [Member],
}

/// One byte of a binary record that stands before the pixels.
#[derive(Debug)]
pub struct LabelByte {
    /// What it labels, for messages.
    pub meaning: &'static str,
    /// Values are below this.
    pub classes: u8,
}

/// A data set as published.
#[derive(Debug)]
pub struct Published {
    pub name: &'static str,
    pub address: &'static str,
    /// Of the binary archive at the official address.
    pub archive_md5: &'static str,
    pub binary: Package,
    pub python: Package,
    /// The label bytes of a binary record; the last one is the class.
    pub labels: &'static [LabelByte],
    /// The key of the class labels in the Python files.
    pub python_labels: &'static str,
}

impl Published {
    /// Bytes of one binary record.
    pub fn record(&self) -> usize {
        self.labels.len() + PIXELS
    }

    /// Number of classes.
    pub fn classes(&self) -> u8 {
        self.labels.last().map_or(0, |label| label.classes)
    }
}

const fn batch(file: &'static str, split: Split, digest: Digest<'static>) -> Member {
    Member { file, split, records: 10_000, digest }
}

/// CIFAR-10.
pub static CIFAR10: Published = Published {
    name: "CIFAR10",
    address: "https://www.cs.toronto.edu/~kriz/",
    archive_md5: "c32a1d4ab5d03f1284b67883e8d87530",
    binary: Package {
        form: Form::Binary,
        archive: "cifar-10-binary.tar.gz",
        folder: "cifar-10-batches-bin",
        members: &[
            batch(
                "data_batch_1.bin",
                Split::Train,
                Digest::Sha256("cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
            ),
            batch(
                "data_batch_2.bin",
                Split::Train,
                Digest::Sha256("a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
            ),
            batch(
                "data_batch_3.bin",
                Split::Train,
                Digest::Sha256("bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
            ),
            batch(
                "data_batch_4.bin",
                Split::Train,
                Digest::Sha256("014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
            ),
            batch(
                "data_batch_5.bin",
                Split::Train,
                Digest::Sha256("755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
            ),
            batch(
                "test_batch.bin",
                Split::Test,
                Digest::Sha256("8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
            ),
        ],
    },
    python: Package {
        form: Form::Python,
        archive: "cifar-10-python.tar.gz",
        folder: "cifar-10-batches-py",
        members: &[
            batch("data_batch_1", Split::Train, Digest::Md5("c99cafc152244af753f735de768cd75f")),
            batch("data_batch_2", Split::Train, Digest::Md5("d4bba439e000b95fd0a9bffe97cbabec")),
            batch("data_batch_3", Split::Train, Digest::Md5("54ebc095f3ab1f0389bbae665268c751")),
            batch("data_batch_4", Split::Train, Digest::Md5("634d18415352ddfa80567beed471001a")),
            batch("data_batch_5", Split::Train, Digest::Md5("482c414d41f54cd18b22e5b47cb7c3cb")),
            batch("test_batch", Split::Test, Digest::Md5("40351d587109b95175f43aff81a1287e")),
        ],
    },
    labels: &[LabelByte { meaning: "label", classes: 10 }],
    python_labels: "labels",
};

/// CIFAR-100, labelled with its 100 fine classes.
pub static CIFAR100: Published = Published {
    name: "CIFAR100",
    address: "https://www.cs.toronto.edu/~kriz/",
    archive_md5: "03b5dce01913d631647c71ecec9e9cb8",
    binary: Package {
        form: Form::Binary,
        archive: "cifar-100-binary.tar.gz",
        folder: "cifar-100-binary",
        members: &[
            Member {
                file: "train.bin",
                split: Split::Train,
                records: 50_000,
                digest: Digest::Sha1("e207cd2e05b73b1393c74c7f5e7bea451d63e08e"),
            },
            Member {
                file: "test.bin",
                split: Split::Test,
                records: 10_000,
                digest: Digest::Sha1("8fb6623e830365ff53cf14adec797474f5478006"),
            },
        ],
    },
    python: Package {
        form: Form::Python,
        archive: "cifar-100-python.tar.gz",
        folder: "cifar-100-python",
        members: &[
            Member {
                file: "train",
                split: Split::Train,
                records: 50_000,
                digest: Digest::Md5("16019d7e3df5f24257cddd939b257f8d"),
            },
            Member {
                file: "test",
                split: Split::Test,
                records: 10_000,
                digest: Digest::Md5("f0ef6b0ae62326f3e7ffdfab6717acfc"),
            },
        ],
    },
    labels: &[LabelByte { meaning: "coarse label", classes: 20 }, LabelByte { meaning: "fine label", classes: 100 }],
    python_labels: "fine_labels",
};
