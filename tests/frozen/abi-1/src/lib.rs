//! A plugin of version 1 of the boundary, as it was when that was frozen: written against a copy of its types, without the
//! SDK, its JSON spelt out. Every host of version 1 loads it. It never changes; a later version gets a folder of its own.

use abi_stable::{
    export_root_module,
    prefix_type::PrefixTypeTrait,
    sabi_trait::TD_Opaque,
    std_types::{RErr, RNone, ROk, ROption, RSlice, RSome, RStr, RString, RVec},
};
use selfsame_abi::{
    BorrowedTensor, DatasetAbi, DatasetAbi_TO, DatasetObject, EncoderAbi, EncoderAbi_TO, EncoderObject, LogCallback,
    NamedTensor, OwnedTensor, PluginModule, PluginModuleRef, RawImage, RawResult, RawTargets, SamplesAbi,
    SamplesAbi_TO, SamplesObject, ServicesRef, TargetsKind,
};
use std::ffi::c_void;
use tch::{Device, Kind, Tensor};

const MANIFEST: &[u8] = br#"{"abi":1,"layout":"61f271b8d0bfe50a","name":"frozen-abi-1","version":"1.0.0","datasets":["frozen-set"],"encoders":["frozen-net"],"rustc":"any","target":"x86_64-unknown-linux-gnu","panic":"unwind","libtorch":"2.11.0"}"#;

#[used]
#[no_mangle]
#[link_section = ".selfsame"]
pub static SELFSAME_MANIFEST: [u8; MANIFEST.len()] = {
    let mut bytes = [0; MANIFEST.len()];
    let mut at = 0;
    while at < bytes.len() {
        bytes[at] = MANIFEST[at];
        at += 1;
    }
    bytes
};

const DATASET_CARD: &str = r#"{"name":"frozen-set","summary":"Ramps.","classes":["even","odd"],"task":"binary",
    "channels":1,"bit_depth":8,"nominal_size":[8,8],"normalization":{"mean":[0.5],"std":[0.25]},
    "splits":["train","test"],"licence":"MIT","citation":"None.","options":[{"name":"none","help":"Nothing."}],
    "recommended":{"augmentation":{"use_random_crop":true}}}"#;

const ENCODER_CARD: &str = r#"{"name":"frozen-net","summary":"Linear.","citation":"None.","options":[],"recommended":{}}"#;

/// Images of a split.
const COUNT: usize = 32;
const SIDE: usize = 8;
/// Values of an embedding.
const FEATURES: i64 = 3;

#[export_root_module]
fn module() -> PluginModuleRef {
    PluginModule { attach, dataset_card, create_dataset, encoder_card, create_encoder }.leak_into_prefix()
}

