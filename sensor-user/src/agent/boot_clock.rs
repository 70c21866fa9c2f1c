//! From the kernel's time since boot to the wall clock.

use std::time::{Duration, SystemTime};

use prost_types::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Where the wall clock stood at boot, as of now. Made anew for each event, since the wall clock can step.
#[derive(Clone, Copy, Debug)]
pub(super) struct BootClock {
    now: SystemTime,
    since_boot: Duration,
}

impl BootClock {
    /// Reads both clocks.
    #[must_use]
    pub(super) fn read() -> Self {
        let boot = clock_gettime(ClockId::Boottime);
        let since_boot = Duration::new(
            u64::try_from(boot.tv_sec).unwrap_or_default(),
            u32::try_from(boot.tv_nsec).unwrap_or_default(),
        );
        Self {
            now: SystemTime::now(),
            since_boot,
        }
    }

    /// Nanoseconds since boot, now.
    #[must_use]
    pub(super) fn since_boot_ns(&self) -> u64 {
        u64::try_from(self.since_boot.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The wall-clock time of a moment since boot.
    #[must_use]
    pub(super) fn wall(&self, since_boot_ns: u64) -> SystemTime {
        let moment = Duration::from_nanos(since_boot_ns);
        match self.since_boot.checked_sub(moment) {
            Some(ago) => self.now.checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH),
            None => self.now,
        }
    }
}

/// A time as protobuf has it.
#[must_use]
pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::from(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_a_second_ago_is_a_second_ago() {
        let clock = BootClock {
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000),
            since_boot: Duration::from_secs(10),
        };
        assert_eq!(
            clock.wall(9_000_000_000),
            SystemTime::UNIX_EPOCH + Duration::from_secs(999)
        );
        assert_eq!(clock.wall(11_000_000_000), clock.now, "the future is now");
    }
}
