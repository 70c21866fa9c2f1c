//! Who this sensor is, and how it signs.
//!
//! - A batch is sealed once: its payload bytes are what was signed, hashed and chained, and nobody encodes them anew.
//! - Every batch names the hash of the one before it, over restarts and boots; a sensor's first names [`CHAIN_START`].
//! - Within a boot the sequences of events have no holes and never come twice; a new boot begins again at 1.
//! - The chain moves on only when a batch was kept ([`Sealer::advance`]); a batch that could not be kept leaves no trace in it.
//! - An identity is taken only from files of root or the running user that nobody else can write.
//! - Key bytes are wiped after use and appear in no `Debug` form, error or log; key files are readable by their owner only.
//!
//! [`CHAIN_START`]: claviger_proto::envelope::CHAIN_START

mod chain;
mod chain_file;
mod durable;
mod identity;
mod identity_files;
mod ids;
mod seal;
mod trust;
mod validity;

pub use chain::ChainState;
pub use chain_file::{ENROLMENT_AT, ENROLMENT_LEN, enrolled_key, enrolment, unused_chain};
pub use identity::Identity;
pub use identity_files::IdentityError;
pub use ids::{BootId, InvalidId, SensorId};
pub use seal::{MAX_BATCH_EVENTS, MAX_ENVELOPE_BYTES, SealError, Sealed, Sealer};
pub use trust::{Untrusted, trust_dir};
pub use validity::{Validity, ValidityError};
