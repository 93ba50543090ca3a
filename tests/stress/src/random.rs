//! Numbers that are the same in each run, in the order of their seed.

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // An even seed may be the constant's multiple of zero.
        Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % bound as u64).unwrap_or(0)
    }

    /// `count` of the keys from 0 to `keys`, in no order.
    pub(crate) fn keys(&mut self, count: usize, keys: i64) -> Vec<i64> {
        let mut all: Vec<i64> = (0..keys).collect();
        for i in 0..count {
            let other = i + self.below(all.len() - i);
            all.swap(i, other);
        }
        all.truncate(count);
        all
    }
}
