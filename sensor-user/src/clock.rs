//! The wall clock, as a parameter: what depends on the time can be tested at any time.

use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost_types::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Tells the wall-clock time.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Now, by the host's clock, which can be wrong and can step.
    fn now(&self) -> SystemTime;
}

/// The host's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// How long ago the kernel was booted, suspended time included.
#[must_use]
pub fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// Milliseconds since 1970, negative before; saturating.
#[must_use]
pub fn unix_milliseconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |milliseconds| -milliseconds)
        }
    }
}

/// A time for people: RFC 3339 in UTC, to the second.
#[must_use]
pub fn utc(seconds_since_1970: i64) -> String {
    claviger_proto::json::rfc3339(&Timestamp {
        seconds: seconds_since_1970,
        nanos: 0,
    })
    .map_or_else(
        || format!("{seconds_since_1970} s after 1970"),
        |text| text.replace(".000000000Z", "Z"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_know_both_sides_of_1970() {
        assert_eq!(
            unix_milliseconds(UNIX_EPOCH + Duration::from_millis(1_500)),
            1_500
        );
        assert_eq!(
            unix_milliseconds(UNIX_EPOCH - Duration::from_millis(1_500)),
            -1_500
        );
    }

    #[test]
    fn times_read_as_people_write_them() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(i64::MAX), format!("{} s after 1970", i64::MAX));
    }
}
