//! Calls that run again after other transactions were in their way.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// How often a call is run again after a [`Contention`](crate::Contention);
/// [`Upsert::retry`](crate::Upsert::retry) takes it.
///
/// Before each attempt but the first the call waits for a random time, up to
/// `first_delay` the first time and twice as much each time, but never more than
/// `max_delay`. With the default it makes at most 30 attempts, begins none after a minute, and
/// waits for up to 10 ms, 20 ms, 40 ms and so on to one second.
///
/// ```
/// use std::time::Duration;
/// use upsert_core::Retry;
///
/// let patient = Retry::default().attempts(50).time_limit(Duration::from_secs(600));
/// assert_ne!(patient, Retry::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    attempts: u32,
    first_delay: Duration,
    max_delay: Duration,
    time_limit: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 30,
            first_delay: Duration::from_millis(10),
            max_delay: Duration::from_secs(1),
            time_limit: Duration::from_secs(60),
        }
    }
}

impl Retry {
    /// Limits the attempts, with the first one; 0 is taken as 1.
    #[must_use]
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = if attempts == 0 { 1 } else { attempts };
        self
    }

    /// Waits up to `delay` before the second attempt.
    #[must_use]
    pub const fn first_delay(mut self, delay: Duration) -> Self {
        self.first_delay = delay;
        self
    }

    /// Waits never more than `delay`.
    #[must_use]
    pub const fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Begins no attempt after the call has taken so long.
    #[must_use]
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// How long to wait after `made` attempts that took `elapsed` in all; `None` to give
    /// up. `random` is any number.
    pub(crate) fn delay(&self, made: u32, elapsed: Duration, random: u64) -> Option<Duration> {
        if made >= self.attempts {
            return None;
        }
        let doubled = 2_u32.saturating_pow(made.saturating_sub(1));
        let most = self.first_delay.saturating_mul(doubled).min(self.max_delay);
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        let delay = Duration::from_nanos(random % nanos.saturating_add(1).max(1));
        (elapsed.saturating_add(delay) < self.time_limit).then_some(delay)
    }
}

/// The attempts of a call.
#[derive(Debug)]
pub(crate) struct Attempts {
    retry: Retry,
    begun: Instant,
    made: u32,
}

impl Attempts {
    /// Those of a call that is about to make its first one.
    pub(crate) fn of(retry: Option<Retry>) -> Self {
        Self {
            retry: retry.unwrap_or_else(|| Retry::default().attempts(1)),
            begun: Instant::now(),
            made: 0,
        }
    }

    /// How many there were.
    pub(crate) fn made(&self) -> u32 {
        self.made
    }

    /// How long to wait after one more attempt has failed, or, to give up, how many there
    /// were.
    pub(crate) fn failed(&mut self) -> Result<Duration, u32> {
        self.made += 1;
        // The standard library's source of numbers that differ between processes.
        let random = RandomState::new().hash_one(self.made);
        let delay = self.retry.delay(self.made, self.begun.elapsed(), random);
        delay.ok_or(self.made)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn delays_double_up_to_the_largest() {
        let retry = Retry::default();
        let most = |made| {
            let delays = (0..100_000).map(|i| retry.delay(made, Duration::ZERO, i * 99_991));
            delays.map(Option::unwrap).max().unwrap().as_millis()
        };
        assert_eq!([1, 2, 3, 9].map(most), [9, 19, 39, 999]);
    }

    #[test]
    fn there_is_an_end_to_attempts_and_to_time() {
        let retry = Retry::default()
            .attempts(3)
            .time_limit(Duration::from_secs(1));
        assert!(retry.delay(2, Duration::ZERO, 0).is_some());
        assert_eq!(retry.delay(3, Duration::ZERO, 0), None);
        assert_eq!(retry.delay(1, Duration::from_secs(1), 0), None);
        assert_eq!(Retry::default().attempts(0), Retry::default().attempts(1));
    }

    #[test]
    fn a_call_without_retry_makes_one_attempt() {
        assert_eq!(Attempts::of(None).failed(), Err(1));
    }

    proptest! {
        #[test]
        fn no_delay_is_longer_than_the_largest(
            attempts: u32,
            first: Duration,
            largest: Duration,
            made: u32,
            elapsed: Duration,
            random: u64,
        ) {
            let retry = Retry::default()
                .attempts(attempts)
                .first_delay(first)
                .max_delay(largest);
            match retry.delay(made, elapsed, random) {
                Some(delay) => {
                    prop_assert!(delay <= largest);
                    prop_assert!(made < attempts.max(1));
                    prop_assert!(elapsed + delay < Duration::from_secs(60));
                }
                None => prop_assert!(
                    made >= attempts.max(1)
                        || elapsed.saturating_add(largest) >= Duration::from_secs(60)
                ),
            }
        }
    }
}
