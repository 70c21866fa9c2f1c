//! What of the kernel's is the sensor's own: its links, programs and maps. The kernel half is told their ids, the agent their names.

use std::{collections::HashMap, fs, io};

use aya::{
    Ebpf,
    maps::{HashMap as Map, MapData, MapInfo},
    programs::Program,
};
use claviger_sensor_common::{TAMPER_LINK, TAMPER_MAP, TAMPER_PROGRAM};

use super::KernelError;
use crate::error::in_one_line;

/// A part of the kernel half, by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BpfObject {
    /// A map.
    Map(u32),
    /// A program.
    Program(u32),
    /// A link.
    Link(u32),
}

/// Names of what is the sensor's own.
#[derive(Clone, Debug, Default)]
pub struct OwnBpf {
    names: HashMap<BpfObject, String>,
}

impl OwnBpf {
    /// A part of the kernel half, in words: "link 12 of program sys_exit_opens".
    #[must_use]
    pub fn describe(&self, object: BpfObject) -> String {
        let name = self.names.get(&object).map_or("", String::as_str);
        match object {
            BpfObject::Map(id) => format!("map {id} ({name})"),
            BpfObject::Program(id) => format!("program {id} ({name})"),
            BpfObject::Link(id) => format!("link {id} of program {name}"),
        }
    }

    /// The id of a map of the object.
    pub(super) fn map(&self, name: &str) -> Option<u32> {
        self.names.iter().find_map(|(object, named)| match object {
            BpfObject::Map(id) if named == name => Some(*id),
            _ => None,
        })
    }

    /// Looks for all of them, and tells the kernel half. What cannot be told stays unwatched, which is said.
    pub(super) fn announce(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        let own = Self::find(ebpf).map_err(KernelError::io("listing the sensor's own programs and maps"))?;
        let map = ebpf
            .take_map("OWN_BPF")
            .ok_or_else(|| KernelError::io("finding map OWN_BPF")(io::ErrorKind::NotFound.into()))?;
        let unusable = |source| KernelError::Map {
            name: "OWN_BPF",
            source: Box::new(source),
        };
        let mut map: Map<MapData, [u8; 8], u32> = Map::try_from(map).map_err(unusable)?;
        let mut untold = 0usize;
        for object in own.names.keys() {
            untold += usize::from(map.insert(key(*object), 1, 0).is_err());
        }
        if untold > 0 {
            tracing::error!(
                untold,
                "what is done to some of the sensor's own programs and maps is not seen"
            );
        }
        Ok(own)
    }

    fn find(ebpf: &Ebpf) -> io::Result<Self> {
        let mut names = HashMap::new();
        let mut programs = HashMap::new();
        for (name, program) in ebpf.programs() {
            let Some((id, maps)) = loaded(program) else {
                continue;
            };
            programs.insert(id, name.to_owned());
            names.insert(BpfObject::Program(id), name.to_owned());
            for map in maps {
                names.entry(BpfObject::Map(map)).or_default();
            }
        }
        for descriptor in fs::read_dir("/proc/self/fdinfo")? {
            // The one of the directory itself is gone when it is read.
            let facts = fs::read_to_string(descriptor?.path()).unwrap_or_default();
            let number = |key| number(&facts, key);
            if let Some(id) = number("map_id:") {
                names.entry(BpfObject::Map(id)).or_default();
            }
            if let (Some(link), Some(program)) = (number("link_id:"), number("prog_id:"))
                && let Some(name) = programs.get(&program)
            {
                names.insert(BpfObject::Link(link), name.clone());
            }
        }
        for (object, name) in &mut names {
            if let BpfObject::Map(id) = object
                && name.is_empty()
            {
                *name = map_name(*id);
            }
        }
        Ok(Self { names })
    }
}

fn key(object: BpfObject) -> [u8; 8] {
    let (what, id) = match object {
        BpfObject::Map(id) => (TAMPER_MAP, id),
        BpfObject::Program(id) => (TAMPER_PROGRAM, id),
        BpfObject::Link(id) => (TAMPER_LINK, id),
    };
    zerocopy::transmute!([what, id])
}

/// Id and maps of a program; nothing where it is not loaded.
fn loaded(program: &Program) -> Option<(u32, Vec<u32>)> {
    let info = program.info().ok()?;
    let maps = match info.map_ids() {
        Ok(maps) => maps.unwrap_or_default(),
        Err(error) => {
            tracing::debug!(error = %in_one_line(&error), "the maps of a program cannot be listed");
            Vec::new()
        }
    };
    Some((info.id(), maps))
}

fn map_name(id: u32) -> String {
    MapInfo::from_id(id)
        .ok()
        .and_then(|info| info.name_as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// The number behind a key of /proc/PID/fdinfo.
pub(super) fn number(facts: &str, key: &str) -> Option<u32> {
    let line = facts.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_fdinfo() {
        let facts = "pos:\t0\nlink_type:\tperf\nlink_id:\t12\nprog_tag:\tab\nprog_id:\t34\n";
        assert_eq!(number(facts, "link_id:"), Some(12));
        assert_eq!(number(facts, "prog_id:"), Some(34));
        assert_eq!(number(facts, "map_id:"), None);
        assert_eq!(number("map_id:\tx\n", "map_id:"), None);
    }

    #[test]
    fn each_is_told_in_words() {
        let mut own = OwnBpf::default();
        own.names.insert(BpfObject::Link(12), "sys_exit_opens".to_owned());
        own.names.insert(BpfObject::Map(7), "LABELS".to_owned());
        assert_eq!(
            own.describe(BpfObject::Link(12)),
            "link 12 of program sys_exit_opens"
        );
        assert_eq!(own.describe(BpfObject::Map(7)), "map 7 (LABELS)");
        assert_ne!(key(BpfObject::Link(7)), key(BpfObject::Map(7)));
    }
}
