//! Which rows of a batch a process computes.

use std::ops::Range;

/// One process's part of a batch that passes the network in pieces. Each piece is divided by itself, so that what its rows
/// share (batch norm's statistics) does not depend on the number of processes. A batch with a piece that is too small to be
/// divided is computed by every process as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    own: Vec<Range<usize>>,
    gathered: Option<Gathered>,
}

/// How the rows of all processes, gathered, make up the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// Rows that each process gives, the last ones of some of them for nothing.
    pub each: usize,
    /// The places of the batch's rows among them, in the batch's order; none: they lie as they should.
    pub order: Option<Vec<i64>>,
}

impl Share {
    /// The part of the process with `rank` of `size` of a batch of `rows`, in pieces of `piece` rows, at least 1; the last
    /// piece may be smaller.
    #[must_use]
    pub fn new(rows: usize, piece: usize, (rank, size): (usize, usize)) -> Self {
        let pieces: Vec<Range<usize>> = (0..rows).step_by(piece).map(|at| at..rows.min(at + piece)).collect();
        if size == 1 || pieces.iter().any(|piece| piece.len() < size) {
            return Self { own: pieces, gathered: None };
        }
        let of = |rank: usize| pieces.iter().map(move |piece| part(piece, rank, size));
        let count = |rank: usize| of(rank).map(|rows| rows.len()).sum::<usize>();
        let each = (0..size).map(count).max().unwrap_or(0);
        let mut places: Vec<(usize, i64)> = Vec::with_capacity(rows);
        for rank in 0..size {
            places.extend(of(rank).flatten().zip((rank * each) as i64..));
        }
        places.sort_unstable();
        let is_in_order = places.iter().all(|(row, place)| *row as i64 == *place);
        let order = (!is_in_order).then(|| places.into_iter().map(|(_, place)| place).collect());
        Self { own: of(rank).collect(), gathered: Some(Gathered { each, order }) }
    }

    /// This process's rows of each piece, as rows of the batch.
    #[must_use]
    pub fn pieces(&self) -> &[Range<usize>] {
        &self.own
    }

    /// Rows of the first piece, which all but the last one have.
    #[must_use]
    pub fn piece(&self) -> usize {
        self.own.first().map_or(1, |rows| rows.len().max(1))
    }

    /// This process's elements of a list with one for each row.
    pub fn of<T: Clone>(&self, rows: &[T]) -> Vec<T> {
        self.own.iter().flat_map(|own| rows[own.clone()].iter().cloned()).collect()
    }

    /// How the batch is put together; none: every process has all of it.
    #[must_use]
    pub fn gathered(&self) -> Option<&Gathered> {
        self.gathered.as_ref()
    }
}

fn part(piece: &Range<usize>, rank: usize, size: usize) -> Range<usize> {
    let at = |rank: usize| piece.start + piece.len() * rank / size;
    at(rank)..at(rank + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn gathered_shares_are_the_batch_in_its_order(rows in 1usize..70, piece in 1usize..40, size in 1usize..6) {
            let batch: Vec<usize> = (100..100 + rows).collect();
            let shares: Vec<Share> = (0..size).map(|rank| Share::new(rows, piece, (rank, size))).collect();
            for share in &shares {
                prop_assert_eq!(share.pieces().len(), rows.div_ceil(piece));
                let mut own = Vec::new();
                match share.gathered() {
                    None => own = share.of(&batch),
                    Some(gathered) => {
                        for share in &shares {
                            let mut part = share.of(&batch);
                            part.resize(gathered.each, 0);
                            own.extend(part);
                        }
                        if let Some(order) = &gathered.order {
                            own = order.iter().map(|&place| own[place as usize]).collect();
                        }
                    }
                }
                prop_assert_eq!(&own, &batch);
                // Pieces of one process are as long as each other, but for the last one.
                let lengths: Vec<usize> = share.pieces().iter().map(|rows| rows.len()).collect();
                prop_assert!(lengths.iter().rev().skip(1).all(|length| *length == share.piece()));
            }
        }
    }

    #[test]
    fn shares_of_equal_pieces_are_equal_and_a_whole_batch_needs_no_order() {
        let share = Share::new(16, 8, (1, 2));
        assert_eq!(share.pieces(), [4..8, 12..16]);
        let order = vec![0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15];
        assert_eq!(share.gathered(), Some(&Gathered { each: 8, order: Some(order) }));
        let whole = Share::new(16, 16, (3, 4));
        assert_eq!(whole.pieces(), std::slice::from_ref(&(12..16)));
        assert_eq!(whole.gathered(), Some(&Gathered { each: 4, order: None }));
        assert_eq!(Share::new(3, 3, (1, 4)), Share::new(3, 3, (0, 1)), "too few to divide");
    }
}