extern "C" fn attach(callback: LogCallback, _: u8) {
    (callback.call)("frozen-abi-1".into(), 3, "frozen".into(), "attached".into(), r#"{"version":1}"#.into());
}

extern "C" fn dataset_card(_: RStr<'_>) -> RawResult<RString> {
    ROk(DATASET_CARD.into())
}

extern "C" fn encoder_card(_: RStr<'_>) -> RawResult<RString> {
    ROk(ENCODER_CARD.into())
}

/// An option that nobody knows is the user's mistake.
fn refuse_options(request: &str) -> Result<(), RString> {
    match request.contains("no_such_option") {
        true => Err(r#"{"kind":"configuration","message":"unknown option `no_such_option`"}"#.into()),
        false => Ok(()),
    }
}

extern "C" fn create_dataset(request: RStr<'_>) -> RawResult<DatasetObject> {
    match refuse_options(&request) {
        Ok(()) => ROk(DatasetAbi_TO::from_value(Frozen, TD_Opaque)),
        Err(error) => RErr(error),
    }
}

extern "C" fn create_encoder(request: RStr<'_>, _: RStr<'_>) -> RawResult<EncoderObject> {
    if let Err(error) = refuse_options(&request) {
        return RErr(error);
    }
    // `{…,"channels":C,"image_size":[H,W],…}`: the mean over all pixels needs neither.
    let weight = Tensor::randn([FEATURES, 1], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    ROk(EncoderAbi_TO::from_value(Linear { weight }, TD_Opaque))
}

struct Frozen;

impl DatasetAbi for Frozen {
    fn prepare(&self, services: ServicesRef<'_>) -> RawResult<()> {
        if services.progress("bytes".into(), 1, RSome(2)) && services.items("files".into(), 1, RNone) {
            return ROk(());
        }
        RErr(r#"{"kind":"cancelled","message":"stopped"}"#.into())
    }

    fn card(&self) -> RawResult<ROption<RString>> {
        ROk(RNone)
    }

    fn open(&self, _: RStr<'_>) -> RawResult<SamplesObject> {
        let block = (0..COUNT).flat_map(pixels).collect();
        ROk(SamplesAbi_TO::from_value(Ramps { block }, TD_Opaque))
    }
}

fn pixels(index: usize) -> impl Iterator<Item = u8> {
    let along = move |at: usize| if index % 2 == 0 { at % SIDE } else { at / SIDE };
    (0..SIDE * SIDE).map(move |at| (along(at) * 32 + index / 2) as u8)
}

struct Ramps {
    block: Vec<u8>,
}

impl SamplesAbi for Ramps {
    fn len(&self) -> RawResult<usize> {
        ROk(COUNT)
    }

    fn targets(&self) -> RawResult<RawTargets> {
        let bytes = (0..COUNT as i64).flat_map(|index| (index % 2).to_le_bytes()).collect();
        ROk(RawTargets { kind: TargetsKind::CLASSES, bytes })
    }

    fn groups(&self) -> RawResult<ROption<RVec<RString>>> {
        ROk(RNone)
    }

    fn ids(&self) -> RawResult<ROption<RVec<RString>>> {
        ROk(RSome((0..COUNT).map(|index| format!("{index}.ramp").into()).collect()))
    }

    fn read(&self, indices: RSlice<'_, usize>, _: RStr<'_>) -> RawResult<RVec<RawImage>> {
        let image = |&index: &usize| RawImage {
            channels: 1,
            height: SIDE,
            width: SIDE,
            bit_depth: 8,
            data: pixels(index).collect(),
        };
        ROk(indices.iter().map(image).collect())
    }

    fn fingerprint(&self) -> RawResult<ROption<RString>> {
        ROk(RSome("ramps".into()))
    }

    fn facts(&self, _: usize) -> RawResult<RString> {
        ROk(r#"{"form":"ramp"}"#.into())
    }

    fn block(&self) -> RawResult<ROption<RSlice<'_, u8>>> {
        ROk(RSome(RSlice::from_slice(&self.block)))
    }
}

struct Linear {
    weight: Tensor,
}

unsafe extern "C" fn free(pointer: *mut c_void) {
    // SAFETY: called once, with the handle that `own` gave away.
    drop(unsafe { Tensor::from_ptr(pointer.cast()) });
}

fn own(tensor: Tensor) -> OwnedTensor {
    let mut tensor = std::mem::ManuallyDrop::new(tensor);
    // SAFETY: the handle is not dropped here, and `free` frees it.
    unsafe { OwnedTensor::from_raw(tensor.as_mut_ptr().cast(), free) }
}

impl EncoderAbi for Linear {
    fn forward(&self, x: BorrowedTensor<'_>, _: bool) -> RawResult<OwnedTensor> {
        // SAFETY: the host lends the handle for the call.
        let x = unsafe { Tensor::clone_from_ptr(x.as_ptr().cast()) };
        let mean = x.flatten(1, -1).abs().mean_dim(Some([1i64].as_slice()), true, Kind::Float);
        ROk(own(mean.matmul(&self.weight.tr())))
    }

    fn feature_dim(&self) -> RawResult<usize> {
        ROk(FEATURES as usize)
    }

    fn parameters(&self) -> RawResult<RVec<NamedTensor>> {
        let metadata = r#"{"name":"fc.weight","kind":"weight"}"#.into();
        ROk(vec![NamedTensor { metadata, tensor: own(self.weight.shallow_clone()) }].into())
    }

    fn buffers(&self) -> RawResult<RVec<NamedTensor>> {
        ROk(RVec::new())
    }
}
