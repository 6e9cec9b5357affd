//! `dataset.options`.

use crate::presentation::{Function, Window};
use schemars::JsonSchema;
use selfsame_plugin_api::{OptionSpec, PluginError, Result, option_specs, read_options};
use selfsame_tables::policy::{Policy, Renamed, in_todays_words};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// Words of earlier versions.
const RENAMED: [Renamed; 2] = [
    Renamed { option: "unmatched", earlier: "leave_out", now: "skip" },
    Renamed { option: "damaged", earlier: "leave_out", now: "skip" },
];

/// Most windows of an image.
const MOST_WINDOWS: usize = 16;

/// From modality units to grey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Voi {
    /// As the file says: its VOI lookup table, else its window, else from minimum to maximum.
    #[default]
    Window,
    /// From the 0.5th to the 99.5th percentile.
    Percentile,
    /// From minimum to maximum.
    Minmax,
    /// All values that the stored bits can express.
    None,
}

/// Channels of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Color {
    #[default]
    Grey,
    Rgb,
}

/// Which frames of a file are samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Frames {
    All,
    #[default]
    Middle,
}

/// What the rows of a table call files by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdKind {
    /// Relative to the data set's folder.
    Path,
    FileName,
    /// The file name without its ending.
    FileStem,
    /// SOP Instance UID.
    Instance,
    /// All files of a patient.
    Patient,
}

impl IdKind {
    /// As `id_kind` has it.
    pub fn name(self) -> &'static str {
        match self {
            IdKind::Path => "path",
            IdKind::FileName => "file_name",
            IdKind::FileStem => "file_stem",
            IdKind::Instance => "instance",
            IdKind::Patient => "patient",
        }
    }

    /// Whether it is the name of a file, in which a backslash may stand for a slash.
    pub fn is_name(self) -> bool {
        matches!(self, IdKind::Path | IdKind::FileName | IdKind::FileStem)
    }

    /// For a sentence.
    pub fn words(self) -> &'static str {
        match self {
            IdKind::Path => "path",
            IdKind::FileName => "file name",
            IdKind::FileStem => "file name without ending",
            IdKind::Instance => "SOP Instance UID",
            IdKind::Patient => "patient id",
        }
    }
}

/// The labels of `RSNAKaggle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    #[default]
    Binary,
    Detailed,
}

/// How pixels are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderOptions {
    pub voi: Voi,
    pub color: Color,
    pub bit_depth: u8,
}

/// What the images of a data set show.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    pub pixels: RenderOptions,
    /// A channel for each of these, whatever the files say, instead of `voi` and `color`; usually none.
    pub windows: Vec<Window>,
}

impl Look {
    /// What of a file's own way to grey is looked at: nothing of it beside `windows`.
    pub fn voi(&self) -> Voi {
        if self.windows.is_empty() { self.pixels.voi } else { Voi::None }
    }

    /// Channels of an image.
    pub fn channels(&self) -> usize {
        match (self.windows.len(), self.pixels.color) {
            (0, Color::Grey) => 1,
            (0, Color::Rgb) => 3,
            (count, _) => count,
        }
    }

    /// `bit_depth` is 8 or 16.
    fn checked(voi: Option<Voi>, windows: Option<Vec<[f64; 2]>>, color: Option<Color>, bit_depth: u8) -> Result<Self> {
        let wrong = |message: String| Err(PluginError::configuration(message));
        let given = [("voi", voi.is_some()), ("color", color.is_some())];
        if let Some((option, _)) = given.iter().find(|(_, is_given)| windows.is_some() && *is_given) {
            return wrong(format!("write option `windows` or `{option}`, not both"));
        }
        if let Some(count) = windows.as_ref().map(Vec::len).filter(|count| !(1..=MOST_WINDOWS).contains(count)) {
            return wrong(format!(
                "option `windows` has {count} windows, expected 1 to {MOST_WINDOWS}, each a centre and a width"
            ));
        }
        let window = |[center, width]: [f64; 2]| Window { center, width, function: Function::Linear };
        let windows: Vec<Window> = windows.into_iter().flatten().map(window).collect();
        if let Some(Window { width, .. }) = windows.iter().find(|window| window.width < 1.0) {
            return wrong(format!("option `windows` has a width of {width}, expected at least 1"));
        }
        let pixels = RenderOptions { voi: voi.unwrap_or_default(), color: color.unwrap_or_default(), bit_depth };
        Ok(Self { pixels, windows })
    }
}

/// The options of `RSNAKaggle`.
#[derive(Debug, Clone)]
pub struct Rsna {
    pub labels: Labels,
    pub unmatched: Policy,
    pub test_fraction: f64,
    pub look: Look,
}

/// What both have.
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
struct Shared {
    /// Rows of the CSV without a file or without a label, and files without a row; both words name them.
    unmatched: Policy,
    /// From stored values to grey: `window`: the file's VOI lookup table, else its first window, else as minmax;
    /// `percentile`: the 0.5th to the 99.5th percentile; `minmax`; `none`: all that the stored bits can express; without it,
    /// `window`.
    voi: Option<Voi>,
    /// Windows, each a centre and a width in the units of the file (Hounsfield units of CT), instead of `voi` and `color`:
    /// each is a channel of the image, which must be grey: `[[40, 400], [-600, 1500], [400, 1800]]`.
    windows: Option<Vec<[f64; 2]>>,
    /// `grey`: colour becomes its luminance (ITU-R BT.601); `rgb`: grey is repeated in three channels; without it, `grey`.
    color: Option<Color>,
    /// Bits of a value.
    #[schemars(extend("enum" = [8, 16]))]
    bit_depth: u8,
}

