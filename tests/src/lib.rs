//! What the end-to-end tests share: decoy credentials in homes of their own, and the real programs run as a user would run them.
//!
//! The same tests run on this host and in the VMs. There, and wherever the programs lie elsewhere, `CLAVIGER_SENSOR_BIN` and
//! `CLAVIGER_DETECTOR_BIN` name them, and `CLAVIGER_EXPECT_HOOK` names the hook that must be the one in use.
#![forbid(unsafe_code)]

mod actor;
mod decoy;
mod disk;
mod openmetrics;
mod programs;
mod rcu;
mod service;
mod trace;
pub mod ways;

pub use actor::{actor, copier, script};
pub use decoy::{Decoy, SECRET};
pub use disk::Disk;
pub use openmetrics::Exposition;
pub use programs::{can_load, detector, expected_hook, sensor, vm};
pub use service::{Detector, PATIENCE, Sensor, crash, lines_until};
pub use trace::{Told, Traced, told, trace, trace_by, trace_with};
