//! Gratings, level or upright, in IDX files; a CSV file says of which patient each image is. An example of a data set.

use schemars::JsonSchema;
use selfsame_plugin_api::{
    Card, Dataset, DatasetRequest, InMemory, PluginError, Result, Samples, Services, Split, export_plugin, files,
};
use selfsame_tables::Table;
use serde::Deserialize;
use std::path::{Path, PathBuf};

export_plugin! {
    datasets: { "gratings" => (card, create) },
}

const SIZE: usize = 16;

/// `dataset.options`.
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
struct Options {
    /// The largest number of images of a split.
    #[schemars(range(min = 2))]
    limit: usize,
    /// Whether images of one patient stay together.
    patients: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { limit: 10_000, patients: true }
    }
}

fn card(name: &str) -> Card {
    Card::new(name, "Level and upright gratings")
        .images(1, 8, (SIZE, SIZE))
        .classes(["level", "upright"])
        .splits([Split::Train, Split::Test])
        .normalization([0.44], [0.19])
        .licence("CC0")
        .options::<Options>()
        .recommended(serde_json::json!({ "augmentation": { "use_random_crop": true } }))
}

fn create(request: &DatasetRequest) -> Result<Box<dyn Dataset>> {
    Ok(Box::new(Gratings { folder: request.folder(), options: request.options()? }))
}

struct Gratings {
    folder: PathBuf,
    options: Options,
}

impl Dataset for Gratings {
    fn prepare(&self, services: &dyn Services) -> Result<()> {
        let names = ["train-images", "train-labels", "test-images", "test-labels"];
        for (done, name) in names.iter().enumerate() {
            services.items("looking for files", done as u64, Some(names.len() as u64))?;
            files::open(&self.folder.join(format!("{name}.idx")))?;
        }
        Ok(())
    }

    fn open(&self, split: Split) -> Result<Box<dyn Samples>> {
        let path = |what: &str| self.folder.join(format!("{}-{what}.idx", split.name()));
        let (mut pixels, mut labels) = (idx(&path("images"), 3)?, idx(&path("labels"), 1)?);
        labels.truncate(self.options.limit);
        pixels.truncate(labels.len() * SIZE * SIZE);
        let mut samples = InMemory::new(pixels, 8, [1, SIZE, SIZE])?;
        if self.options.patients {
            let table = Table::open(&self.folder.join("patients.csv"))?;
            let [of, patient] = [table.own_column("split")?, table.own_column("patient")?];
            let rows = table.rows(&[of, patient])?;
            let own = rows.iter().filter(|row| row.cell(of) == split.name()).take(labels.len());
            samples = samples.with_groups(own.map(|row| row.cell(patient).to_owned()).collect());
        }
        Ok(Box::new(samples.with_classes(labels.into_iter().map(i64::from).collect())))
    }
}

/// The bytes of an IDX file, whose header is `0 0 8 dimensions`, then their lengths (32 bits, big-endian).
fn idx(path: &Path, dimensions: usize) -> Result<Vec<u8>> {
    let mut bytes = files::read(path)?;
    let header = 4 + 4 * dimensions;
    if bytes.len() < header || bytes[..4] != [0, 0, 8, dimensions as u8] {
        let message = format!("{}: expected an IDX file of bytes in {dimensions} dimensions", path.display());
        return Err(PluginError::data(message));
    }
    Ok(bytes.split_off(header))
}
