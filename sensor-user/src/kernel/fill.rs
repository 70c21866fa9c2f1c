//! How full the kernel half's maps are. The kernel has no count of a hash map's entries, so they are gone through key by key, which takes a third of a
//! microsecond each: not in the loop, and not often.

use std::{
    fs, io,
    os::fd::{AsFd as _, AsRawFd as _},
    ptr,
};

use aya::maps::{MapFd, MapInfo};
use claviger_sensor_common::{
    AGENT_THREADS_MAX, CHANGES_IN_FLIGHT_MAX, DIRECTORIES_MAX, HOLDERS_MAX, IN_FLIGHT_MAX, NAMES_MAX,
    OBJECTS_MAX, OWN_BPF_MAX, PREFILTER_WORDS, READERS_MAX, REPEATS_MAX, SECRET_NAMES_MAX, SHARERS_MAX,
    WAYS_MAX, WRITTEN_MAX,
};

use super::{KernelError, OwnBpf, own::number};

/// Every map that fills, but for those of the calls of one thread under way: its name in the object, the word for it in metrics, and its bound.
pub const MAPS: [(&str, &str, u32); 24] = [
    ("OBJECTS", "labelled_objects", OBJECTS_MAX),
    ("DIRECTORIES", "labelled_directories", DIRECTORIES_MAX),
    ("NAMES", "watched_names", NAMES_MAX),
    ("WAYS", "ways", WAYS_MAX),
    ("PASSED", "prefilter_bits", PREFILTER_WORDS * 64),
    ("REPEATS", "repeats", REPEATS_MAX),
    ("READERS", "readers", READERS_MAX),
    ("HOLDERS", "holders", HOLDERS_MAX),
    ("WRITTEN", "written_files", WRITTEN_MAX),
    ("LOOKED_AT", "written_files_looked_at", WRITTEN_MAX),
    ("SHARED_TABLES", "shared_tables", SHARERS_MAX),
    ("SHARED_MEMORY", "shared_memory", SHARERS_MAX),
    ("PENDING", "changes_in_flight", CHANGES_IN_FLIGHT_MAX),
    ("IN_FLIGHT", "io_uring_opens_in_flight", IN_FLIGHT_MAX),
    ("LEFT_OPENS", "io_uring_opens_to_run", IN_FLIGHT_MAX),
    ("BY_USER_DATA", "io_uring_completions_awaited", IN_FLIGHT_MAX),
    ("CHANGES_ASKED", "io_uring_changes_in_flight", IN_FLIGHT_MAX),
    (
        "CHANGES_BY_DATA",
        "io_uring_completions_of_changes_awaited",
        IN_FLIGHT_MAX,
    ),
    ("NAMES_ASKED", "changes_of_names_in_flight", IN_FLIGHT_MAX),
    ("ENDS_AWAITED", "io_uring_ends_awaited", IN_FLIGHT_MAX),
    (
        "CHANGES_AWAITED",
        "io_uring_ends_of_changes_awaited",
        IN_FLIGHT_MAX,
    ),
    ("SECRET_NAMES", "secret_names", SECRET_NAMES_MAX),
    ("OWN_BPF", "own_bpf", OWN_BPF_MAX),
    ("AGENT_THREADS", "own_threads", AGENT_THREADS_MAX),
];

/// How full one map is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapFill {
    /// The word for it.
    pub map: &'static str,
    /// Its entries. What comes and goes while they are counted may be left out or be there twice.
    pub entries: u32,
    /// Its bound.
    pub bound: u32,
}

struct Counted {
    fill: MapFill,
    map: MapFd,
}

/// Counts entries.
pub struct Fill {
    maps: Vec<Counted>,
}

/// Longest key of [`MAPS`].
const KEY_BYTES_MAX: usize = 256;

impl Fill {
    /// Of the sensor's own maps.
    pub(super) fn new(own: &OwnBpf) -> Result<Self, KernelError> {
        let open = |(name, word, bound)| {
            let id = own.map(name).ok_or_else(|| {
                KernelError::io(format!("finding map {name}"))(io::ErrorKind::NotFound.into())
            })?;
            let opened = MapInfo::from_id(id).and_then(|info| info.fd());
            let map = opened.map_err(|source| KernelError::Map {
                name,
                source: Box::new(source),
            })?;
            check_keys(&map).map_err(KernelError::io(format!("reading of the keys of map {name}")))?;
            let fill = MapFill {
                map: word,
                entries: 0,
                bound,
            };
            Ok(Counted { fill, map })
        };
        Ok(Self {
            maps: MAPS.into_iter().map(open).collect::<Result<_, _>>()?,
        })
    }

    /// Counts now.
    #[must_use]
    pub fn count(&self) -> Vec<MapFill> {
        let count = |counted: &Counted| MapFill {
            entries: count(&counted.map, counted.fill.bound),
            ..counted.fill
        };
        self.maps.iter().map(count).collect()
    }
}

/// Makes sure that a key of this map has room where it will be written to.
fn check_keys(map: &MapFd) -> io::Result<()> {
    let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", map.as_fd().as_raw_fd()))?;
    match number(&facts, "key_size:") {
        Some(bytes) if bytes as usize <= KEY_BYTES_MAX => Ok(()),
        Some(_) | None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Goes through a map. A key that is deleted meanwhile leads back to the beginning, so no more steps are made than there is room for entries.
fn count(map: &MapFd, bound: u32) -> u32 {
    let mut key: Option<[u8; KEY_BYTES_MAX]> = None;
    for entries in 0..bound {
        match next_key(map, key.as_ref()) {
            Some(next) => key = Some(next),
            None => return entries,
        }
    }
    bound
}

/// The key behind one, or the first. Nothing at the end.
#[expect(
    unsafe_code,
    reason = "aya goes through a map only with its types of keys and values, which are the kernel half's own"
)]
fn next_key(map: &MapFd, key: Option<&[u8; KEY_BYTES_MAX]>) -> Option<[u8; KEY_BYTES_MAX]> {
    const BPF_MAP_GET_NEXT_KEY: libc::c_long = 4;
    /// The part of `union bpf_attr` that this command reads.
    #[repr(C)]
    struct Attributes {
        map: u32,
        _padding: u32,
        key: u64,
        next_key: u64,
    }
    let mut next = [0; KEY_BYTES_MAX];
    let attributes = Attributes {
        map: map.as_fd().as_raw_fd().unsigned_abs(),
        _padding: 0,
        key: key.map_or(ptr::null(), |key| key.as_ptr()) as u64,
        next_key: next.as_mut_ptr() as u64,
    };
    // SAFETY: the kernel reads the attributes and one key, and writes one key; both places live through the call, and that a key of this map
    // fits was checked when it was opened.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_MAP_GET_NEXT_KEY,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    (result == 0).then_some(next)
}
