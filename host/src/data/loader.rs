//! From a plugin's samples to a source: decoded once, kept where they fit.

use super::decode::{Damaged, Decoder, lock};
use super::depth::Depth;
use super::error::DataError;
use super::flat::Flat;
use super::packed::{OnDisk, Packed, canvas};
use super::reduce::reduced_size;
use super::size::Size;
use super::source::{Pixels, Source, labels};
use super::store::{EntryKey, Place, Store, Writer};
use crate::config::schema::{CachePlace, Config, OnError, StoreRule, StoreSize};
use crate::{memory, native};
use indicatif::DecimalBytes;
use selfsame_plugin_api::{Card, ErrorKind, Image, Samples, Services, Split};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tch::{Device, Tensor};

/// Pixels may take this share of the device's free memory.
const DEVICE_SHARE: f64 = 0.5;
/// Where more than one in so many samples cannot be read, something else is wrong than single files.
const DAMAGED_SHARE: usize = 2;

/// How the splits of one data set are loaded.
pub struct Loader<'a> {
    /// Facts about the data set.
    pub card: &'a Card,
    /// Length that images' shorter sides are reduced to; none keeps all pixels.
    pub side: Option<usize>,
    /// Folder of the packed cache.
    pub cache_dir: PathBuf,
    /// Where pixels live.
    pub place: CachePlace,
    /// The device that batches are needed on.
    pub device: Device,
    /// What happens to samples that cannot be read.
    pub on_error: OnError,
    /// Threads that read samples.
    pub workers: usize,
    /// Shows the progress, and knows whether the user wants to stop.
    pub services: &'a dyn Services,
}

/// The length that images' shorter sides are reduced to, in pixels; none keeps all pixels.
///
/// The automatic rule keeps what the most demanding view needs: `s / √a` pixels, where `s` is the view's size (else
/// `preprocess.resize`, else the shorter nominal side) and `a` the smallest share of the area that its random crop takes: the
/// smallest crop then has as many pixels as the view made of it. The factor is kept in [1.25, 2], the result rounded up to a
/// multiple of 32. Evaluation is a view without a crop.
pub fn store_side(config: &Config, card: &Card) -> Option<usize> {
    match config.data.store_size {
        StoreSize::Pixels(side) => Some(side),
        StoreSize::Rule(StoreRule::Original) => None,
        StoreSize::Rule(StoreRule::Auto) => {
            let common = config.preprocess.resize.unwrap_or(Size::nominal(card).shorter());
            let needed = |side: usize, share: f64| side as f64 * (1.0 / share.sqrt()).clamp(1.25, 2.0);
            let views = config.augmentation.resolved_views().unwrap_or_default();
            let crops = views.iter().map(|view| {
                let crop = view.settings.use_random_crop.then_some(view.settings.random_crop.scale[0]);
                needed(view.size.unwrap_or(common), crop.unwrap_or(1.0))
            });
            let side = crops.fold(needed(common, 1.0), f64::max).ceil() as usize;
            Some(side.next_multiple_of(32))
        }
    }
}

