//! How far a sensor's clock is off, as far as its batches tell.
//!
//! A batch can be old because it waited in a spool, so an old time of sealing alone says nothing. Two signs do:
//! - a batch sealed in the detector's future: no waiting makes that;
//! - a batch that came as long after the one before as it was sealed after it: both came straight from sealing.

use jiff::{SignedDuration, Timestamp};

/// How far a clock may be off before anybody is told.
pub(super) const TOLERATED: SignedDuration = SignedDuration::from_secs(300);
/// Batches closer together than this may both come out of a spool.
const APART: SignedDuration = SignedDuration::from_secs(2);
/// How much longer the way of one may have been than that of the other.
const JITTER: SignedDuration = SignedDuration::from_secs(1);

/// Watches one stream.
#[derive(Debug, Default)]
pub(super) struct ClockWatch {
    before: Option<(Timestamp, Timestamp)>,
}

impl ClockWatch {
    /// How far the sensor's clock is ahead, where this batch tells.
    pub(super) fn observe(&mut self, sealed: Timestamp, received: Timestamp) -> Option<SignedDuration> {
        let before = self.before.replace((sealed, received));
        let ahead = sealed.duration_since(received);
        if ahead > TOLERATED {
            return Some(ahead);
        }
        let (sealed_before, received_before) = before?;
        let between = received.duration_since(received_before);
        let difference = sealed.duration_since(sealed_before).checked_sub(between)?;
        (between >= APART && difference.abs() <= JITTER).then_some(ahead)
    }
}

/// An offset as a person says it.
pub(super) fn in_words(ahead: SignedDuration) -> String {
    let seconds = ahead.as_secs().unsigned_abs();
    let amount = match seconds {
        0..=119 => format!("{seconds} seconds"),
        120..=7_199 => format!("{} minutes", seconds / 60),
        7_200..=172_799 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    };
    let direction = if ahead.is_negative() { "behind" } else { "ahead of" };
    format!("about {amount} {direction} the detector's")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn a_backlog_says_nothing() {
        let mut watch = ClockWatch::default();
        for batch in 0..100 {
            assert_eq!(
                watch.observe(at(1_000 + 60 * batch), at(100_000 + batch / 50)),
                None
            );
        }
    }

    #[test]
    fn live_batches_show_a_clock_that_is_behind_and_one_that_is_right() {
        for (offset, seconds) in [(-3_600, -3_600), (0, 0), (2, 2)] {
            let mut watch = ClockWatch::default();
            assert_eq!(watch.observe(at(100_000 + offset), at(100_000)), None);
            let ahead = watch.observe(at(100_060 + offset), at(100_060)).expect("is live");
            assert_eq!(ahead.as_secs(), seconds);
        }
    }

    #[test]
    fn a_batch_of_the_future_is_enough() {
        let ahead = ClockWatch::default()
            .observe(at(103_600), at(100_000))
            .expect("is told");
        assert_eq!(in_words(ahead), "about 60 minutes ahead of the detector's");
        assert_eq!(
            in_words(SignedDuration::from_hours(-72)),
            "about 3 days behind the detector's"
        );
    }
}
