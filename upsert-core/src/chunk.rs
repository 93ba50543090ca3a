//! How many rows go into a statement.

use crate::dialect::Dialect;

/// The limits of a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The most rows.
    pub(crate) rows: usize,
    /// The most bytes, as far as they are measured.
    pub(crate) bytes: usize,
    /// Are the last rows of a call split into powers of two?
    pub(crate) split_rest: bool,
    /// Has the connection COPY?
    pub(crate) copies: bool,
}

impl Limits {
    /// Those of a database, whatever the statement.
    pub(crate) fn of<DB: Dialect>() -> Self {
        Self {
            rows: usize::MAX,
            bytes: DB::MAX_BYTES.unwrap_or(usize::MAX),
            split_rest: DB::SPLITS_REST,
            copies: false,
        }
    }

    /// The most rows that `columns` columns leave room for, or `None` where a
    /// single row does not fit.
    pub(crate) fn rows(columns: usize, max_binds: usize, max_rows: usize) -> Option<usize> {
        // A row without a column is `DEFAULT VALUES`, one in a statement.
        let fit = max_binds.checked_div(columns).unwrap_or(1);
        (fit > 0).then(|| fit.min(max_rows.max(1)))
    }

    /// The number of rows of the next statement, of rows with the sizes
    /// `sizes`; at least 1.
    ///
    /// With `split_rest` the number is the limit, or else a power of two, so that
    /// however many rows a call has, there are few different statements.
    pub(crate) fn next(&self, sizes: impl ExactSizeIterator<Item = usize>) -> usize {
        let rows = sizes.len().min(self.rows);
        let mut bytes = 0_usize;
        let mut fit = 0;
        for size in sizes.take(rows) {
            bytes = bytes.saturating_add(size);
            if bytes > self.bytes {
                break;
            }
            fit += 1;
        }
        match fit {
            0 => 1,
            fit if fit == self.rows || !self.split_rest => fit,
            fit => 1 << fit.ilog2(),
        }
    }

    /// Is a statement of `rows` rows one of few that occur, and so worth to be
    /// kept prepared?
    pub(crate) fn recurs(&self, rows: usize) -> bool {
        rows == self.rows || rows.is_power_of_two()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(limits: Limits, sizes: &[usize]) -> Vec<usize> {
        let mut rest = sizes;
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            let rows = limits.next(rest.iter().copied());
            chunks.push(rows);
            rest = &rest[rows..];
        }
        chunks
    }

    #[test]
    fn full_chunks_then_powers_of_two() {
        let limits = Limits {
            rows: 100,
            bytes: usize::MAX,
            split_rest: true,
            copies: false,
        };
        assert_eq!(chunks(limits, &[1; 307]), [100, 100, 100, 4, 2, 1]);
        assert_eq!(chunks(limits, &[]), [0; 0]);
        assert!(
            chunks(limits, &[1; 307])
                .iter()
                .all(|rows| limits.recurs(*rows))
        );
    }

    #[test]
    fn full_chunks_then_the_rest() {
        let limits = Limits {
            rows: 100,
            bytes: usize::MAX,
            split_rest: false,
            copies: false,
        };
        assert_eq!(chunks(limits, &[1; 207]), [100, 100, 7]);
        assert!(!limits.recurs(7));
    }

    #[test]
    fn bytes_limit_a_chunk_and_a_large_row_goes_alone() {
        let limits = Limits {
            rows: 8,
            bytes: 10,
            split_rest: true,
            copies: false,
        };
        assert_eq!(chunks(limits, &[3, 3, 3, 3, 30, 1, 1]), [2, 2, 1, 2]);
    }

    #[test]
    fn a_row_wider_than_the_bind_limit_does_not_fit() {
        assert_eq!(Limits::rows(10, 9, 5), None);
        assert_eq!(Limits::rows(10, 10, 5), Some(1));
        assert_eq!(Limits::rows(2, 10, 4), Some(4));
        assert_eq!(Limits::rows(0, 10, 4), Some(1));
    }
}