impl Loader<'_> {
    /// The samples at `indices` of a split, in that order, less those `left_out` by the run that goes on, whether they can
    /// be read by now or not, and less those that cannot be read where the configuration says `skip`. Which samples a
    /// part has is decided before: what is left out changes no other sample's place in a split.
    ///
    /// # Errors
    /// Samples that cannot be read; more pixels than fit where they were asked for; a cache folder that cannot be used.
    pub fn load(
        &self,
        split: Split,
        samples: &Arc<dyn Samples>,
        indices: &[usize],
        left_out: &[Damaged],
    ) -> Result<Source, DataError> {
        let is_left_out = |index: &usize| left_out.iter().any(|sample| sample.index == *index);
        let asked = indices.len();
        let indices = &indices.iter().copied().filter(|index| !is_left_out(index)).collect::<Vec<_>>();
        let fingerprint = samples.fingerprint();
        if self.place == CachePlace::Disk && fingerprint.is_none() {
            let message = "has no fingerprint, so that its images cannot be kept on disk; `data.cache` can be `auto`, \
                           `device` or `host`";
            return Err(DataError::configuration(&self.card.name, message));
        }
        let mut loaded = match (samples.block(), fingerprint) {
            (Some(block), _) if self.place != CachePlace::Disk => self.copied(samples.as_ref(), block, indices)?,
            (_, Some(fingerprint)) => self.cached(split, samples, fingerprint, indices)?,
            _ => self.decoded(split, samples, indices)?,
        };
        loaded.damaged.extend_from_slice(left_out);
        loaded.damaged.sort_by_key(|sample| sample.index);
        self.report(split, &loaded.damaged, asked)?;
        loaded.flat.sort_by_key(|sample| sample.index);
        let sizes = &loaded.sizes;
        let size = if sizes.is_empty() { Size::nominal(self.card) } else { canvas(sizes) };
        let labels = labels(self.card, &samples.targets(), &loaded.kept);
        let device = match &loaded.pixels {
            Pixels::Tensor(pixels) => pixels.device(),
            Pixels::Packed(_) => Device::Cpu,
        };
        let labels = labels.map(|labels| labels.f_to_device(device)).transpose();
        Ok(Source {
            dataset: self.card.name.clone(),
            size,
            uniform: sizes.iter().all(|each| *each == size),
            labels: labels.map_err(|error| DataError::memory(&self.card.name, &error))?,
            ids: loaded.kept.iter().map(|&index| index as i64).collect(),
            damaged: loaded.damaged,
            flat: loaded.flat,
            pixels: loaded.pixels,
        })
    }

    /// Pixels that the plugin has in one block already, taken as they are.
    fn copied(&self, samples: &dyn Samples, block: &[u8], indices: &[usize]) -> Result<Loaded, DataError> {
        let size = Size::nominal(self.card);
        let bytes = self.card.channels * size.area();
        self.ensure_fits(indices.len() * bytes)?;
        let mut pixels = Vec::with_capacity(indices.len() * bytes);
        let mut flat = Vec::new();
        for &index in indices {
            let image = &block[index * bytes..][..bytes];
            pixels.extend_from_slice(image);
            if size.area() > 1 && image.chunks(size.area()).all(|plane| plane.iter().all(|value| *value == plane[0])) {
                flat.push(Flat::new(index, samples));
            }
        }
        let pixels = self.tensor(&pixels, indices.len(), size)?;
        let sizes = vec![size; indices.len().min(1)];
        Ok(Loaded { pixels: Pixels::Tensor(pixels), sizes, kept: indices.to_vec(), damaged: Vec::new(), flat })
    }

    /// Samples without a fingerprint, decoded into memory.
    fn decoded(&self, split: Split, samples: &Arc<dyn Samples>, indices: &[usize]) -> Result<Loaded, DataError> {
        let nominal = Size::nominal(self.card);
        let size = self.side.map_or(nominal, |side| reduced_size(nominal, side));
        self.ensure_fits(indices.len() * self.card.channels * size.area() * Depth::of(self.card).bytes())?;
        let place_of = places(indices);
        let slots: Vec<Mutex<Option<Image>>> = indices.iter().map(|_| Mutex::new(None)).collect();
        let damaged = Mutex::new(Vec::new());
        self.decoder(split, samples.as_ref()).run(indices, |chunk| {
            for (index, image) in chunk {
                match image {
                    Ok(image) => *lock(&slots[place_of[&index]]) = Some(image),
                    Err(sample) => lock(&damaged).push(self.bearable(sample)?),
                }
            }
            Ok(())
        })?;
        let mut kept = Vec::with_capacity(indices.len());
        let (mut sizes, mut pixels, mut flat) = (Vec::new(), Vec::new(), Vec::new());
        for (&index, slot) in indices.iter().zip(slots) {
            let Some(image) = lock(&slot).take() else { continue };
            kept.push(index);
            flat.extend(image.is_flat().then(|| Flat::new(index, samples.as_ref())));
            sizes.push(Size::from(&image));
            pixels.extend(image.data);
        }
        let damaged = std::mem::take(&mut *lock(&damaged));
        let pixels = self.held(sizes.clone(), pixels)?;
        Ok(Loaded { pixels, sizes, kept, damaged, flat })
    }

    /// Samples with a fingerprint: decoded into the packed cache once, then read from there.
    fn cached(
        &self,
        split: Split,
        samples: &Arc<dyn Samples>,
        fingerprint: String,
        indices: &[usize],
    ) -> Result<Loaded, DataError> {
        let key = EntryKey {
            dataset: self.card.name.clone(),
            split: split.name().into(),
            fingerprint,
            store_size: self.side,
            channels: self.card.channels,
            bit_depth: Depth::of(self.card),
            samples: samples.len(),
        };
        let mut store = Store::open(&self.cache_dir, key)?;
        self.complete(&mut store, split, samples.as_ref(), indices)?;
        let missing = indices.iter().find(|&&index| store.place(index).is_none() && store.damage(index).is_none());
        if let Some(index) = missing {
            let message = format!("sample {index} was stored in {} and is not there", store.folder().display());
            return Err(DataError::data(&self.card.name, message + "; is the folder written by something else?"));
        }
        let kept: Vec<usize> = indices.iter().copied().filter(|&index| store.place(index).is_some()).collect();
        let damaged: Vec<Damaged> = indices.iter().filter_map(|&index| store.damage(index).cloned()).collect();
        let flat = |&index: &usize| -> Option<Flat> {
            store.place(index).filter(|place| place.is_flat)?;
            let known = store.cause(index).map(|cause| Flat { index, cause: cause.to_owned() });
            Some(known.unwrap_or_else(|| Flat::new(index, samples.as_ref())))
        };
        let flat = kept.iter().filter_map(flat).collect();
        let places: Vec<(usize, Place)> = kept.iter().filter_map(|&index| Some((index, store.place(index)?))).collect();
        let sizes: Vec<_> = places.iter().map(|(_, place)| place.size).collect();
        let bytes = places.iter().map(|(_, place)| store.bytes(place)).sum();
        let in_memory = self.place != CachePlace::Disk && fits(bytes);
        if !in_memory && matches!(self.place, CachePlace::Host | CachePlace::Device) {
            self.ensure_fits(bytes)?;
        }
        let entry = OnDisk { store, card: self.card.clone(), samples: Arc::clone(samples), side: self.side, places };
        let pixels = if in_memory {
            self.held(sizes.clone(), self.read_all(split, entry, bytes)?)?
        } else {
            let folder = entry.store.folder().display();
            let size = DecimalBytes(bytes as u64);
            tracing::info!("{} {}: {size} of pixels stay on disk, in {folder}", self.card.name, split.name());
            Pixels::Packed(Arc::new(Packed::on_disk(entry)))
        };
        Ok(Loaded { pixels, sizes, kept, damaged, flat })
    }

    /// Decodes what the store lacks of `indices`. Samples that could not be read before are tried again, since a network or a
    /// permission may have been the reason; where the store cannot be written, they count as before.
    fn complete(
        &self,
        store: &mut Store,
        split: Split,
        samples: &dyn Samples,
        indices: &[usize],
    ) -> Result<(), DataError> {
        let wanted = |store: &Store| -> Vec<usize> {
            let mut wanted: Vec<_> = indices.iter().copied().filter(|&index| store.place(index).is_none()).collect();
            wanted.sort_unstable();
            wanted
        };
        let missing = wanted(store);
        let known = self.on_error == OnError::Skip && missing.iter().all(|&index| store.damage(index).is_some());
        if missing.is_empty() {
            return Ok(());
        }
        let writer = match store.writer(self.services) {
            Err(error) if known && error.kind != ErrorKind::Cancelled => return Ok(()),
            writer => writer?,
        };
        let missing = wanted(store);
        if missing.len() < indices.len() {
            let (name, there) = (&self.card.name, indices.len() - missing.len());
            tracing::info!("{name} {}: {there} of {} samples are decoded already", split.name(), indices.len());
        }
        self.fill(writer, split, samples, &missing)?;
        store.refresh()
    }

    fn fill(&self, writer: Writer, split: Split, samples: &dyn Samples, missing: &[usize]) -> Result<(), DataError> {
        let writer = Mutex::new(writer);
        let filled = self.decoder(split, samples).run(missing, |chunk| {
            let (mut images, mut damaged) = (Vec::with_capacity(chunk.len()), Vec::new());
            let mut flat = Vec::new();
            for (index, image) in chunk {
                match image {
                    Ok(image) => {
                        flat.extend(image.is_flat().then(|| Flat::new(index, samples)));
                        images.push((index, image));
                    }
                    Err(sample) => damaged.push(sample),
                }
            }
            let mut writer = lock(&writer);
            writer.append(&images)?;
            writer.damaged(damaged.iter().cloned());
            writer.flat(flat);
            damaged.into_iter().try_for_each(|sample| self.bearable(sample).map(drop))
        });
        // What was decoded stays, whatever ended the decoding.
        let finished = writer.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).finish();
        filled.and(finished)
    }

    /// All images of an entry, one after another; those whose checksum does not fit are decoded again, and kept so.
    fn read_all(&self, split: Split, mut entry: OnDisk, bytes: usize) -> Result<Vec<u8>, DataError> {
        let mut pixels = vec![0; bytes];
        let (mut start, mut spoilt) = (0, Vec::new());
        for (sample, place) in &entry.places {
            let end = start + entry.store.bytes(place);
            if !entry.store.read(place, &mut pixels[start..end])? {
                spoilt.push((*sample, start..end));
            }
            start = end;
        }
        if spoilt.is_empty() {
            return Ok(pixels);
        }
        let (name, folder) = (&self.card.name, entry.store.folder().display());
        tracing::warn!("{name}: {} images in the packed cache {folder} are damaged, and decoded again", spoilt.len());
        let decoder = self.decoder(split, entry.samples.as_ref());
        let mut decoded = Vec::with_capacity(spoilt.len());
        for (sample, range) in spoilt {
            let image = decoder.read_again(sample)?;
            if image.data.len() != range.len() {
                let message =
                    format!("sample {sample} has another size than when it was first read; its files changed");
                return Err(DataError::data(name, message));
            }
            pixels[range].copy_from_slice(&image.data);
            decoded.push((sample, image));
        }
        let kept = entry.store.writer(self.services).and_then(|mut writer| {
            writer.append(&decoded)?;
            writer.finish()
        });
        match kept {
            Err(error) if error.kind != ErrorKind::Cancelled => {
                tracing::warn!("{error}; the next run decodes them again")
            }
            kept => kept?,
        }
        Ok(pixels)
    }

    /// Images in memory: as one tensor where all have one size, on the device where they fit there.
    fn held(&self, sizes: Vec<Size>, pixels: Vec<u8>) -> Result<Pixels, DataError> {
        let size = sizes.first().copied().unwrap_or(Size::nominal(self.card));
        if sizes.iter().all(|each| *each == size) {
            return Ok(Pixels::Tensor(self.tensor(&pixels, sizes.len(), size)?));
        }
        if self.place == CachePlace::Device {
            let name = &self.card.name;
            tracing::warn!(
                "{name}: images of unequal sizes stay in the host's memory; `data.cache: device` needs one size"
            );
        }
        Ok(Pixels::Packed(Arc::new(Packed::in_memory(self.card, sizes, pixels))))
    }

    fn tensor(&self, pixels: &[u8], count: usize, size: Size) -> Result<Tensor, DataError> {
        let shape = [count as i64, self.card.channels as i64, size.height as i64, size.width as i64];
        let device = match (self.place, self.device) {
            (CachePlace::Auto, Device::Cuda(index)) => self.roomy(index, pixels.len())?,
            (CachePlace::Auto | CachePlace::Device, device) => device,
            (CachePlace::Host | CachePlace::Disk, _) => Device::Cpu,
        };
        // 16-bit pixels are little-endian, as this machine's.
        let kind = Depth::of(self.card).kind();
        let tensor = Tensor::f_from_data_size(pixels, &shape, kind).and_then(|tensor| tensor.f_to_device(device));
        tensor.map_err(|error| DataError::memory(&self.card.name, &error))
    }

    /// GPU `index` where so many bytes of pixels take less than half of its free memory, otherwise the host.
    fn roomy(&self, index: usize, bytes: usize) -> Result<Device, DataError> {
        let name = &self.card.name;
        let free = native::cuda_free(index).map_err(|error| DataError::device(name, &error.to_string()))?;
        let fits = (bytes as f64) < DEVICE_SHARE * free as f64;
        let place = if fits { "on the GPU" } else { "in the host's memory" };
        let (bytes, free) = (bytes as f64 / 1e6, free as f64 / 1e6);
        tracing::info!("{name}: {bytes:.0} MB of pixels are kept {place}; GPU {index} has {free:.0} MB free");
        Ok(if fits { Device::Cuda(index) } else { Device::Cpu })
    }

    fn decoder<'a>(&'a self, split: Split, samples: &'a dyn Samples) -> Decoder<'a> {
        let what = format!("decode {} {}", self.card.name, split.name());
        Decoder { card: self.card, samples, side: self.side, workers: self.workers, services: self.services, what }
    }

    /// A sample that may be left out.
    fn bearable(&self, sample: Damaged) -> Result<Damaged, DataError> {
        match self.on_error {
            OnError::Skip => Ok(sample),
            OnError::Stop => Err(DataError::data(
                &self.card.name,
                format!(
                    "{}. Repair or remove it, or leave such samples out with `data.on_error=skip`; `selfsame data verify` \
                     lists all of them",
                    sample.describe()
                ),
            )),
        }
    }

    /// Says how many samples are left out, and refuses too many.
    fn report(&self, split: Split, damaged: &[Damaged], asked: usize) -> Result<(), DataError> {
        let Some(first) = damaged.first() else { return Ok(()) };
        let (name, split, count) = (&self.card.name, split.name(), damaged.len());
        if count * DAMAGED_SHARE > asked {
            let message = format!(
                "split {split}: {count} of {asked} samples cannot be read, which is too many to leave out; the first: {}. \
                 `selfsame data verify` lists all of them",
                first.describe()
            );
            return Err(DataError::data(name, message));
        }
        tracing::warn!(
            "{name} {split}: {count} of {asked} samples cannot be read and are left out; the first: {}",
            first.describe()
        );
        Ok(())
    }

    /// Refuses what would drive the machine out of memory, before it does.
    fn ensure_fits(&self, bytes: usize) -> Result<(), DataError> {
        if fits(bytes) {
            return Ok(());
        }
        let free = memory::available().unwrap_or(0);
        Err(DataError::data(
            &self.card.name,
            format!(
                "its pixels need {:.1} GB while loading, and {:.1} GB of memory are free. Keep fewer samples \
                 (`data.limit.train`), smaller ones (`data.store_size`), leave them on disk (`data.cache=disk`, where the \
                 data set has a fingerprint) or use a machine with more memory",
                2.0 * bytes as f64 / 1e9,
                free as f64 / 1e9
            ),
        ))
    }
}

struct Loaded {
    pixels: Pixels,
    /// Of the kept images; one of them where all are equal.
    sizes: Vec<Size>,
    /// Indices of the samples that have an image.
    kept: Vec<usize>,
    damaged: Vec<Damaged>,
    flat: Vec<Flat>,
}

/// Whether so many bytes of pixels fit in memory; they and their tensor exist side by side for a moment.
fn fits(bytes: usize) -> bool {
    memory::available().is_none_or(|free| bytes.saturating_mul(2) <= free)
}

/// The place of each index in a list.
fn places(indices: &[usize]) -> std::collections::BTreeMap<usize, usize> {
    indices.iter().enumerate().map(|(place, &index)| (index, place)).collect()
}
