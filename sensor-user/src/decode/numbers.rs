//! The kernel's numbers as user space knows them.

/// A clock tick of /proc: USER_HZ is 100 on every architecture that Linux has today but alpha.
pub const NANOSECONDS_PER_TICK: u64 = 10_000_000;

/// Nanoseconds since boot in ticks, rounded down as the kernel does for field 22 of /proc/PID/stat.
#[must_use]
pub const fn ticks(nanoseconds: u64) -> u64 {
    nanoseconds / NANOSECONDS_PER_TICK
}

/// `st_dev` of stat(2) for a device number in the kernel's encoding (12 bits of major above 20 of minor).
#[must_use]
pub(super) const fn stat_device(kernel: u32) -> u64 {
    let major = (kernel >> 20) as u64;
    let minor = (kernel & 0xf_ffff) as u64;
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// An id, or nothing where the kernel has none.
#[must_use]
pub(super) const fn id(kernel: u32) -> Option<u32> {
    if kernel == claviger_sensor_common::UNKNOWN_ID {
        None
    } else {
        Some(kernel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_come_out_as_stat_shows_them() {
        // /dev/vda1 is 254:1, the first anonymous device 0:21.
        assert_eq!(stat_device((254 << 20) | 1), 0xfe01);
        assert_eq!(stat_device(21), 21);
        // A minor above 255 is split: 0:300 is 0x10002c.
        assert_eq!(stat_device(300), 0x10_002c);
    }

    #[test]
    fn ticks_round_down() {
        assert_eq!(ticks(19_999_999), 1);
        assert_eq!(ticks(20_000_000), 2);
    }

    #[test]
    fn the_kernels_minus_one_is_no_id() {
        assert_eq!(id(u32::MAX), None);
        assert_eq!(id(0), Some(0));
    }
}
