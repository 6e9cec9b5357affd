//! Named tensors to and from the bytes of a safetensors file.

use crate::error::Error;
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors, View};
use selfsame_plugin_api::without_backtrace;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use tch::{Kind, TchError, Tensor};

const KINDS: [(Kind, Dtype); 10] = [
    (Kind::Float, Dtype::F32),
    (Kind::Half, Dtype::F16),
    (Kind::BFloat16, Dtype::BF16),
    (Kind::Double, Dtype::F64),
    (Kind::Int64, Dtype::I64),
    (Kind::Int, Dtype::I32),
    (Kind::Int16, Dtype::I16),
    (Kind::Int8, Dtype::I8),
    (Kind::Uint8, Dtype::U8),
    (Kind::Bool, Dtype::BOOL),
];

struct Bytes {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl View for &Bytes {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }

    fn data_len(&self) -> usize {
        self.data.len()
    }
}

/// The bytes of a safetensors file with these tensors, from any device, strided or not, and this metadata.
///
/// Equal tensors and metadata give equal bytes, whatever the order of `tensors`.
pub fn to_safetensors(tensors: &[(String, Tensor)], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, Error> {
    let mut seen = BTreeSet::new();
    let mut views = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        if !seen.insert(name) {
            return Err(Error::data(format!("two tensors are named `{name}`; names must differ")));
        }
        views.push((name.as_str(), bytes_of(name, tensor)?));
    }
    let plain = safetensors::serialize(views.iter().map(|(name, bytes)| (*name, bytes)), None).map_err(invalid)?;
    if metadata.is_empty() { Ok(plain) } else { with_metadata(&plain, metadata) }
}

fn bytes_of(name: &str, tensor: &Tensor) -> Result<Bytes, Error> {
    let torch = |error| refused(name, &error);
    let kind = tensor.f_kind().map_err(torch)?;
    let dtype = KINDS.iter().find(|(k, _)| *k == kind).map(|(_, dtype)| *dtype);
    let dtype = dtype.ok_or_else(|| unknown_kind(name, &kind))?;
    let shape = tensor.size().iter().map(|&side| side as usize).collect();
    let mut data = vec![0; tensor.numel() * kind.elt_size_in_bytes()];
    tensor.f_copy_data_u8(&mut data, tensor.numel()).map_err(torch)?;
    Ok(Bytes { dtype, shape, data })
}

/// Puts sorted metadata in front of a header that has none: the crate takes a hash map, whose order changes from run
/// to run.
fn with_metadata(plain: &[u8], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, Error> {
    let (length, _) = SafeTensors::read_metadata(plain).map_err(invalid)?;
    let (header, data) = plain[8..].split_at(length);
    let tensors = header[1..].trim_ascii();
    let metadata = serde_json::to_string(metadata).map_err(|error| invalid(SafeTensorError::JsonError(error)))?;
    let mut header = format!("{{\"__metadata__\":{metadata}").into_bytes();
    if tensors != b"}" {
        header.push(b',');
    }
    header.extend(tensors);
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(data);
    Ok(file)
}

/// The tensors of a safetensors file's bytes, on the CPU.
pub fn from_safetensors(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, Error> {
    let file = SafeTensors::deserialize(bytes).map_err(invalid)?;
    file.iter().map(|(name, view)| Ok((name.to_owned(), tensor_of(name, &view)?))).collect()
}

fn tensor_of(name: &str, view: &safetensors::tensor::TensorView) -> Result<Tensor, Error> {
    let kind = KINDS.iter().find(|(_, dtype)| *dtype == view.dtype()).map(|(kind, _)| *kind);
    let kind = kind.ok_or_else(|| unknown_kind(name, &view.dtype()))?;
    if kind == Kind::Bool && view.data().iter().any(|&byte| byte > 1) {
        return Err(Error::data(format!("tensor `{name}` is boolean but has bytes other than 0 and 1")));
    }
    let shape: Vec<i64> = view.shape().iter().map(|&side| side as i64).collect();
    Tensor::f_from_data_size(view.data(), &shape, kind).map_err(|error| refused(name, &error))
}

fn unknown_kind(name: &str, kind: &impl Debug) -> Error {
    Error::data(format!("tensor `{name}` has element type {kind:?}, which cannot be stored; convert it first"))
}

fn refused(name: &str, error: &TchError) -> Error {
    Error::data(format!("tensor `{name}`: {}", without_backtrace(&error.to_string())))
}

fn invalid(error: SafeTensorError) -> Error {
    Error::data(format!("not a valid safetensors file: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_type_and_shape_survives() {
        let values = Tensor::from_slice2(&[[0.0f32, 1.0, 0.0], [1.0, 1.0, 0.0]]);
        let mut tensors: Vec<(String, Tensor)> =
            KINDS.iter().map(|(kind, _)| (format!("{kind:?}"), values.to_kind(*kind))).collect();
        tensors.push(("strided".into(), values.tr()));
        tensors.push(("scalar".into(), Tensor::from(7i64)));
        tensors.push(("empty".into(), Tensor::zeros([0, 3], (Kind::Float, tch::Device::Cpu))));
        let read = from_safetensors(&to_safetensors(&tensors, &BTreeMap::new()).unwrap()).unwrap();
        assert_eq!(read.len(), tensors.len());
        for (name, tensor) in &tensors {
            assert_eq!(read[name].kind(), tensor.kind(), "{name}");
            assert_eq!(read[name].size(), tensor.size(), "{name}");
            assert!(read[name].equal(tensor), "{name}");
        }
    }

    #[test]
    fn bytes_depend_on_neither_order_nor_chance() {
        let a = || ("a".to_owned(), Tensor::from_slice(&[1.0f32, 2.0]));
        let b = || ("b".to_owned(), Tensor::from_slice(&[3i64]));
        let metadata = BTreeMap::from(["z", "y", "x", "format"].map(|key| (key.to_owned(), "v".to_owned())));
        let one = to_safetensors(&[a(), b()], &metadata).unwrap();
        assert_eq!(one, to_safetensors(&[b(), a()], &metadata).unwrap());
        let header = String::from_utf8_lossy(&one[8..]).into_owned();
        assert!(header.starts_with(r#"{"__metadata__":{"format":"v","x":"v","y":"v","z":"v"},"b":{"dtype":"I64""#));
        assert!(from_safetensors(&one).unwrap()["a"].equal(&a().1));
    }

    #[test]
    fn metadata_alone_is_a_valid_file() {
        let metadata = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
        assert!(from_safetensors(&to_safetensors(&[], &metadata).unwrap()).unwrap().is_empty());
    }

    #[test]
    fn errors_name_the_tensor() {
        let twice = [("w".to_owned(), Tensor::from(1.0)), ("w".to_owned(), Tensor::from(2.0))];
        assert!(to_safetensors(&twice, &BTreeMap::new()).unwrap_err().to_string().contains("`w`"));
        let complex = Tensor::from(1.0).to_kind(Kind::ComplexFloat);
        let error = to_safetensors(&[("c".to_owned(), complex)], &BTreeMap::new()).unwrap_err().to_string();
        assert!(error.contains("`c`") && error.contains("ComplexFloat"), "{error}");
        let mut flags = to_safetensors(&[("f".to_owned(), Tensor::from_slice(&[true]))], &BTreeMap::new()).unwrap();
        *flags.last_mut().unwrap() = 2;
        assert!(from_safetensors(&flags).unwrap_err().to_string().contains("`f` is boolean"));
    }
}
