//! Pickle, protocol 2, as far as the published files and NumPy use it: data only, nothing is ever called.
//!
//! Values lie in one list and refer to each other by index, so that neither deep nesting nor shared or cyclic
//! references cost anything; [`STEPS`] bounds the work and the memory.

use std::collections::BTreeMap;

/// Most opcodes in a file; the largest published one has about 300 000.
const STEPS: usize = 1 << 22;

/// Where a value lies in [`Pickle`].
pub type Id = usize;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node<'a> {
    None,
    Boolean(bool),
    Integer(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    /// Bytes that Python 3 wrote as the text of the same code points.
    Latin1(&'a str),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Mapping(Vec<(Id, Id)>),
    /// A class or function: module and name.
    Global(&'a str, &'a str),
    /// What a callable would have made of a tuple of arguments, and the state that was then given to it.
    Object {
        arguments: Id,
        state: Option<Id>,
    },
}

/// A read pickle.
#[derive(Debug)]
pub struct Pickle<'a> {
    nodes: Vec<Node<'a>>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// Reads a whole file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let mut machine = Machine { rest: bytes, ..Machine::default() };
        for _ in 0..STEPS {
            let position = bytes.len() - machine.rest.len();
            match machine.step() {
                Ok(None) => {}
                Ok(Some(root)) => return Ok(Self { nodes: machine.nodes, root }),
                Err(cause) => return Err(format!("not a pickle of this data set: {cause} at byte {position}")),
            }
        }
        Err(format!("not a pickle of this data set: more than {STEPS} instructions"))
    }

    /// The value that was pickled.
    pub fn root(&self) -> &Node<'a> {
        &self.nodes[self.root]
    }

    /// The value that another one refers to.
    pub fn get(&self, id: Id) -> &Node<'a> {
        &self.nodes[id]
    }
}

#[derive(Default)]
struct Machine<'a> {
    rest: &'a [u8],
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

impl<'a> Machine<'a> {
    /// Executes one opcode; the last one returns the root.
    fn step(&mut self) -> Result<Option<Id>, String> {
        match self.byte()? {
            // PROTO
            0x80 => match self.byte()? {
                ..=2 => {}
                version => return Err(format!("protocol {version} instead of 2")),
            },
            b'.' => return self.pop().map(Some),
            b'0' => drop(self.pop()?),
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.push(Node::None),
            0x88 => self.push(Node::Boolean(true)),
            0x89 => self.push(Node::Boolean(false)),
            // BININT1, BININT2, BININT, LONG1
            b'K' => {
                let value = self.byte()?;
                self.push(Node::Integer(value.into()));
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Node::Integer(value.into()));
            }
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Node::Integer(value.into()));
            }
            0x8a => {
                let count = self.byte()?.into();
                let value = long(self.take(count)?)?;
                self.push(Node::Integer(value));
            }
            // SHORT_BINSTRING, BINSTRING, BINUNICODE
            b'U' => {
                let count = self.byte()?.into();
                let bytes = self.take(count)?;
                self.push(Node::Bytes(bytes));
            }
            b'T' => {
                let bytes = self.counted()?;
                self.push(Node::Bytes(bytes));
            }
            b'X' => {
                let text = std::str::from_utf8(self.counted()?).map_err(|_| "text that is not UTF-8".to_string())?;
                self.push(Node::Text(text));
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Node::Global(module, name));
            }
            // Containers
            b')' => self.push(Node::Tuple(Vec::new())),
            b']' => self.push(Node::List(Vec::new())),
            b'}' => self.push(Node::Mapping(Vec::new())),
            b't' => {
                let items = self.since_mark()?;
                self.push(Node::Tuple(items));
            }
            count @ 0x85..=0x87 => {
                let at = self.stack.len().checked_sub(usize::from(count - 0x84)).ok_or_else(underflow)?;
                let items = self.stack.split_off(at);
                self.push(Node::Tuple(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.append(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set(&items)?;
            }
            // BINPUT, LONG_BINPUT, BINGET, LONG_BINGET
            b'q' => {
                let key = self.byte()?.into();
                self.memoize(key)?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?);
                self.memoize(key)?;
            }
            b'h' => {
                let key = self.byte()?.into();
                self.recall(key)?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?);
                self.recall(key)?;
            }
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            other => return Err(format!("the instruction {other:#04x}, which protocol 2 or these files do not have")),
        }
        Ok(None)
    }

    fn reduce(&mut self) -> Result<(), String> {
        let arguments = self.pop()?;
        let callable = self.pop()?;
        let Node::Tuple(items) = &self.nodes[arguments] else { return Err("arguments that are no tuple".into()) };
        let Node::Global(module, name) = self.nodes[callable] else { return Err("a call of something else".into()) };
        let made = match (module, name, items.as_slice()) {
            ("_codecs", "encode", &[text, encoding]) => match (&self.nodes[text], &self.nodes[encoding]) {
                (Node::Text(text), Node::Text("latin1")) => Node::Latin1(text),
                _ => return Err("text in an encoding other than latin1".into()),
            },
            _ => Node::Object { arguments, state: None },
        };
        self.push(made);
        Ok(())
    }

    fn build(&mut self) -> Result<(), String> {
        let given = self.pop()?;
        match self.top()? {
            Node::Object { state, .. } => *state = Some(given),
            _ => return Err("state for something that is no object".into()),
        }
        Ok(())
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), String> {
        match self.top()? {
            Node::List(list) => list.extend(items),
            _ => return Err("an item for something that is no list".into()),
        }
        Ok(())
    }

    fn set(&mut self, items: &[Id]) -> Result<(), String> {
        match self.top()? {
            Node::Mapping(pairs) => pairs.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1]))),
            _ => return Err("an item for something that is no mapping".into()),
        }
        Ok(())
    }

    fn memoize(&mut self, key: u32) -> Result<(), String> {
        let id = *self.stack.last().ok_or_else(underflow)?;
        self.memo.insert(key, id);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<(), String> {
        let id = self.memo.get(&key).ok_or("a reference to nothing")?;
        self.stack.push(*id);
        Ok(())
    }

    fn push(&mut self, node: Node<'a>) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    fn pop(&mut self) -> Result<Id, String> {
        self.stack.pop().ok_or_else(underflow)
    }

    fn top(&mut self) -> Result<&mut Node<'a>, String> {
        let id = *self.stack.last().ok_or_else(underflow)?;
        Ok(&mut self.nodes[id])
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, String> {
        let at = self.marks.pop().filter(|&at| at <= self.stack.len()).ok_or_else(underflow)?;
        Ok(self.stack.split_off(at))
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (head, rest) = self.rest.split_first_chunk().ok_or_else(ended)?;
        self.rest = rest;
        Ok(*head)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or_else(ended)?;
        self.rest = rest;
        Ok(head)
    }

    /// Bytes after their count.
    fn counted(&mut self) -> Result<&'a [u8], String> {
        let count = u32::from_le_bytes(self.array()?);
        self.take(count as usize)
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let end = self.rest.iter().take(LONGEST_NAME).position(|&byte| byte == b'\n').ok_or("a name without an end")?;
        let line = self.take(end)?;
        self.byte()?;
        std::str::from_utf8(line).map_err(|_| "a name that is not UTF-8".into())
    }
}

