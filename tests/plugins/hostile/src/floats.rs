use selfsame_plugin_api::{Dataset, Image, Result, Samples, Services, Split, Targets};

pub struct Floats {
    pub fault: String,
}

impl Dataset for Floats {
    fn prepare(&self, _: &dyn Services) -> Result<()> {
        Ok(())
    }

    fn open(&self, _: Split) -> Result<Box<dyn Samples>> {
        Ok(Box::new(Floats { fault: self.fault.clone() }))
    }
}

impl Samples for Floats {
    fn len(&self) -> usize {
        3
    }

    fn targets(&self) -> Targets {
        Targets::None
    }

    /// Image `i` holds the values `i / 8, (i + 1) / 8, …`.
    fn read(&self, indices: &[usize]) -> Result<Vec<Image>> {
        let last = match self.fault.as_str() {
            "nan" => f32::NAN,
            "range" => 255.0,
            _ => 1.0,
        };
        let image = |&index: &usize| {
            let values = (0..7).map(|at| (index % 2 + at) as f32 / 8.0).chain([last]);
            Image { channels: 4, height: 1, width: 2, bit_depth: 32, data: values.flat_map(f32::to_le_bytes).collect() }
        };
        Ok(indices.iter().map(image).collect())
    }
}
