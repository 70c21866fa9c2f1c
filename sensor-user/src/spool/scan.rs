//! Looking at what stands in a segment, whatever it is.

use std::io;

use bytes::Bytes;

use super::SpoolFile;
use super::record::{MARKER, META_LEN, Meta, PREFIX_LEN, Prefix};

/// How far the search for the next record reads at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Most markers that are tried behind a damage. Names that programs choose can hold the marker, each costing a checksum.
const MAX_CANDIDATES: usize = 4_096;

/// A whole record.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) meta: Meta,
    pub(super) envelope: Bytes,
    /// Where it ends.
    pub(super) end: u64,
}

/// Reads; what the disk cannot read any more is as good as not there.
fn read<F: SpoolFile>(file: &F, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    match file.read_at(buffer, offset) {
        Err(why) if why.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => Ok(0),
        read => read,
    }
}

/// Reads the record at an offset; nothing where none stands there whole.
pub(super) fn record_at<F: SpoolFile>(file: &F, offset: u64) -> io::Result<Option<Found>> {
    let mut prefix = [0; PREFIX_LEN];
    if read(file, &mut prefix, offset)? < PREFIX_LEN {
        return Ok(None);
    }
    let Some(prefix) = Prefix::parse(&prefix) else {
        return Ok(None);
    };
    let mut body = vec![0; prefix.body_len];
    if read(file, &mut body, offset + PREFIX_LEN as u64)? < body.len() || !prefix.vouches_for(&body) {
        return Ok(None);
    }
    let Some(meta) = Meta::parse(&body) else {
        return Ok(None);
    };
    let end = offset + (PREFIX_LEN + body.len()) as u64;
    Ok(Some(Found {
        meta,
        envelope: Bytes::from(body).slice(META_LEN..),
        end,
    }))
}

/// Finds the next whole record at or behind an offset.
pub(super) fn search<F: SpoolFile>(file: &F, from: u64) -> io::Result<Option<(u64, Found)>> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut offset = from;
    let mut candidates = 0;
    loop {
        let filled = read(file, &mut chunk, offset)?;
        for at in marker_positions(&chunk[..filled]) {
            if let Some(found) = record_at(file, offset + at as u64)? {
                return Ok(Some((offset + at as u64, found)));
            }
            candidates += 1;
            if candidates == MAX_CANDIDATES {
                return Ok(None);
            }
        }
        if filled < chunk.len() {
            return Ok(None);
        }
        // A marker can stand across the border.
        offset += (filled - (MARKER.len() - 1)) as u64;
    }
}

fn marker_positions(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes
        .windows(MARKER.len())
        .enumerate()
        .filter(|(_, window)| *window == MARKER)
        .map(|(at, _)| at)
}

/// What stands behind the last whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing, or what a write leaves behind that never got far.
    Unwritten,
    /// The beginning of a record, far enough to say which.
    Begun(Meta),
    /// Something else: this many bytes that were whole once.
    Damaged(u64),
}

/// Judges what stands between the last whole record and the end of the file.
pub(super) fn tail<F: SpoolFile>(
    file: &F,
    end: u64,
    is_plausible: impl Fn(&Meta) -> bool,
) -> io::Result<Tail> {
    let length = file.length()?.saturating_sub(end);
    let mut start = [0; PREFIX_LEN + META_LEN];
    let filled = read(file, &mut start, end)?;
    let start = &start[..filled];
    if let Some(meta) = start.get(PREFIX_LEN..).and_then(Meta::parse).filter(is_plausible) {
        return Ok(Tail::Begun(meta));
    }
    let compared = start.len().min(MARKER.len());
    let is_begun = start.len() < PREFIX_LEN + META_LEN && start[..compared] == MARKER[..compared];
    if is_begun || is_zero(file, end)? {
        Ok(Tail::Unwritten)
    } else {
        Ok(Tail::Damaged(length))
    }
}

fn is_zero<F: SpoolFile>(file: &F, mut offset: u64) -> io::Result<bool> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let filled = read(file, &mut chunk, offset)?;
        if chunk[..filled].iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
        if filled < chunk.len() {
            return Ok(true);
        }
        offset += filled as u64;
    }
}
