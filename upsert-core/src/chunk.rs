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

    /// Is a statement of `rows` rows, of `all` that are to be sent, one of few that occur, and
    /// so worth to be kept prepared?
    ///
    /// A limit that a call sets to the number of its rows is another one in each call.
    pub(crate) fn recurs(&self, rows: usize, all: usize) -> bool {
        rows == self.rows && rows < all || is_round(rows)
    }
}

/// Is it a number of rows that programs choose for their calls, or one in which the last
/// rows of a call are sent: a power of two, or one digit and zeros?
pub(crate) fn is_round(rows: usize) -> bool {
    let digits = rows.checked_ilog10().unwrap_or(0);
    rows.is_power_of_two() || rows % 10_usize.pow(digits) == 0
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
                .all(|rows| limits.recurs(*rows, 307))
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
        assert!(!limits.recurs(17, 207));
        assert!(limits.recurs(100, 207) && !limits.recurs(99, 207));
    }

    #[test]
    fn a_limit_that_is_the_number_of_rows_does_not_recur() {
        let limits = Limits {
            rows: 123,
            ..Limits::of::<diesel::sqlite::Sqlite>()
        };
        assert!(limits.recurs(123, 124) && !limits.recurs(123, 123));
    }

    #[test]
    fn round_numbers() {
        let round: Vec<usize> = (1..300).filter(|rows| is_round(*rows)).collect();
        let expected = [
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 20, 30, 32, 40, 50, 60, 64, 70, 80, 90, 100, 128,
            200, 256,
        ];
        assert_eq!(round, expected);
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
