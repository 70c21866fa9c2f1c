//! The kernel half's accounts, read and added up over CPUs.

use std::{collections::BTreeMap, fs, os::fd::AsRawFd as _};

use aya::{
    Ebpf,
    maps::{MapData, PerCpuArray},
    programs::ProgramFd,
};
use claviger_sensor_common::{Counter, PROBES, Probe};

use super::KernelError;

/// One probe's accounts since load: `seen = submitted + Σ lost`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeAccounts {
    /// Observations that were to be reported, missed runs included.
    pub seen: u64,
    /// Records handed to the ring buffer.
    pub submitted: u64,
    /// Losses by reason. Only reasons that occurred.
    pub lost: BTreeMap<&'static str, u64>,
    /// Uses that repeat one that was reported; they are counted in its place and are not in `seen`.
    pub repeated: u64,
}

impl ProbeAccounts {
    /// All losses together.
    #[must_use]
    pub fn lost_total(&self) -> u64 {
        self.lost.values().sum()
    }
}

/// Reads the accounts.
pub struct Accounts {
    counters: PerCpuArray<MapData, u64>,
    /// The programs in use, for the runs that the kernel itself left out.
    programs: Vec<(Probe, ProgramFd)>,
}

impl Accounts {
    pub(super) fn new(ebpf: &mut Ebpf, programs: Vec<(Probe, ProgramFd)>) -> Result<Self, KernelError> {
        let map = ebpf
            .take_map("COUNTERS")
            .ok_or_else(|| KernelError::io("finding map COUNTERS")(std::io::ErrorKind::NotFound.into()))?;
        let counters = PerCpuArray::try_from(map).map_err(|source| KernelError::Map {
            name: "COUNTERS",
            source: Box::new(source),
        })?;
        Ok(Self { counters, programs })
    }

    /// The accounts of every probe, as they are now. Slots are read one after the other while programs run: `submitted` is read before
    /// `seen`, so an observation under way can make `seen` larger by itself, never smaller.
    ///
    /// # Errors
    /// Those of the map.
    pub fn read(&self) -> Result<BTreeMap<Probe, ProbeAccounts>, KernelError> {
        let mut all = BTreeMap::new();
        for probe in PROBES {
            let submitted = self.sum(Counter::Submitted.index(probe))?;
            let mut lost = BTreeMap::new();
            for (reason, counter) in [
                ("ring_full", Counter::LostRingFull),
                ("unreadable", Counter::LostUnreadable),
                ("too_many_in_flight", Counter::LostInFlight),
                ("too_many_readers", Counter::LostReaders),
                ("too_many_written", Counter::LostWritten),
            ] {
                let count = self.sum(counter.index(probe))?;
                if count > 0 {
                    lost.insert(reason, count);
                }
            }
            let missed = self.recursion_misses(probe);
            if missed > 0 {
                lost.insert("recursion_miss", missed);
            }
            let seen = self.sum(Counter::Seen.index(probe))? + missed;
            all.insert(
                probe,
                ProbeAccounts {
                    seen,
                    submitted,
                    lost,
                    repeated: self.sum(Counter::Repeated.index(probe))?,
                },
            );
        }
        Ok(all)
    }

    fn sum(&self, index: u32) -> Result<u64, KernelError> {
        let values = self.counters.get(&index, 0).map_err(|source| KernelError::Map {
            name: "COUNTERS",
            source: Box::new(source),
        })?;
        Ok(values.iter().sum())
    }

    /// Runs that the kernel left out because the same program was running on that CPU. It tells them in fdinfo only (5.12).
    fn recursion_misses(&self, probe: Probe) -> u64 {
        self.programs
            .iter()
            .filter(|(of, _)| *of == probe)
            .filter_map(|(_, program)| {
                use std::os::fd::AsFd as _;
                let path = format!("/proc/self/fdinfo/{}", program.as_fd().as_raw_fd());
                parse_recursion_misses(&fs::read_to_string(path).ok()?)
            })
            .sum()
    }
}

fn parse_recursion_misses(fdinfo: &str) -> Option<u64> {
    fdinfo
        .lines()
        .find_map(|line| line.strip_prefix("recursion_misses:"))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::parse_recursion_misses;

    #[test]
    fn misses_are_read_from_fdinfo() {
        let text = "pos:\t0\nprog_type:\t26\nrun_cnt:\t9\nrecursion_misses:\t3\nverified_insns:\t812\n";
        assert_eq!(parse_recursion_misses(text), Some(3));
        assert_eq!(parse_recursion_misses("pos:\t0\n"), None);
    }
}
