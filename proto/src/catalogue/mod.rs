//! The catalogue: which credentials there are, where they lie, and who usually reads them. It is data (`catalogue.toml`), not code.
//!
//! - It is read and then never changes; reading is total and bounded: a catalogue with anything wrong in it is refused, with all that is wrong, each
//!   with file, line, column, entry, key and reason. Another policy is another catalogue ([`Catalogue::with`]), told apart by its digest.
//! - Sensor and detector read the same one, so both mean the same by a kind.
//! - Patterns are matched against the bytes of a path, in time linear in the pattern for every byte of the path; nothing here looks at
//!   a file system.

mod content;
mod digest;
mod endpoint;
mod entry;
mod error;
mod errors;
mod layer;
mod parse;
mod pattern;
mod provider;
mod shipped;
mod socket;
mod start;

pub use content::Content;
pub use endpoint::{Call, Endpoint};
pub use entry::{Catalogue, Entry, Kind, Operation};
pub use error::CatalogueError;
pub use errors::{CatalogueErrors, ERRORS_MAX};
pub use layer::{Layer, Warning};
pub use pattern::{Anchor, Component, Pattern, PatternError};
pub use provider::Provider;
pub use socket::Socket;
pub use start::Start;
