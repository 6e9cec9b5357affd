//! Encoded images by their row. Rows lie in compressed pages that are read from the first one on, so that what was read
//! last is kept, and reading goes on where it stopped.

use super::columns::{Column, Table, spread, wrong};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::reader::FileReader;
use selfsame_plugin_api::Result;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Rows that are read at once, while they are small.
const ROWS: usize = 64;
/// Bytes after which no more are read at once.
const BYTES: usize = 4 << 20;
/// Bytes of what was read that are kept, and at least two blocks.
const KEPT: usize = 64 << 20;
/// Places where reading can go on.
const CURSORS: usize = 8;

/// The images of one file.
pub struct Rows {
    pub table: Table,
    column: Column,
    /// The first row of each row group.
    starts: Vec<usize>,
    pub len: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cursors: VecDeque<Cursor>,
    blocks: VecDeque<Arc<Block>>,
}

struct Cursor {
    group: usize,
    /// The row that comes next, of its group.
    next: usize,
    reader: ColumnReaderImpl<ByteArrayType>,
}

struct Block {
    group: usize,
    first: usize,
    rows: Vec<Option<ByteArray>>,
    bytes: usize,
}

impl Block {
    fn get(&self, group: usize, row: usize) -> Option<&Option<ByteArray>> {
        if self.group == group { self.rows.get(row.checked_sub(self.first)?) } else { None }
    }
}

impl Rows {
    /// The images of an opened file.
    pub fn new(table: Table, column: Column) -> Self {
        let mut len = 0;
        let mut starts = Vec::new();
        for rows in table.groups() {
            starts.push(len);
            len += rows;
        }
        Self { table, column, starts, len, state: Mutex::default() }
    }

    /// The encoded image of a row.
    ///
    /// # Errors
    /// No such row, no image there, or a damaged file.
    pub fn image(&self, row: usize) -> Result<Vec<u8>> {
        let broken = |message: &str| wrong(&self.table.path, &format!("row {row}: {message}"));
        if row >= self.len {
            return Err(broken(&format!("there are {} rows", self.len)));
        }
        let group = self.starts.partition_point(|start| *start <= row) - 1;
        let found = self.find(group, row - self.starts[group]).map_err(|error| broken(&error.to_string()))?;
        found.map(|image| image.data().to_vec()).ok_or_else(|| broken("there is no image"))
    }

    fn find(&self, group: usize, row: usize) -> std::result::Result<Option<ByteArray>, ParquetError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = state.blocks.iter().find_map(|block| block.get(group, row)) {
            return Ok(found.clone());
        }
        let mut cursor = self.cursor(&mut state.cursors, group, row)?;
        loop {
            let block = Arc::new(self.block(&mut cursor)?);
            let found = block.get(group, row).cloned();
            state.blocks.push_back(block);
            while state.blocks.len() > 2 && state.blocks.iter().map(|block| block.bytes).sum::<usize>() > KEPT {
                state.blocks.pop_front();
            }
            if let Some(found) = found {
                state.cursors.push_back(cursor);
                if state.cursors.len() > CURSORS {
                    state.cursors.pop_front();
                }
                return Ok(found);
            }
        }
    }

    /// A cursor shortly before a row: one that stands there, or a new one.
    fn cursor(
        &self,
        cursors: &mut VecDeque<Cursor>,
        group: usize,
        row: usize,
    ) -> std::result::Result<Cursor, ParquetError> {
        let is_near = |cursor: &Cursor| cursor.group == group && cursor.next <= row && row - cursor.next < 2 * ROWS;
        if let Some(cursor) = cursors.iter().position(is_near).and_then(|place| cursors.remove(place)) {
            return Ok(cursor);
        }
        let reader = self.table.reader.get_row_group(group)?.get_column_reader(self.column.place)?;
        let ColumnReader::ByteArrayColumnReader(mut reader) = reader else {
            return Err(ParquetError::General("the column holds no bytes".into()));
        };
        let next = row / ROWS * ROWS;
        reader.skip_records(next)?;
        Ok(Cursor { group, next, reader })
    }

    /// The rows that come next, at least one.
    fn block(&self, cursor: &mut Cursor) -> std::result::Result<Block, ParquetError> {
        let mut block = Block { group: cursor.group, first: cursor.next, rows: Vec::new(), bytes: 0 };
        while block.rows.len() < ROWS && block.bytes < BYTES {
            let (mut levels, mut present) = (Vec::new(), Vec::new());
            let (read, ..) = cursor.reader.read_records(1, Some(&mut levels), None, &mut present)?;
            if read == 0 {
                break;
            }
            block.bytes += present.iter().map(ByteArray::len).sum::<usize>();
            let is_there = !self.column.is_optional || !present.is_empty();
            block.rows.extend(if is_there { spread(1, &levels, present)? } else { vec![None] });
        }
        cursor.next += block.rows.len();
        match block.rows.is_empty() {
            false => Ok(block),
            true => Err(ParquetError::General("its row group ends before it should".into())),
        }
    }
}
