//! How often each use was repeated, as the kernel half counts it.

use aya::{
    Ebpf,
    maps::{HashMap, MapData, MapError},
};
use claviger_sensor_common::{RepeatCount, RepeatKey};
use zerocopy::transmute;

use super::KernelError;

/// The map refused.
#[derive(Debug, thiserror::Error)]
#[error("map REPEATS of the kernel half")]
pub struct RepeatError(#[source] Box<MapError>);

type Key = [u8; size_of::<RepeatKey>()];
type Value = [u8; size_of::<RepeatCount>()];

fn count(value: Value) -> u64 {
    let counted: RepeatCount = transmute!(value);
    counted.count
}

/// The counts. The kernel half makes entries and adds to them; only the agent takes them away, and only once their process has ended and nothing can be
/// added any more: what is added between the last reading of an entry and its removal would be lost without a word.
pub struct Repeats {
    map: HashMap<MapData, Key, Value>,
}

impl Repeats {
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        let map = ebpf
            .take_map("REPEATS")
            .ok_or_else(|| KernelError::io("finding map REPEATS")(std::io::ErrorKind::NotFound.into()))?;
        let map = HashMap::try_from(map).map_err(|source| KernelError::Map {
            name: "REPEATS",
            source: Box::new(source),
        })?;
        Ok(Self { map })
    }

    /// How often a use was repeated since its process had it first; nothing where that is not counted.
    ///
    /// # Errors
    /// [`RepeatError`].
    pub fn count(&self, key: RepeatKey) -> Result<Option<u64>, RepeatError> {
        let key: Key = transmute!(key);
        match self.map.get(&key, 0) {
            Ok(value) => Ok(Some(count(value))),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(RepeatError(Box::new(error))),
        }
    }

    /// Everything that is counted. What comes and goes meanwhile may be left out or be there twice.
    ///
    /// # Errors
    /// [`RepeatError`].
    pub fn all(&self) -> Result<Vec<(RepeatKey, u64)>, RepeatError> {
        self.map
            .iter()
            .map(|entry| {
                let (key, value) = entry.map_err(|error| RepeatError(Box::new(error)))?;
                Ok((transmute!(key), count(value)))
            })
            .collect()
    }

    /// Counts a use no longer. Its process must have ended.
    ///
    /// # Errors
    /// [`RepeatError`]; none where it was not counted.
    pub fn forget(&mut self, key: RepeatKey) -> Result<(), RepeatError> {
        let key: Key = transmute!(key);
        match self.map.remove(&key) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(MapError::SyscallError(error)) if error.io_error.kind() == std::io::ErrorKind::NotFound => {
                Ok(())
            }
            Err(error) => Err(RepeatError(Box::new(error))),
        }
    }
}
