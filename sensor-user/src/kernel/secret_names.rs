//! The names behind which credentials stand in environments and arguments, as the kernel half is told them.

use std::{collections::BTreeMap, io};

use aya::{
    Ebpf,
    maps::{Array, HashMap, MapData, MapError},
};
use claviger_sensor_common::{PLACE_VARIABLE, SECRET_NAME_WORDS, secret_name_bit, secret_name_hash};

use super::KernelError;

/// A variable that the canary has, which no catalogue names.
pub(super) const CANARY_VARIABLE: &str = "CLAVIGER_CANARY_VARIABLE";

/// A map refused.
#[derive(Debug, thiserror::Error)]
#[error("map {name} of the kernel half")]
pub struct SecretNamesError {
    /// Its name.
    name: &'static str,
    /// What aya said.
    #[source]
    source: Box<MapError>,
}

/// Sets names. The kernel half only reads them.
pub struct SecretNames {
    names: HashMap<MapData, u64, u32>,
    bits: Array<MapData, u64>,
}

impl SecretNames {
    /// Only the canary's name is set.
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        fn take<T: TryFrom<aya::maps::Map, Error = MapError>>(
            ebpf: &mut Ebpf,
            name: &'static str,
        ) -> Result<T, KernelError> {
            let map = ebpf.take_map(name).ok_or_else(|| {
                KernelError::io(format!("finding map {name}"))(io::ErrorKind::NotFound.into())
            })?;
            T::try_from(map).map_err(|source| KernelError::Map {
                name,
                source: Box::new(source),
            })
        }
        let mut names = Self {
            names: take(ebpf, "SECRET_NAMES")?,
            bits: take(ebpf, "SECRET_NAME_BITS")?,
        };
        names.set(&BTreeMap::new()).map_err(|error| KernelError::Map {
            name: error.name,
            source: error.source,
        })?;
        Ok(names)
    }

    /// Sets these, by hash and with their flags, and takes away all others. What both have stays all the while.
    ///
    /// # Errors
    /// [`SecretNamesError`], e.g. where there are more than the map takes.
    pub fn set(&mut self, wanted: &BTreeMap<u64, u32>) -> Result<(), SecretNamesError> {
        let refused = |source| SecretNamesError {
            name: "SECRET_NAMES",
            source: Box::new(source),
        };
        let canary = secret_name_hash(PLACE_VARIABLE, CANARY_VARIABLE.as_bytes());
        let wanted = || {
            wanted
                .iter()
                .map(|(hash, flags)| (*hash, *flags))
                .chain([(canary, 0)])
        };
        let old: Vec<u64> = self
            .names
            .keys()
            .filter_map(Result::ok)
            .filter(|old| wanted().all(|(hash, _)| hash != *old))
            .collect();
        for hash in old {
            self.names.remove(&hash).map_err(refused)?;
        }
        for (hash, flags) in wanted() {
            self.names.insert(hash, flags, 0).map_err(refused)?;
        }
        for index in 0..SECRET_NAME_WORDS {
            let of_word = wanted()
                .map(|(hash, _)| secret_name_bit(hash))
                .filter(|(word, _)| *word == index);
            let bits = of_word.fold(0, |bits, (_, bit)| bits | bit);
            self.bits.set(index, bits, 0).map_err(|source| SecretNamesError {
                name: "SECRET_NAME_BITS",
                source: Box::new(source),
            })?;
        }
        Ok(())
    }
}
