//! What must be true before anything is loaded, told in a way that a person can act on.

use std::{fs, path::Path};

use super::KernelError;

/// Oldest kernel with the ring buffer.
const OLDEST: (u32, u32) = (5, 8);

/// Checks permission and version.
///
/// # Errors
/// [`KernelError::NotPermitted`], [`KernelError::TooOld`].
pub(super) fn check() -> Result<(), KernelError> {
    let release = release();
    if parse_release(&release).is_some_and(|version| version < OLDEST) {
        return Err(KernelError::TooOld { release });
    }
    if may_load(&fs::read_to_string("/proc/self/status").unwrap_or_default()) {
        Ok(())
    } else {
        Err(KernelError::NotPermitted)
    }
}

/// `uname -r`.
pub(super) fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// The LSMs that are active, in their order; nothing where it cannot be read. Must run where securityfs is mounted.
#[must_use]
pub fn active_lsms() -> Option<String> {
    fs::read_to_string(Path::new("/sys/kernel/security/lsm"))
        .ok()
        .map(|list| list.trim().to_owned())
}

fn parse_release(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(['.', '-', '+']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// CAP_SYS_ADMIN, or CAP_BPF and CAP_PERFMON, among the effective capabilities.
fn may_load(status: &str) -> bool {
    const SYS_ADMIN: u64 = 1 << 21;
    const PERFMON_AND_BPF: u64 = (1 << 38) | (1 << 39);
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & SYS_ADMIN != 0 || mask & PERFMON_AND_BPF == PERFMON_AND_BPF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_as_distributions_write_them() {
        assert_eq!(parse_release("6.1.0-56-cloud-amd64"), Some((6, 1)));
        assert_eq!(parse_release("6.12.117+deb12-cloud-amd64"), Some((6, 12)));
        assert_eq!(parse_release("4.19.0"), Some((4, 19)));
        assert_eq!(parse_release("strange"), None);
    }

    #[test]
    fn loading_needs_admin_or_bpf_with_perfmon() {
        assert!(may_load("Name:\tx\nCapEff:\t000001fffeffffff\n"));
        assert!(may_load("CapEff:\t000000c000000000\n"));
        assert!(
            !may_load("CapEff:\t0000008000000000\n"),
            "CAP_BPF alone cannot read kernel memory"
        );
        assert!(!may_load("CapEff:\t0000000000000000\n"));
        assert!(!may_load(""));
    }
}
