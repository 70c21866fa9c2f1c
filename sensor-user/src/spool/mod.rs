//! The queue on disk between sealing and the detector's receipt.
//!
//! # Invariants
//! - What [`Spool::append`] returned is on the disk: it survives a kill and a power cut, and is offered until it is acknowledged.
//! - Batches are offered in the order of their appending; one whose acknowledgement returned is never offered again.
//! - The chain goes on over everything: restarts, boots, an emptied spool, deleted segments. A sequence that may have left this
//!   host is never given to another event.
//! - Bytes on disk stay below `max_bytes` (plus ledger and reserve, some 100 KiB); what is lost to that, to a full disk, to damage or to a
//!   rejection is a [`Lost`], kept in the ledger until a batch was appended after it was taken (see [`Spool::take_lost`]). What
//!   a rejected batch told of losses is told again.
//! - What the ledger or the anchor knows to have been written and is neither acknowledged nor in a segment is told as lost: a segment that is
//!   gone is missed, and so is the whole spool, before an opening as while it is open. A symbolic link, or whatever else is no regular file, is
//!   never read and counts as gone.
//! - A segment that lies under the name of another is set aside (`misplaced`, at most one is kept) and told as a gap.
//! - A damaged record costs that record. What stands behind it is found again and offered.
//! - One process at a time: a lock on the directory.
//!
//! # On disk
//! ```text
//! spool/
//!   lock                        locked for as long as the spool is open
//!   reserve                     64 KiB that are given up for the ledger when the disk is full
//!   acknowledged                the ledger: crc32c in hex, newline, JSON; replaced whole (temp, fsync, rename, fsync)
//!   00000000000000000001.seg    segments, numbered on; only the last is written to
//!
//! segment  = header record*
//! header   = "CLVSPOOL" version:u32 crc32c:u32 boot:16 next_sequence:u64 previous_digest:32      where the chain stood
//! record   = "CLVR" length:u32 crc32c:u32 body                     the checksum covers length and body
//! body     = boot:16 first:u64 last:u64 digest:32 previous_digest:32 sealed_at_ms:i64 envelope
//! ```
//! Numbers are little-endian.
//!
//! # How it works
//! *Append* writes a record behind the last one and fdatasyncs. Where that fails the record is cut off again before anything else is
//! appended, so a batch that was refused can never come back beside another with its sequences. A new segment is begun at
//! `segment_bytes`. *Acknowledging* writes the ledger, then deletes the segments that are acknowledged throughout, never the last; on
//! a full disk that one is emptied. *Dropping* the oldest segment writes the loss and the new beginning into the ledger, then
//! deletes; where the disk has no room even for the ledger, the new batch is refused instead. *Opening* walks all records once. What
//! stands behind the last whole record was never returned as appended and is cut off; whose batch it was is told as lost where that
//! can be read. Where a record does not build on the one before it, what is between is lost and told so once.
//!
//! The ledger is written when a segment is begun, at each acknowledgement, when a loss is counted or told, and at a clean stop, but not
//! with each batch, which would cost two more fsyncs. What it does not say the *anchor* does (`anchor.rs`), a small file elsewhere: where the
//! chain stands, at each append. So whatever goes missing of the spool, or all of it, is missed exactly, also after kill -9. After a power cut
//! the anchor can be as old as the last segment's beginning: what is missing is then told without a digest, for nobody knows what came last. Where
//! the anchor is gone too, the chain goes on at a sequence that this boot cannot have come to. Whoever puts back an older anchor and an older
//! spool together is not noticed here, but by the detector, which refuses what it has as a fork.
//!
//! An append first looks whether the last segment is still there under its name. If not, what of the spool is gone is counted as lost, and the
//! rest is made anew (`removed.rs`).
//!
//! Memory: a few numbers per segment and one record at a time (4 MiB at most).

mod anchor;
mod error;
mod fs;
mod ledger;
mod lost;
mod mark;
#[cfg(test)]
mod memory_fs;
mod os_fs;
mod queue;
mod read;
mod record;
mod recover;
mod removed;
mod reserve;
mod scan;
mod segment;
mod stats;
#[cfg(test)]
mod tests;
mod told_again;
mod written_down;

pub use anchor::Anchor;
pub use error::SpoolError;
pub use fs::{FileSystem, SpoolFile};
pub(crate) use lost::MAX_PENDING as UNTOLD_LOSSES_MAX;
pub use lost::{LossReason, Lost, LostRange};
pub use mark::Mark;
pub use os_fs::{OsFile, OsFileSystem};
pub use queue::Spool;
pub use read::Waiting;
pub use recover::Recovery;
pub use stats::SpoolStats;
