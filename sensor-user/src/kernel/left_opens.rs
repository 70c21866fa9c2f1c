//! Opens by io_uring without completion that had not run when the call ended that submitted them: whether they have run since.

use std::io;

use aya::{
    Ebpf,
    maps::{HashMap, MapData, MapError},
};
use claviger_sensor_common::{HAS_RUN, IN_FLIGHT_MAX};

use super::KernelError;

/// What has run and nobody has asked for is forgotten after this time: its record was lost.
const KEPT_NS: u64 = 60_000_000_000;

/// What became of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOpen {
    /// It is to run.
    ToRun,
    /// It has run.
    HasRun,
    /// It has failed, or was cancelled.
    Failed,
}

/// All of them.
pub struct LeftOpens {
    map: HashMap<MapData, u64, u32>,
}

impl LeftOpens {
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        const NAME: &str = "LEFT_OPENS";
        let map = ebpf
            .take_map(NAME)
            .ok_or_else(|| KernelError::io(format!("finding map {NAME}"))(io::ErrorKind::NotFound.into()))?;
        let map = HashMap::try_from(map).map_err(|source| KernelError::Map {
            name: NAME,
            source: Box::new(source),
        })?;
        Ok(Self { map })
    }

    /// Has the kernel half look through them: from now on [`Self::take`] says what is so now. It takes some microseconds, and a tenth of one for each open that
    /// is under way.
    pub fn look(&self) {
        // Nobody is called: only the end of the call matters.
        let _refused = call();
    }

    /// What became of one, which is told by when it was submitted, in nanoseconds since boot. What has run is forgotten.
    pub fn take(&mut self, submitted_ns: u64) -> LeftOpen {
        match self.map.get(&submitted_ns, 0) {
            Ok(HAS_RUN) => {
                self.forget(submitted_ns);
                LeftOpen::HasRun
            }
            Ok(_) => LeftOpen::ToRun,
            Err(MapError::KeyNotFound) => LeftOpen::Failed,
            // Nobody knows: it is to be followed.
            Err(_) => LeftOpen::HasRun,
        }
    }

    /// Forgets what has run long ago. The time is since boot.
    pub fn forget_old(&mut self, now_ns: u64) {
        self.look();
        let old: Vec<u64> = self
            .map
            .iter()
            // Where entries go while it is gone through, it begins anew: no more steps than there is room.
            .take(IN_FLIGHT_MAX as usize)
            .filter_map(Result::ok)
            .filter(|&(submitted_ns, state)| {
                state == HAS_RUN && submitted_ns.saturating_add(KEPT_NS) < now_ns
            })
            .map(|(submitted_ns, _)| submitted_ns)
            .collect();
        for submitted_ns in old {
            self.forget(submitted_ns);
        }
    }

    fn forget(&mut self, submitted_ns: u64) {
        // It is there, or was taken away by the kernel half.
        let _gone = self.map.remove(&submitted_ns);
    }
}

/// Registers nothing with no ring: at the end of the call the kernel half looks.
#[expect(
    unsafe_code,
    reason = "rustix has this call behind a feature, for a ring that is one"
)]
pub(super) fn call() -> (libc::c_long, io::Error) {
    // SAFETY: no ring is -1, nor is what is behind it looked at where it is taken for that of the thread: nothing is registered by this number.
    let called = unsafe { libc::syscall(libc::SYS_io_uring_register, -2, u32::MAX >> 1, 0, 0) };
    (called, io::Error::last_os_error())
}
