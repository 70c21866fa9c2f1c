//! The kernel half's accounts, read for each CPU that there can be and added up.
//!
//! A CPU that is taken offline keeps its counts: the maps have a place for every possible CPU from the beginning, and all are read.

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
    /// The same for each possible CPU, without missed runs, of which it is not known where they were.
    pub cpus: Vec<CpuAccounts>,
}

/// One probe's accounts on one CPU. On each CPU `seen = submitted + lost` once no program runs there, for a program stays on its CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuAccounts {
    /// Observations, read before the rest.
    pub seen_before: u64,
    /// Observations, read after the rest.
    pub seen: u64,
    /// Records handed to the ring buffer.
    pub submitted: u64,
    /// All losses together.
    pub lost: u64,
}

/// The reasons for which the kernel half loses what it has observed, in the words of events, logs and metrics.
const LOSSES: [(&str, Counter); 8] = [
    ("ring_full", Counter::LostRingFull),
    ("unreadable", Counter::LostUnreadable),
    ("too_many_in_flight", Counter::LostInFlight),
    ("too_many_readers", Counter::LostReaders),
    ("too_many_written", Counter::LostWritten),
    ("descriptor_gone", Counter::LostDescriptorGone),
    ("too_many_descriptors", Counter::LostDescriptors),
    ("too_many_labels", Counter::LostLabels),
];

/// Runs that the kernel left out.
const MISSED: &str = "recursion_miss";

/// All reasons for which something is lost in the kernel.
#[must_use]
pub fn kernel_losses() -> Vec<&'static str> {
    let ours = LOSSES.into_iter().map(|(reason, _)| reason);
    ours.chain([MISSED]).collect()
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

    /// The accounts of every probe, as they are now. Slots are read one after the other while programs run: what became of observations is read
    /// before the last look at `seen`, so one under way can make `seen` larger by itself, never smaller.
    ///
    /// # Errors
    /// Those of the map.
    pub fn read(&self) -> Result<BTreeMap<Probe, ProbeAccounts>, KernelError> {
        let mut all = BTreeMap::new();
        for probe in PROBES {
            let mut cpus = Vec::new();
            let seen_before = |cpu: &mut CpuAccounts, count| cpu.seen_before = count;
            self.each(probe, Counter::Seen, &mut cpus, seen_before)?;
            let submitted = |cpu: &mut CpuAccounts, count| cpu.submitted = count;
            let submitted = self.each(probe, Counter::Submitted, &mut cpus, submitted)?;
            let mut lost = BTreeMap::new();
            for (reason, counter) in LOSSES {
                let count = self.each(probe, counter, &mut cpus, |cpu, count| cpu.lost += count)?;
                if count > 0 {
                    lost.insert(reason, count);
                }
            }
            let missed = self.recursion_misses(probe);
            if missed > 0 {
                lost.insert(MISSED, missed);
            }
            let seen = missed + self.each(probe, Counter::Seen, &mut cpus, |cpu, count| cpu.seen = count)?;
            all.insert(
                probe,
                ProbeAccounts {
                    seen,
                    submitted,
                    lost,
                    repeated: self.each(probe, Counter::Repeated, &mut cpus, |_, _| {})?,
                    cpus,
                },
            );
        }
        Ok(all)
    }

    /// Takes up one counter of a probe for each possible CPU, and returns all together.
    fn each(
        &self,
        probe: Probe,
        counter: Counter,
        cpus: &mut Vec<CpuAccounts>,
        take: impl Fn(&mut CpuAccounts, u64),
    ) -> Result<u64, KernelError> {
        let index = counter.index(probe);
        let values = self.counters.get(&index, 0).map_err(|source| KernelError::Map {
            name: "COUNTERS",
            source: Box::new(source),
        })?;
        cpus.resize(values.len(), CpuAccounts::default());
        for (cpu, count) in cpus.iter_mut().zip(values.iter()) {
            take(cpu, *count);
        }
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
