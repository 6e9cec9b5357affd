//! The Python form: a pickled mapping with a NumPy array of pixels and a list of labels.

use crate::pickle::{Id, Node, Pickle};
use crate::published::{PIXELS, Published};
use crate::records::{Records, impossible};

/// Reads images and classes from a pickle.
pub fn parse(published: &Published, bytes: &[u8]) -> Result<Records, String> {
    let pickle = Pickle::parse(bytes)?;
    let Node::Mapping(pairs) = pickle.root() else { return Err("a pickle, but not of a mapping".into()) };
    let find = |key: &str| {
        let found = pairs.iter().find(|pair| is(pickle.get(pair.0), key));
        found.map(|pair| pickle.get(pair.1)).ok_or_else(|| format!("a pickle without the key `{key}`"))
    };
    let pixels = pixels(&pickle, find("data")?)
        .ok_or_else(|| format!("`data` is not a uint8 array of shape [N, {PIXELS}] in C order"))?;
    let classes = classes(&pickle, find(published.python_labels)?, published)?;
    if classes.len() * PIXELS != pixels.len() {
        return Err(format!("{} images but {} labels", pixels.len() / PIXELS, classes.len()));
    }
    Ok(Records { pixels, classes })
}

/// Whether a key or a name is this text, as Python 2 or 3 wrote it.
fn is(node: &Node, text: &str) -> bool {
    match node {
        Node::Bytes(bytes) => *bytes == text.as_bytes(),
        Node::Text(other) | Node::Latin1(other) => *other == text,
        _ => false,
    }
}

/// The elements of a `uint8` array, from the state that `ndarray.__setstate__` takes: (version, shape, dtype, whether
/// it is in Fortran order, bytes).
fn pixels(pickle: &Pickle, array: &Node) -> Option<Vec<u8>> {
    let Node::Object { state: Some(state), .. } = array else { return None };
    let &[_, shape, dtype, fortran, data] = tuple(pickle, *state)? else { return None };
    let Node::Object { arguments, .. } = pickle.get(dtype) else { return None };
    let is_uint8 = tuple(pickle, *arguments)?.first().is_some_and(|&code| is(pickle.get(code), "u1"));
    let &[count, width] = tuple(pickle, shape)? else { return None };
    let &Node::Integer(count) = pickle.get(count) else { return None };
    let bytes = match pickle.get(data) {
        Node::Bytes(bytes) => bytes.to_vec(),
        Node::Latin1(text) => text.chars().map(|c| u8::try_from(c).ok()).collect::<Option<_>>()?,
        _ => return None,
    };
    let has_shape = pickle.get(width) == &Node::Integer(PIXELS as i64)
        && count > 0
        && usize::try_from(count).ok()?.checked_mul(PIXELS)? == bytes.len();
    (is_uint8 && has_shape && pickle.get(fortran) == &Node::Boolean(false)).then_some(bytes)
}

fn tuple<'p>(pickle: &'p Pickle, id: Id) -> Option<&'p [Id]> {
    match pickle.get(id) {
        Node::Tuple(items) => Some(items),
        _ => None,
    }
}

fn classes(pickle: &Pickle, labels: &Node, published: &Published) -> Result<Vec<i64>, String> {
    let key = published.python_labels;
    let Node::List(labels) = labels else { return Err(format!("`{key}` is not a list")) };
    let class = |(index, &label)| match *pickle.get(label) {
        Node::Integer(class) if (0..i64::from(published.classes())).contains(&class) => Ok(class),
        Node::Integer(other) => Err(impossible(index, "label", other, published.classes())),
        _ => Err(format!("`{key}` holds something other than an integer at {index}")),
    };
    labels.iter().enumerate().map(class).collect()
}
