//! Where the endpoints of the catalogue are, as the kernel half is told.

use std::{
    collections::HashSet,
    io,
    net::{IpAddr, SocketAddr},
};

use aya::{
    Btf, Ebpf,
    maps::{HashMap, MapData, MapError},
    programs::Iter,
};
use claviger_sensor_common::Destination;

use super::{
    KernelError, LookError,
    open_descriptors::{load_one, own, run},
};
use crate::error::in_one_line;

const NAME: &str = "ENDPOINTS";

/// The map refused.
#[derive(Debug, thiserror::Error)]
#[error("map ENDPOINTS of the kernel half")]
pub struct EndpointsError(#[source] Box<MapError>);

/// The look through sockets that are connected already.
const LIVE: (&str, &str) = ("live_sockets", "task_file");

/// Sets addresses. The kernel half only reads them.
pub struct Endpoints {
    map: HashMap<MapData, [u8; 20], u32>,
    /// Nothing where connections are not watched, or this kernel has no such iterator.
    live: Option<Iter>,
}

impl Endpoints {
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        let map = ebpf
            .take_map(NAME)
            .ok_or_else(|| KernelError::io(format!("finding map {NAME}"))(io::ErrorKind::NotFound.into()))?;
        let map = HashMap::try_from(map).map_err(|source| KernelError::Map {
            name: NAME,
            source: Box::new(source),
        })?;
        Ok(Self { map, live: None })
    }

    /// From now on sockets that are connected already are watched too. Says what is not seen where that cannot be.
    pub(super) fn with_live_sockets(&mut self, ebpf: &mut Ebpf, btf: &Btf) -> Option<&'static str> {
        let loaded =
            load_one(ebpf, btf, LIVE).and_then(|()| own(ebpf, LIVE).map_err(|error| in_one_line(&error)));
        match loaded {
            Ok(live) => {
                self.live = Some(live);
                None
            }
            Err(why) => {
                tracing::debug!(%why, "live sockets cannot be looked through");
                Some("connections that were there before the sensor")
            }
        }
    }

    /// Looks through all sockets that are connected: those that lead to one of the addresses are watched from now on. Blocks for some milliseconds.
    ///
    /// # Errors
    /// [`LookError`]; those that were found until then are watched.
    pub fn find_live(&mut self) -> Result<(), LookError> {
        self.live.as_mut().map_or(Ok(()), run)
    }

    /// Sets these, and takes away all others. What both have stays all the while.
    ///
    /// # Errors
    /// [`EndpointsError`], e.g. where there are more than the map takes.
    pub fn set(&mut self, addresses: impl IntoIterator<Item = SocketAddr>) -> Result<(), EndpointsError> {
        let refused = |source| EndpointsError(Box::new(source));
        let wanted: HashSet<[u8; 20]> = addresses.into_iter().map(key).collect();
        let old: Vec<[u8; 20]> = self
            .map
            .keys()
            .filter_map(Result::ok)
            .filter(|old| !wanted.contains(old))
            .collect();
        for key in old {
            self.map.remove(&key).map_err(refused)?;
        }
        for key in wanted {
            self.map.insert(key, 1, 0).map_err(refused)?;
        }
        Ok(())
    }
}

/// The bytes of a [`Destination`].
fn key(address: SocketAddr) -> [u8; 20] {
    let mapped = match address.ip() {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let destination = Destination {
        address: mapped.octets(),
        port: u32::from(address.port()),
    };
    let mut key = [0; 20];
    key.copy_from_slice(zerocopy::IntoBytes::as_bytes(&destination));
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_laid_out_as_the_kernel_half_has_it() {
        let key = key("169.254.169.254:80".parse().expect("an address"));
        assert_eq!(key[..10], [0; 10]);
        assert_eq!(key[10..16], [0xff, 0xff, 169, 254, 169, 254]);
        assert_eq!(key[16..], 80_u32.to_ne_bytes());
    }
}