/// Of a module, class or function.
const LONGEST_NAME: usize = 200;

/// A little-endian number in two's complement.
fn long(bytes: &[u8]) -> Result<i64, String> {
    if bytes.len() > 8 {
        return Err("an integer of more than 64 bits".into());
    }
    let sign = if bytes.last().is_some_and(|byte| *byte >= 0x80) { 0xff } else { 0 };
    let mut all = [sign; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    Ok(i64::from_le_bytes(all))
}

fn ended() -> String {
    "the file ends early".into()
}

fn underflow() -> String {
    "a value that is not there".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_kind_of_value() {
        // pickle.dumps((None, True, False, 7, 300, -2, 1 << 40, "é", b"\xe9", [1, 2], {"k": ()}), 2) of Python 3
        let bytes = b"\x80\x02(N\x88\x89K\x07M,\x01J\xfe\xff\xff\xff\x8a\x06\x00\x00\x00\x00\x00\x01X\x02\x00\x00\x00\xc3\xa9q\x00c_codecs\nencode\nq\x01h\x00X\x06\x00\x00\x00latin1q\x02\x86q\x03Rq\x04]q\x05(K\x01K\x02e}q\x06X\x01\x00\x00\x00kq\x07)stq\x08.";
        let pickle = Pickle::parse(bytes).unwrap();
        let Node::Tuple(items) = pickle.root() else { panic!("no tuple") };
        let values: Vec<_> = items.iter().map(|&id| pickle.get(id).clone()).collect();
        let integer = Node::Integer;
        assert_eq!(values[..3], [Node::None, Node::Boolean(true), Node::Boolean(false)]);
        assert_eq!(values[3..7], [integer(7), integer(300), integer(-2), integer(1 << 40)]);
        assert_eq!(values[7..9], [Node::Text("é"), Node::Latin1("é")]);
        let Node::List(list) = &values[9] else { panic!("no list") };
        assert_eq!(list.iter().map(|&id| pickle.get(id)).collect::<Vec<_>>(), [&integer(1), &integer(2)]);
        let Node::Mapping(pairs) = &values[10] else { panic!("no mapping") };
        assert_eq!((pickle.get(pairs[0].0), pickle.get(pairs[0].1)), (&Node::Text("k"), &Node::Tuple(vec![])));
    }

    #[test]
    fn reads_negative_longs() {
        assert_eq!(long(&[0xfe, 0xff]), Ok(-2));
        assert_eq!(long(&[]), Ok(0));
        assert!(long(&[0; 9]).is_err());
    }

    #[test]
    fn rejects_broken_instructions() {
        for (bytes, cause) in [
            (&b""[..], "ends early at byte 0"),
            (b"\x80\x02X\xff\xff\xff\xffabc.", "ends early at byte 2"),
            (b"\x80\x04.", "protocol 4 instead of 2"),
            (b".", "a value that is not there"),
            (b"N(0t.", "a value that is not there"),
            (b"e.", "a value that is not there"),
            (b"h\x00.", "a reference to nothing"),
            (b"NNa.", "no list"),
            (b"NNNs.", "no mapping"),
            (b"NNb.", "no object"),
            (b"NNR.", "no tuple"),
            (b"N)R.", "a call of something else"),
            (b"c_codecs\nencode\nX\x00\x00\x00\x00N\x86R.", "encoding other than latin1"),
            (b"cwithout end", "a name without an end"),
            (b"X\x01\x00\x00\x00\xff.", "not UTF-8"),
            (b"GIF89a", "0x47"),
        ] {
            let error = Pickle::parse(bytes).unwrap_err();
            assert!(error.contains(cause), "{bytes:?}: {error}");
        }
        assert!(Pickle::parse(&vec![b'N'; STEPS + 1]).unwrap_err().contains("more than"));
    }
}
