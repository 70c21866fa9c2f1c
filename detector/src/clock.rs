//! The clock as a parameter, so that tests can set it, and the conversions between the three forms a time has here.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

/// Tells the time. Everything that depends on the time of day is handed one of these.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time of day.
    fn now(&self) -> Timestamp;
}

/// A clock that many hold.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands where it was set.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self(Mutex::new(now)))
    }

    /// Moves it to `now`.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The form a time has on the wire.
#[must_use]
pub fn to_proto(time: Timestamp) -> prost_types::Timestamp {
    let seconds = time.as_nanosecond().div_euclid(1_000_000_000);
    let nanos = time.as_nanosecond().rem_euclid(1_000_000_000);
    prost_types::Timestamp {
        seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        nanos: i32::try_from(nanos).unwrap_or(0),
    }
}

/// A time from the wire; nothing where no calendar holds it.
#[must_use]
pub fn from_proto(time: &prost_types::Timestamp) -> Option<Timestamp> {
    Timestamp::new(time.seconds, time.nanos).ok()
}

/// Microseconds from `earlier` to `later`; 0 where they are the other way round (two clocks that disagree).
#[must_use]
pub fn elapsed_us(earlier: Timestamp, later: Timestamp) -> u64 {
    u64::try_from(later.as_microsecond().saturating_sub(earlier.as_microsecond())).unwrap_or(0)
}

/// A time as people here read it: UTC, to the second.
#[must_use]
pub fn to_the_second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_the_wire() {
        for nanos in [0_i128, 1, -1, -1_000_000_001, 1_795_000_000_123_456_789] {
            let time = Timestamp::from_nanosecond(nanos).expect("in range");
            assert_eq!(from_proto(&to_proto(time)), Some(time));
            assert!(to_proto(time).nanos >= 0, "nanos count forward from seconds");
        }
        assert_eq!(
            from_proto(&prost_types::Timestamp {
                seconds: i64::MAX,
                nanos: 0
            }),
            None
        );
    }

    #[test]
    fn elapsed_is_never_negative() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        assert_eq!(elapsed_us(at(10), at(12)), 2_000_000);
        assert_eq!(elapsed_us(at(12), at(10)), 0);
    }
}
