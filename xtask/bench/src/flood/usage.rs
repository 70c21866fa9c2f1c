//! What a process takes of memory and time, from `/proc`.

use std::fs;

use anyhow::Context as _;

/// Kernels for people's machines count in these.
const TICKS_A_SECOND: u64 = 100;

/// One look at a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) resident_bytes: u64,
    pub(super) most_resident_bytes: u64,
    pub(super) cpu_ms: u64,
}

impl Usage {
    pub(super) fn of(pid: u32) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            fs::read_to_string(&path).with_context(|| format!("reading {path}"))
        };
        parse(&read("status")?, &read("stat")?).with_context(|| format!("reading the usage of process {pid}"))
    }
}

fn parse(status: &str, stat: &str) -> Option<Usage> {
    let kibibytes = |name: &str| -> Option<u64> {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix(" kB")?.trim().parse().ok()
    };
    // Behind the name, which may hold anything, in brackets: fields 3 and on. 14 and 15 are the times in user and kernel mode.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<u64>);
    let ticks = times.next()?.ok()? + times.next()?.ok()?;
    Some(Usage {
        resident_bytes: kibibytes("VmRSS:")? * 1024,
        most_resident_bytes: kibibytes("VmHWM:")? * 1024,
        cpu_ms: ticks * 1000 / TICKS_A_SECOND,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_time_are_read() {
        let status = "Name:\tx\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n";
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0";
        assert_eq!(
            parse(status, stat),
            Some(Usage {
                resident_bytes: 10 << 20,
                most_resident_bytes: 20 << 20,
                cpu_ms: 3000
            })
        );
        assert_eq!(parse("", stat), None);
        assert_eq!(parse(status, "12 (a) S"), None);
    }
}
