//! How long to wait before the next try. Pure.

use std::time::Duration;

/// Doubles from `first` to `most`. Half of each wait is left to chance, so that sensors that lost one detector together do not come
/// back together.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            next: first,
        }
    }

    /// The next wait; `chance` is any number.
    pub(super) fn next(&mut self, chance: u32) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.most);
        let half = wait / 2;
        half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }

    /// It worked.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_grow_to_the_bound_and_begin_anew(chances in prop::collection::vec(any::<u32>(), 1..40)) {
            let (first, most) = (Duration::from_millis(250), Duration::from_secs(30));
            let mut backoff = Backoff::new(first, most);
            let mut whole = first;
            for chance in chances {
                let wait = backoff.next(chance);
                prop_assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
                whole = (whole * 2).min(most);
            }
            backoff.reset();
            prop_assert_eq!(backoff.next(u32::MAX), first);
        }
    }
}
