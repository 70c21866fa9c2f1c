//! The sensor's configuration: one TOML file, parsed once into types that are valid by themselves.
//!
//! - An unknown key is an error everywhere; a value that cannot be meant is an error here and nowhere later.
//! - Every error names the file, the place in it, the key and the reason.
//! - Without `--config` and without the default file the defaults alone hold; a file that was named must be there.
//! - No secret belongs in the configuration, so it can be shown in full.
//!
//! Which credentials there are is a matter of its own ([`Policy`]): the shipped catalogue and the operator's files over it, read again on SIGHUP.
//!
//! `packaging/sensor.full.toml` holds every option with its default; a test keeps both equal.

mod address;
mod checked;
mod directories;
mod effective;
mod error;
mod load;
mod locate;
mod policy;
mod raw;
mod resolve;
mod settings;

pub use address::{DetectorAddress, InvalidAddress};
pub use checked::{Checked, FAULTS_MAX};
pub(crate) use directories::{IDENTITY_DIR, NEW_IDENTITY_DIR, SPOOL_DIR};
pub use error::{ConfigError, WrongValue};
pub use load::DEFAULT_PATH;
pub use policy::{DEFAULT_DIRECTORY, Policy};
pub use settings::{
    Batch, Catalogue, Config, Detector, FileOpenHook, Log, LogFormat, LogLevel, Metrics, Network, Probes,
    Spool, WhenFull,
};
