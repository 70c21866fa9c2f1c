//! What the kernel tells of the programs and maps that are loaded: what verifying them took, how large they are, what they hold.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _};

use anyhow::Context as _;
use aya::maps::loaded_maps;
use aya::programs::loaded_programs;
use serde::Serialize;

/// A loaded program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Program {
    #[serde(skip)]
    pub(crate) id: u32,
    /// As the kernel has it, the first 15 bytes; `#2` and so on where several begin alike.
    pub(crate) name: String,
    /// Instructions that the verifier looked at, over all paths (5.16).
    pub(crate) verified: Option<u32>,
    /// Bytes after the verifier's rewriting.
    pub(crate) translated_bytes: Option<u32>,
    /// Bytes of machine code.
    pub(crate) machine_bytes: u32,
    /// Nanoseconds that it ran while statistics were kept.
    #[serde(skip)]
    pub(crate) ran_ns: u64,
}

/// A loaded map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Map {
    #[serde(skip)]
    pub(crate) id: u32,
    pub(crate) name: String,
    /// Memory that it holds, as its fdinfo says.
    pub(crate) memory_bytes: u64,
}

/// Everything that was loaded at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Before {
    programs: BTreeSet<u32>,
    maps: BTreeSet<u32>,
}

impl Before {
    pub(crate) fn now() -> anyhow::Result<Self> {
        let mut before = Self::default();
        for program in loaded_programs() {
            before.programs.insert(program.context("listing programs")?.id());
        }
        for map in loaded_maps() {
            before.maps.insert(map.context("listing maps")?.id());
        }
        Ok(before)
    }

    /// Programs that came since, in the order of loading.
    pub(crate) fn new_programs(&self) -> anyhow::Result<Vec<Program>> {
        let mut programs = Vec::new();
        for info in loaded_programs() {
            let info = info.context("listing programs")?;
            if !self.programs.contains(&info.id()) {
                programs.push(Program {
                    id: info.id(),
                    name: String::from_utf8_lossy(info.name()).into_owned(),
                    verified: info.verified_instruction_count(),
                    translated_bytes: info.size_translated(),
                    machine_bytes: info.size_jitted(),
                    ran_ns: u64::try_from(info.run_time().as_nanos()).unwrap_or(u64::MAX),
                });
            }
        }
        programs.sort_by_key(|program| program.id);
        tell_apart(&mut programs);
        Ok(programs)
    }

    /// Maps that came since, in the order of making.
    pub(crate) fn new_maps(&self) -> anyhow::Result<Vec<Map>> {
        let mut maps = Vec::new();
        for info in loaded_maps() {
            let info = info.context("listing maps")?;
            if self.maps.contains(&info.id()) {
                continue;
            }
            let descriptor = info.fd().context("opening a map")?;
            let path = format!("/proc/self/fdinfo/{}", descriptor.as_fd().as_raw_fd());
            let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
            maps.push(Map {
                id: info.id(),
                name: String::from_utf8_lossy(info.name()).into_owned(),
                memory_bytes: memory_in(&text).with_context(|| format!("{path} tells no memlock"))?,
            });
        }
        maps.sort_by_key(|map| map.id);
        Ok(maps)
    }
}

fn tell_apart(programs: &mut [Program]) {
    for at in 0..programs.len() {
        let (earlier, rest) = programs.split_at_mut(at);
        let program = &mut rest[0];
        let alike = earlier
            .iter()
            .filter(|one| one.name.split('#').next() == Some(program.name.as_str()))
            .count();
        if alike > 0 {
            program.name = format!("{}#{}", program.name, alike + 1);
        }
    }
}

fn memory_in(fdinfo: &str) -> Option<u64> {
    let value = fdinfo.lines().find_map(|line| line.strip_prefix("memlock:"))?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str) -> Program {
        Program {
            id: 0,
            name: name.to_owned(),
            verified: None,
            translated_bytes: None,
            machine_bytes: 0,
            ran_ns: 0,
        }
    }

    #[test]
    fn programs_whose_names_were_cut_alike_are_told_apart() {
        let mut programs = ["a", "sys_exit_openat", "sys_exit_openat", "b", "sys_exit_openat"].map(program);
        tell_apart(&mut programs);
        let names = programs.map(|program| program.name);
        assert_eq!(
            names,
            [
                "a",
                "sys_exit_openat",
                "sys_exit_openat#2",
                "b",
                "sys_exit_openat#3"
            ]
        );
    }

    #[test]
    fn a_maps_memory_is_read_from_fdinfo() {
        let text = "pos:\t0\nmap_type:\t27\nmax_entries:\t4194304\nmemlock:\t8433680\nmap_id:\t7\n";
        assert_eq!(memory_in(text), Some(8_433_680));
        assert_eq!(memory_in("pos:\t0\n"), None);
    }
}
