//! The evidence log: signed envelopes, appended and never changed.
//!
//! Invariants:
//! - What [`EvidenceLog::sync`] returned for is on durable storage.
//! - A group of appends is kept whole or, by [`EvidenceLog::roll_back`], not at all; a group never spans two segments.
//! - A record that is damaged is reported with file and offset, never skipped silently.
//! - Recovery removes only what nobody was promised: a torn tail behind what is indexed. What it cannot explain as torn it sets
//!   aside as `N.log.OFFSET.damaged` before cutting.
//!
//! On disk, in `evidence/`:
//! ```text
//! 00000000000000000001.log …       segments, numbered from 1, each begun when the one before had 64 MiB or more
//!   record*                        back to back
//!     length   u32 LE              of the body, 1 to MAX_RECORD_BYTES
//!     checksum u32 LE              CRC-32C of the body
//!     body                         an encoded Envelope
//! ```

mod medium;
mod reader;
mod record;
mod writer;

#[cfg(test)]
pub(crate) use medium::testing;
pub use medium::{Medium, OsMedium, SegmentFile};
pub use reader::{LogReader, Scan};
pub use record::MAX_RECORD_BYTES;
pub use writer::{EvidenceLog, Recovery};

/// How large a segment grows before the next is begun; it may exceed this by one group of appends.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// Where a record begins, or where the next one will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Number of the segment.
    pub segment: u64,
    /// Byte in it.
    pub offset: u64,
}

impl Position {
    /// Before the first record of all.
    pub const START: Self = Self {
        segment: 1,
        offset: 0,
    };
}

fn segment_name(segment: u64) -> String {
    format!("{segment:020}.log")
}

fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}
