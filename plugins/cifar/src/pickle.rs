//! The Python form: a pickled mapping with a NumPy array of pixels and a list of labels.

use crate::published::{PIXELS, Published};
use crate::records::{Records, impossible};
use serde_pickle::{DeOptions, HashableValue, Value};
use std::collections::BTreeMap;

/// Longest part of serde-pickle's message that is passed on: it may print whole values.
const MESSAGE: usize = 120;

/// Reads images and classes from a pickle. Nothing in it is executed: serde-pickle keeps an object's state only.
pub fn parse(published: &Published, bytes: &[u8]) -> Result<Records, String> {
    let value = serde_pickle::value_from_slice(bytes, DeOptions::new()).map_err(|error| {
        let message: String = error.to_string().chars().take(MESSAGE).collect();
        format!("not a complete pickle: {message}")
    })?;
    let Value::Dict(mut map) = value else { return Err("a pickle, but not of a mapping".into()) };
    let pixels = pixels(take(&mut map, "data")?)?;
    let classes = classes(take(&mut map, published.python_labels)?, published)?;
    if classes.len() * PIXELS != pixels.len() {
        return Err(format!("{} images but {} labels", pixels.len() / PIXELS, classes.len()));
    }
    Ok(Records { pixels, classes })
}

/// Keys are bytes when Python 2 wrote them and may be text otherwise.
fn take(map: &mut BTreeMap<HashableValue, Value>, key: &str) -> Result<Value, String> {
    map.remove(&HashableValue::Bytes(key.into()))
        .or_else(|| map.remove(&HashableValue::String(key.into())))
        .ok_or_else(|| format!("a pickle without the key `{key}`"))
}

/// The bytes of a `uint8` array of shape `[N, 3072]` in C order, from the state that `ndarray.__setstate__` takes:
/// (version, shape, dtype's state, is Fortran order, bytes).
fn pixels(value: Value) -> Result<Vec<u8>, String> {
    let wrong = || format!("`data` is not a uint8 array of shape [N, {PIXELS}]");
    let Value::Tuple(state) = value else { return Err(wrong()) };
    let Ok([Value::I64(_), Value::Tuple(shape), _, Value::Bool(false), Value::Bytes(bytes)]) =
        <[Value; 5]>::try_from(state)
    else {
        return Err(wrong());
    };
    match shape[..] {
        // One byte an element leaves int8 and bool, which no writer of these files uses.
        [Value::I64(count), Value::I64(3072)] if usize::try_from(count).ok() == bytes.len().checked_div(PIXELS) => {
            if bytes.is_empty() || bytes.len() % PIXELS != 0 {
                Err(wrong())
            } else {
                Ok(bytes)
            }
        }
        _ => Err(wrong()),
    }
}

fn classes(value: Value, published: &Published) -> Result<Vec<i64>, String> {
    let key = published.python_labels;
    let Value::List(labels) = value else { return Err(format!("`{key}` is not a list")) };
    let class = |(index, label)| match label {
        Value::I64(class) if (0..i64::from(published.classes())).contains(&class) => Ok(class),
        Value::I64(other) => Err(impossible(index, "label", other, published.classes())),
        _ => Err(format!("`{key}` holds something other than integers at {index}")),
    };
    labels.into_iter().enumerate().map(class).collect()
}
