//! What the sensor itself costs.

use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Memory and CPU of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SelfUsage {
    /// Resident memory in bytes.
    pub resident_memory_bytes: u64,
    /// CPU time since the start, in microseconds (to the tick of 10 ms).
    pub cpu_time_us: u64,
}

impl SelfUsage {
    /// Of this process, now.
    #[must_use]
    pub fn read() -> Self {
        let pid = Pid::from_u32(std::process::id());
        let Ok(mut system) = System::new() else {
            return Self::default();
        };
        let refresh = ProcessRefreshKind::nothing().with_memory().with_cpu();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, refresh);
        system.process(pid).map_or_else(Self::default, |process| {
            let cpu = Duration::from_millis(process.accumulated_cpu_time());
            Self {
                resident_memory_bytes: process.memory(),
                cpu_time_us: u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::SelfUsage;

    #[test]
    fn this_process_uses_memory() {
        assert!(SelfUsage::read().resident_memory_bytes > 100_000);
    }
}