impl Default for Shared {
    fn default() -> Self {
        Self { unmatched: Policy::default(), voi: None, windows: None, color: None, bit_depth: 8 }
    }
}

impl Shared {
    fn look(self) -> Result<Look> {
        Look::checked(self.voi, self.windows, self.color, self.bit_depth)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(default)]
struct RawRsna {
    /// `binary`: Normal and Opacity; `detailed`: the three classes of stage_2_detailed_class_info.csv.
    labels: Labels,
    /// Part of the patients, chosen by a hash of their ids, that is the test split.
    #[schemars(extend("minimum" = 0, "maximum" = 0.9))]
    test_fraction: f64,
    #[serde(flatten)]
    shared: Shared,
}

impl Default for RawRsna {
    fn default() -> Self {
        Self { labels: Labels::default(), test_fraction: 0.1, shared: Shared::default() }
    }
}

/// The options of `DicomFolder`.
#[derive(Debug, Clone)]
pub struct Folder {
    pub csv: Option<PathBuf>,
    pub id_column: Option<String>,
    /// None: the kind by which the most rows have a file.
    pub id_kind: Option<IdKind>,
    pub label_column: Option<String>,
    pub split_column: Option<String>,
    pub group_column: Option<String>,
    pub frames: Frames,
    pub unmatched: Policy,
    pub damaged: Policy,
    /// None: 0.1 with labels, 0 without.
    pub test_fraction: Option<f64>,
    pub look: Look,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct RawFolder {
    /// A CSV file, absolute or relative to dataset.dataset_dir; without it there are no labels.
    csv: Option<PathBuf>,
    /// The CSV's column of relative paths, file names (with or without ending), SOP Instance UIDs or patient ids; without it,
    /// the first.
    id_column: Option<String>,
    /// What its ids are: `path`, `file_name`, `file_stem`, `instance` or `patient`; without it, the kind by which the most rows
    /// have a file.
    id_kind: Option<IdKind>,
    /// The CSV's column of classes; without it there are no labels.
    label_column: Option<String>,
    /// The CSV's column of `train`, `val` and `test`.
    split_column: Option<String>,
    /// The CSV's column of patients; without it, Patient ID, else Study, else Series Instance UID of each file.
    group_column: Option<String>,
    /// Of a file with several frames: the one in the middle, or all.
    frames: Frames,
    /// DICOM files whose header cannot be read.
    damaged: Policy,
    /// Part of the patients, chosen by a hash of their ids, that is the test split where no column says it; without it, 0.1
    /// with labels and 0 without.
    #[schemars(extend("minimum" = 0, "maximum" = 0.9))]
    test_fraction: Option<f64>,
    #[serde(flatten)]
    shared: Shared,
}

/// The known options of `RSNAKaggle`.
pub fn rsna() -> Vec<OptionSpec> {
    option_specs::<RawRsna>()
}

/// The known options of `DicomFolder`.
pub fn folder() -> Vec<OptionSpec> {
    option_specs::<RawFolder>()
}

impl Rsna {
    /// Reads `dataset.options`.
    pub fn parse(options: &Value) -> Result<Self> {
        let raw: RawRsna = read_options(&in_todays_words(options, &RENAMED))?;
        Ok(Self {
            labels: raw.labels,
            unmatched: raw.shared.unmatched,
            test_fraction: raw.test_fraction,
            look: raw.shared.look()?,
        })
    }
}

impl Folder {
    /// Reads `dataset.options`.
    pub fn parse(options: &Value) -> Result<Self> {
        let raw: RawFolder = read_options(&in_todays_words(options, &RENAMED))?;
        let of_the_csv = [
            ("id_column", raw.id_column.is_some()),
            ("id_kind", raw.id_kind.is_some()),
            ("label_column", raw.label_column.is_some()),
            ("split_column", raw.split_column.is_some()),
            ("group_column", raw.group_column.is_some()),
        ];
        for (name, is_given) in of_the_csv {
            if is_given && raw.csv.is_none() {
                return Err(PluginError::configuration(format!("option `{name}` needs the option `csv`")));
            }
        }
        if raw.split_column.is_some() && raw.test_fraction.is_some() {
            let message = "options `split_column` and `test_fraction` both say what the test split is; give one";
            return Err(PluginError::configuration(message));
        }
        Ok(Self {
            csv: raw.csv,
            id_column: raw.id_column,
            id_kind: raw.id_kind,
            label_column: raw.label_column,
            split_column: raw.split_column,
            group_column: raw.group_column,
            frames: raw.frames,
            unmatched: raw.shared.unmatched,
            damaged: raw.damaged,
            test_fraction: raw.test_fraction,
            look: raw.shared.look()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_says_what_it_means() {
        let (folder, rsna) = (folder(), rsna());
        let help = |specs: &[OptionSpec], name: &str| specs.iter().find(|spec| spec.name == name).unwrap().help.clone();
        assert!(folder.iter().chain(&rsna).all(|spec| spec.help.len() > 20), "{folder:?} {rsna:?}");
        assert_eq!((folder.len(), rsna.len()), (14, 7));
        assert!(help(&rsna, "test_fraction").ends_with("; 0 to 0.9; default 0.1"), "{}", help(&rsna, "test_fraction"));
        assert!(help(&rsna, "bit_depth").ends_with("; 8 or 16; default 8"), "{}", help(&rsna, "bit_depth"));
        assert!(help(&folder, "frames").ends_with("default `middle`"), "{}", help(&folder, "frames"));
        assert!(help(&folder, "unmatched").ends_with("default `stop`"), "{}", help(&folder, "unmatched"));
    }
}
