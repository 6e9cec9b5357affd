use crate::meet::meet;
use selfsame_plugin_api::{Image, PluginError, ReadHints, Result, Samples, Targets};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};

/// Image `i` holds the bytes `4i .. 4i + 4`.
static PIXELS: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Images read so far, of all instances.
static READS: AtomicU8 = AtomicU8::new(0);

pub struct Four {
    pub fault: String,
}

impl Four {
    fn wrong(&self, what: &str) -> bool {
        self.fault.strip_prefix("wrong:") == Some(what)
    }

    fn names(&self) -> Vec<String> {
        ["a", "b", "c", "d"][..self.count()].iter().map(|name| name.to_string()).collect()
    }

    /// Samples that there are.
    fn count(&self) -> usize {
        match self.fault.as_str() {
            "len:0" => 0,
            "len:1" => 1,
            _ => 4,
        }
    }
}

impl Samples for Four {
    fn len(&self) -> usize {
        meet(&self.fault, "len");
        match self.fault.as_str() {
            "wrong:len" => usize::MAX,
            _ => self.count(),
        }
    }

    fn targets(&self) -> Targets {
        meet(&self.fault, "targets");
        match self.fault.as_str() {
            "wrong:targets" => Targets::Classes(vec![0, 1, 0]),
            "wrong:class" => Targets::Classes(vec![0, 1, 0, 2]),
            "wrong:negative" => Targets::Classes(vec![0, -1, 0, 1]),
            "wrong:largest" => Targets::Classes(vec![0, 1, i64::MAX, 1]),
            "wrong:task" => Targets::Multilabel(vec![0; 8]),
            "wrong:least" => Targets::Classes(vec![i64::MIN, 1, 0, 1]),
            _ => Targets::Classes([0, 1, 0, 1][..self.count()].to_vec()),
        }
    }

    fn groups(&self) -> Option<Vec<String>> {
        meet(&self.fault, "groups");
        Some(if self.wrong("groups") { Vec::new() } else { self.names() })
    }

    fn ids(&self) -> Option<Vec<String>> {
        meet(&self.fault, "ids");
        Some(if self.wrong("ids") { vec!["a".into(); 4] } else { self.names() })
    }

    fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
        meet(&self.fault, "read");
        let image = |&index: &usize| Image {
            channels: match self.fault.as_str() {
                "wrong:channels" => 3,
                "wrong:no_channels" => 0,
                _ => 1,
            },
            height: match self.fault.as_str() {
                "wrong:height" => 0,
                "wrong:overflow" => usize::MAX,
                _ => 2,
            },
            width: 2,
            bit_depth: match self.fault.as_str() {
                "wrong:depth" => 16,
                "wrong:no_depth" => 0,
                _ => 8,
            },
            data: match self.fault.as_str() {
                "wrong:bytes" => PIXELS[4 * index..][..3].to_vec(),
                "wrong:long" => PIXELS.to_vec(),
                "wrong:empty" => Vec::new(),
                _ => PIXELS[4 * index..][..4].to_vec(),
            },
        };
        let mut images: Vec<_> = indices.iter().map(image).collect();
        match self.fault.as_str() {
            "wrong:count" => drop(images.pop()),
            "wrong:twice" => images.extend(indices.iter().map(image)),
            "wrong:order" => images.reverse(),
            "wrong:unstable" => images[0].data[0] = READS.fetch_add(1, Ordering::Relaxed),
            _ => {}
        }
        Ok(images)
    }

    fn read_with(&self, indices: &[usize], hints: &ReadHints) -> Result<Vec<Image>> {
        let images = self.read(indices)?;
        match hints.least_side {
            Some(least) if self.wrong("hints") => Err(PluginError::data(format!("asked for {least} pixels at least"))),
            _ => Ok(images),
        }
    }

    fn fingerprint(&self) -> Option<String> {
        meet(&self.fault, "fingerprint");
        match self.fault.as_str() {
            "fingerprint:empty" => Some(String::new()),
            "fingerprint:path" => Some("../../\0/\x1b[2J".into()),
            "fingerprint:huge" => Some("x".repeat(10 << 20)),
            "fingerprint:changing" => Some(READS.fetch_add(1, Ordering::Relaxed).to_string()),
            _ => None,
        }
    }

    fn facts(&self, _: usize) -> Result<BTreeMap<String, String>> {
        meet(&self.fault, "facts");
        match self.wrong("facts") {
            true => Err(PluginError::data("the header is cut off")),
            false => Ok(BTreeMap::from([("codec".to_owned(), "plain".to_owned())])),
        }
    }

    fn block(&self) -> Option<&[u8]> {
        meet(&self.fault, "block");
        match self.fault.as_str() {
            "wrong:block" => Some(&PIXELS[..15]),
            // Those are about reading.
            fault if fault.starts_with("fingerprint:") => None,
            _ => Some(&PIXELS[..4 * self.count()]),
        }
    }
}
