//! What the fuzz targets in `fuzz/` run: functions of any bytes, which panic where
//! something is wrong.
//!
//! They are here because they reach what is private, and are compiled for them and for the
//! tests, which run them over random bytes.

// To panic is what they are for.
#![allow(clippy::missing_panics_doc)]

use std::time::Duration;

use crate::chunk::{Limits, is_round};
use crate::retry::Retry;

mod copy;
mod fault;
mod pipeline;
mod plan;
mod quoting;

pub use copy::copy_encoder;
pub use fault::fault;
pub use pipeline::pipeline;
pub use plan::plan;
pub use quoting::quoting;

/// Values drawn from bytes, and zeros where these end.
#[derive(Debug)]
struct Source<'d>(&'d [u8]);

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        let number = if end <= 256 {
            usize::from(self.byte())
        } else {
            usize::from_le_bytes(self.array())
        };
        number % end
    }

    fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Any number, the small ones and the largest more often than others.
    fn number(&mut self) -> usize {
        match self.below(4) {
            0 => self.below(4),
            1 => self.below(200),
            2 => usize::MAX - self.below(3),
            _ => usize::from_le_bytes(self.array()),
        }
    }

    fn option<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let is_some = self.byte() % 4 != 0;
        is_some.then(|| value(self))
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most + 1);
        (0..length).map(|_| self.byte()).collect()
    }

    /// Text in which what means something to a database is frequent.
    fn text(&mut self, most: usize) -> String {
        const CHARS: &[char] = &[
            '\'',
            '"',
            '`',
            '\\',
            '.',
            ';',
            '-',
            '$',
            '?',
            '%',
            ':',
            '(',
            ')',
            '[',
            ']',
            ' ',
            '\n',
            '\0',
            '\t',
            'a',
            'A',
            'b',
            'E',
            'X',
            '0',
            '1',
            '7',
            'é',
            'ß',
            '\u{301}',
            '語',
            '😀',
            '\u{feff}',
            '\u{10ffff}',
        ];
        let length = self.below(most + 1);
        let chars = (0..length).map(|_| match self.byte() {
            byte @ 0x80.. => char::from(byte - 0x80),
            byte => CHARS[usize::from(byte) % CHARS.len()],
        });
        chars.collect()
    }

    fn duration(&mut self) -> Duration {
        match self.below(4) {
            0 => Duration::ZERO,
            1 => Duration::MAX,
            2 => Duration::from_nanos(u64::from_le_bytes(self.array())),
            _ => Duration::from_millis(u64::from(self.byte())),
        }
    }
}

/// Every row is in one chunk, in order, none is larger than the limits, and none could take
/// the next row.
pub fn chunks(data: &[u8]) {
    let source = &mut Source(data);
    let (columns, max_binds, max_rows) = (source.number(), source.number(), source.number());
    let Some(most) = Limits::rows(columns, max_binds, max_rows) else {
        assert!(columns > max_binds);
        return;
    };
    assert!(most >= 1 && most <= max_rows.max(1));
    assert!(columns == 0 || columns.checked_mul(most).expect("a product") <= max_binds);

    let limits = Limits {
        rows: most,
        bytes: source.number(),
        split_rest: source.flag(),
        copies: source.flag(),
    };
    let sizes: Vec<usize> = (0..source.below(200)).map(|_| source.number()).collect();
    let bytes = |sizes: &[usize]| sizes.iter().fold(0, |a: usize, b| a.saturating_add(*b));
    let mut rest = sizes.as_slice();
    while !rest.is_empty() {
        let rows = limits.next(rest.iter().copied());
        assert!(rows >= 1 && rows <= limits.rows);
        let (chunk, others) = rest.split_at(rows);
        assert!(rows == 1 || bytes(chunk) <= limits.bytes);
        let fits = |rows: usize| rows <= limits.rows && bytes(&rest[..rows]) <= limits.bytes;
        if limits.split_rest {
            assert!(rows == limits.rows || rows.is_power_of_two());
            assert!(2 * rows > rest.len() || !fits(2 * rows));
        } else {
            assert!(others.is_empty() || !fits(rows + 1));
        }
        let recurs = limits.recurs(rows, sizes.len());
        assert_eq!(
            recurs,
            rows == limits.rows && rows < sizes.len() || has_one_digit(rows)
        );
        rest = others;
    }
    let any = source.number();
    assert_eq!(is_round(any), has_one_digit(any), "{any}");
}

/// Is a number a power of two, or are all of its digits but the first zeros?
fn has_one_digit(number: usize) -> bool {
    number.is_power_of_two() || number.to_string()[1..].bytes().all(|digit| digit == b'0')
}

/// A call ends after its attempts, or when its time is over, and waits no longer than it may.
pub fn retry(data: &[u8]) {
    let source = &mut Source(data);
    let attempts = u32::from_le_bytes(source.array());
    let attempts = if source.flag() {
        attempts
    } else {
        attempts % 16
    };
    let (first_delay, max_delay) = (source.duration(), source.duration());
    let time_limit = source.duration();
    let retry = Retry::default()
        .attempts(attempts)
        .first_delay(first_delay)
        .max_delay(max_delay)
        .time_limit(time_limit);
    let mut elapsed = Duration::ZERO;
    let mut made = 1;
    // Begins anywhere, as there may be four billion attempts.
    if source.flag() {
        made = u32::from_le_bytes(source.array());
    }
    for _ in 0..64 {
        elapsed = elapsed.saturating_add(source.duration());
        let random = u64::from_le_bytes(source.array());
        let Some(delay) = retry.delay(made, elapsed, random) else {
            let latest = elapsed.saturating_add(max_delay);
            assert!(made >= attempts.max(1) || latest >= time_limit);
            return;
        };
        assert!(made < attempts.max(1) && elapsed < time_limit);
        assert!(delay <= max_delay);
        if made == 1 {
            assert!(delay <= first_delay);
        }
        elapsed = elapsed.saturating_add(delay);
        made += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    /// Runs `body` over random bytes, as many as it may use.
    fn run(cases: u32, most: usize, body: fn(&[u8])) {
        let config = ProptestConfig {
            cases,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        let bytes = proptest::collection::vec(any::<u8>(), 0..most);
        TestRunner::new(config)
            .run(&bytes, |data| {
                body(&data);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn chunks() {
        run(2000, 2000, super::chunks);
    }

    #[test]
    fn copy_encoder() {
        run(2000, 600, super::copy_encoder);
    }

    #[test]
    fn fault() {
        run(4000, 120, super::fault);
    }

    #[test]
    fn pipeline() {
        run(500, 600, super::pipeline);
    }

    #[test]
    fn plan() {
        run(2000, 300, super::plan);
    }

    #[test]
    fn quoting() {
        run(2000, 200, super::quoting);
    }

    #[test]
    fn retry() {
        run(2000, 600, super::retry);
    }
}
