//! What a process takes of memory and time, from `/proc`. Pages of BPF maps are left out, for they are told as the size of the maps.

use std::fs;

use anyhow::Context as _;

/// Kernels for people's machines count in these.
const TICKS_A_SECOND: u64 = 100;

/// One look at a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) resident_bytes: u64,
    pub(super) cpu_ms: u64,
}

impl Usage {
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            fs::read_to_string(&path).with_context(|| format!("reading {path}"))
        };
        parse(&read("status")?, &read("stat")?, &read("smaps")?)
            .with_context(|| format!("reading the usage of process {pid}"))
    }
}

fn parse(status: &str, stat: &str, mappings: &str) -> Option<Usage> {
    let resident = status
        .lines()
        .find_map(|line| number_of_kibibytes(line, "VmRSS:"))?;
    let of_maps = of_maps(mappings) * 1024;
    // Behind the name, which may hold anything, in brackets: fields 3 and on. 14 and 15 are the times in user and kernel mode.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<u64>);
    let ticks = times.next()?.ok()? + times.next()?.ok()?;
    Some(Usage {
        resident_bytes: (resident * 1024).saturating_sub(of_maps),
        cpu_ms: ticks * 1000 / TICKS_A_SECOND,
    })
}

fn number_of_kibibytes(line: &str, name: &str) -> Option<u64> {
    let value = line.strip_prefix(name)?;
    value.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// Resident kibibytes of BPF maps, of the text of smaps: each mapping's line with its file, then its numbers.
fn of_maps(mappings: &str) -> u64 {
    let (mut sum, mut is_map) = (0, false);
    for line in mappings.lines() {
        match number_of_kibibytes(line, "Rss:") {
            Some(resident) if is_map => sum += resident,
            Some(_) => {}
            None if line.split(' ').next().is_some_and(|range| range.contains('-')) => {
                is_map = line.ends_with("anon_inode:bpf-map");
            }
            None => {}
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_time_are_read() {
        let status = "Name:\tx\nVmRSS:\t   10240 kB\n";
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0";
        let mappings = "7f00-7f10 r--s 00000000 00:0f 9 anon_inode:bpf-map\nSize: 64 kB\nRss:  1024 kB\nPss: 8 kB\n\
                        7f20-7f30 rw-p 00000000 00:00 0 \nRss: 512 kB\n";
        assert_eq!(
            parse(status, stat, mappings),
            Some(Usage {
                resident_bytes: 9 << 20,
                cpu_ms: 3000
            })
        );
        assert_eq!(parse("", stat, ""), None);
        assert_eq!(parse(status, "12 (a) S", ""), None);
    }
}
