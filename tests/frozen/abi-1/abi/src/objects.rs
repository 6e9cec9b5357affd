use super::{BorrowedTensor, NamedTensor, OwnedTensor, RawResult};
use abi_stable::{
    sabi_trait,
    sabi_types::RRef,
    std_types::{RBox, ROption, RSlice, RStr, RString, RVec},
    StableAbi,
};

/// A data set inside a plugin.
#[sabi_trait]
pub trait DatasetAbi: Send + Sync {
    fn prepare(&self, services: ServicesRef<'_>) -> RawResult<()>;
    /// The card as JSON, where preparing has taught more than is known without reading.
    fn card(&self) -> RawResult<ROption<RString>>;
    /// `split` is `train`, `val` or `test`.
    #[sabi(last_prefix_field)]
    fn open(&self, split: RStr<'_>) -> RawResult<SamplesObject>;
}

/// One image: planar little-endian values with their shape.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawImage {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    /// 8 and 16: unsigned integers; 32: float32.
    pub bit_depth: u8,
    pub data: RVec<u8>,
}

/// What the bytes of [`RawTargets`] are. A host refuses kinds that it does not know.
#[repr(transparent)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetsKind(pub u8);

impl TargetsKind {
    /// There are none.
    pub const NONE: Self = Self(0);
    /// A little-endian int64 for each sample.
    pub const CLASSES: Self = Self(1);
    /// A byte, 0 or 1, for each sample and class.
    pub const MULTILABEL: Self = Self(2);
}

/// Labels of a split.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawTargets {
    pub kind: TargetsKind,
    pub bytes: RVec<u8>,
}

/// An opened split inside a plugin.
#[sabi_trait]
pub trait SamplesAbi: Send + Sync {
    fn len(&self) -> RawResult<usize>;
    fn targets(&self) -> RawResult<RawTargets>;
    fn groups(&self) -> RawResult<ROption<RVec<RString>>>;
    fn ids(&self) -> RawResult<ROption<RVec<RString>>>;
    /// `hints` is the JSON of a `ReadHints`, or empty: nothing is hinted.
    fn read(&self, indices: RSlice<'_, usize>, hints: RStr<'_>) -> RawResult<RVec<RawImage>>;
    fn fingerprint(&self) -> RawResult<ROption<RString>>;
    /// A JSON object of strings.
    fn facts(&self, index: usize) -> RawResult<RString>;
    /// Borrowed from this object, which the host never moves or mutates.
    #[sabi(last_prefix_field)]
    fn block(&self) -> RawResult<ROption<RSlice<'_, u8>>>;
}

/// An encoder inside a plugin.
#[sabi_trait]
pub trait EncoderAbi: Send {
    fn forward(&self, x: BorrowedTensor<'_>, train: bool) -> RawResult<OwnedTensor>;
    fn feature_dim(&self) -> RawResult<usize>;
    fn parameters(&self) -> RawResult<RVec<NamedTensor>>;
    #[sabi(last_prefix_field)]
    fn buffers(&self) -> RawResult<RVec<NamedTensor>>;
}

/// Host services of one call.
#[sabi_trait]
pub trait ServicesAbi: Send + Sync {
    /// False: the user asked to stop.
    fn progress(&self, what: RStr<'_>, done: u64, total: ROption<u64>) -> bool;
    /// The same for things that are counted.
    #[sabi(last_prefix_field)]
    fn items(&self, what: RStr<'_>, done: u64, total: ROption<u64>) -> bool;
}

pub type DatasetObject = DatasetAbi_TO<'static, RBox<()>>;
pub type SamplesObject = SamplesAbi_TO<'static, RBox<()>>;
pub type EncoderObject = EncoderAbi_TO<'static, RBox<()>>;
pub type ServicesRef<'a> = ServicesAbi_TO<'a, RRef<'a, ()>>;
