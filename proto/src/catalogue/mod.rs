//! The catalogue: which credentials there are, where they lie, and who usually reads them. It is data (`catalogue.toml`), not code.
//!
//! - It is read once and then never changes; reading is total: a catalogue with anything wrong in it is refused with file, line, entry
//!   and reason.
//! - Sensor and detector read the same one, so both mean the same by a kind.
//! - Patterns are matched against the bytes of a path, in time linear in the pattern for every byte of the path; nothing here looks at
//!   a file system.

mod entry;
mod error;
mod parse;
mod pattern;
mod shipped;

pub use entry::{Catalogue, Entry, Kind, Operation};
pub use error::CatalogueError;
pub use pattern::{Anchor, Component, Pattern, PatternError};
