//! Credentials: where they lie, and what their public part says.
//!
//! - Nothing of a secret leaves this room: what comes out are [`claviger_proto::v1::Identity`] with checked public attributes, and reasons
//!   that are fixed words of ours, never a piece of the content.
//! - The parsers are pure and total: any bytes, up to [`MAX_CONTENT_BYTES`], give an answer; they never panic and never look elsewhere.
//! - Opening and reading never block: only a regular file is opened at all, and not through `/proc`'s magic links.
//! - Several identities in one file are all reported, none is picked. At most [`MAX_IDENTITIES`] are; the last one then says in its
//!   attribute `omitted_identities` how many more there are.
//! - No claim of a token and no name in a file is verified here: they are what the file says.
//!
//! Limit: content is wiped from memory where it is ours ([`read_public`]); the YAML reader's own buffers (kubeconfig) are not.

mod aws;
mod content;
mod fingerprint;
mod google;
mod jwt;
mod kubeconfig;
mod look;
mod open;
mod parsed;
mod places;
mod public;
mod read;
mod ssh;

pub use content::{Contents, Recognised, recognise};
pub use fingerprint::{Fingerprint, Fingerprints};
pub use look::Seen;
pub use open::{Held, OpenError, Version, open_candidate};
pub use parsed::{MAX_CONTENT_BYTES, MAX_IDENTITIES, Parsed, identities};
pub use places::{
    Candidate, Home, LabelledDirectory, LeftOut, Mounted, OVERLAYS_MAX, Overlay, Places, ScanError,
    ScanLimits, ScanResult, Way, Why, homes, homes_of, mounted_path, mounts_of, seen_through, served_from,
};
pub use read::{ReadError, read_public};
