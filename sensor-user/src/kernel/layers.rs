//! How overlayfs keeps its layers: told to the kernel half once its module is there, which may be long after the start.

use std::{io, path::PathBuf};

use aya::{
    Ebpf,
    maps::{Array, MapData},
};
use claviger_sensor_common::OverlayOffsets;
use zerocopy::transmute;

use super::{KernelError, offsets};
use crate::error::in_one_line;

/// What is not seen while that is not known.
pub const NO_LAYERS: &str =
    "which file of its layers overlayfs shows: its module is not loaded, or is of a form that is not known";

type Bytes = [u8; size_of::<OverlayOffsets>()];

/// Tells it.
pub struct Layers {
    map: Array<MapData, Bytes>,
    btf: PathBuf,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The module is not there yet.
    Awaited,
    /// Told.
    Known,
    /// It is there, and nothing can be told of it.
    Unknown,
}

impl Layers {
    pub(super) fn new(ebpf: &mut Ebpf, btf: PathBuf) -> Result<Self, KernelError> {
        let map = ebpf
            .take_map("OVERLAY")
            .ok_or_else(|| KernelError::io("finding map OVERLAY")(io::ErrorKind::NotFound.into()))?;
        let map = Array::try_from(map).map_err(|source| KernelError::Map {
            name: "OVERLAY",
            source: Box::new(source),
        })?;
        let mut layers = Self {
            map,
            btf,
            state: State::Awaited,
        };
        match offsets::overlay(&layers.btf)? {
            Some(offsets) => layers.tell(offsets),
            None if offsets::module_of(&layers.btf).exists() => layers.state = State::Unknown,
            None => {}
        }
        Ok(layers)
    }

    /// Whether the kernel half knows.
    #[must_use]
    pub fn are_known(&self) -> bool {
        self.state == State::Known
    }

    /// Looks whether the module has come. Costs a look at a path while it has not, and nothing once it has. True where that has just been told.
    pub fn have_come(&mut self) -> bool {
        if self.state != State::Awaited || !offsets::module_of(&self.btf).exists() {
            return false;
        }
        self.state = State::Unknown;
        match offsets::overlay(&self.btf) {
            Ok(Some(offsets)) => self.tell(offsets),
            Ok(None) => tracing::warn!("overlayfs is of a form that is not known: {NO_LAYERS} is not seen"),
            Err(error) => {
                tracing::warn!(error = %in_one_line(&error), "overlayfs was loaded and cannot be followed to its layers");
            }
        }
        self.are_known()
    }

    fn tell(&mut self, offsets: OverlayOffsets) {
        // The rest first: a program that runs meanwhile sees all of it or that nothing is known.
        let told = [0, offsets.known].into_iter().try_for_each(|known| {
            let bytes: Bytes = transmute!(OverlayOffsets { known, ..offsets });
            self.map.set(0, bytes, 0)
        });
        self.state = match told {
            Ok(()) => State::Known,
            Err(error) => {
                tracing::warn!(error = %in_one_line(&error), "overlayfs cannot be followed to its layers");
                State::Unknown
            }
        };
    }
}
