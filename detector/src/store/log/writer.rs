//! Appends to the log, and puts it in order after a crash.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::super::StoreError;
use super::reader::{Found, LogReader, read_at};
use super::{Medium, Position, SEGMENT_BYTES, SegmentFile, record};
use crate::regular;

/// The log, open for appending. There is one writer at a time: `serve` holds the data directory's lock.
#[derive(Debug)]
pub struct EvidenceLog {
    reader: LogReader,
    medium: Box<dyn Medium>,
    file: Box<dyn SegmentFile>,
    end: Position,
    segment_bytes: u64,
    /// Set when the current segment's tail cannot be trusted; the next group begins a new one.
    begin_anew: bool,
}

/// What was found and done when the log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes of a torn tail that were cut off. No receipt was ever given for them.
    pub cut_bytes: u64,
    /// Bytes that could not be read as records, with the file they were set aside in.
    pub set_aside: Option<(u64, PathBuf)>,
    /// Set where the index knows more than the log holds: evidence with a receipt is gone.
    pub shorter_than_index: bool,
}

impl EvidenceLog {
    /// Opens the log in `directory`. `indexed` is up to where the index knows it.
    pub fn open(
        directory: &Path,
        medium: Box<dyn Medium>,
        indexed: Position,
    ) -> Result<(Self, Recovery), StoreError> {
        Self::open_with(directory, medium, indexed, SEGMENT_BYTES)
    }

    pub(crate) fn open_with(
        directory: &Path,
        medium: Box<dyn Medium>,
        indexed: Position,
        segment_bytes: u64,
    ) -> Result<(Self, Recovery), StoreError> {
        let reader = LogReader::new(directory);
        let mut recovery = Recovery::default();
        let last = reader.segments()?.last().copied();
        let mut end = match last {
            None => Position::START,
            Some(segment) => {
                let from = if segment == indexed.segment {
                    indexed.offset
                } else {
                    0
                };
                recover(
                    &reader.path(segment),
                    Position {
                        segment,
                        offset: from,
                    },
                    &mut recovery,
                )?
            }
        };
        if end < indexed {
            recovery.shorter_than_index = true;
            end = Position {
                segment: indexed.segment + 1,
                offset: 0,
            };
        }
        let path = reader.path(end.segment);
        let file = medium.open(&path).map_err(StoreError::io("open", &path))?;
        Ok((
            Self {
                reader,
                medium,
                file,
                end,
                segment_bytes,
                begin_anew: false,
            },
            recovery,
        ))
    }

    /// Reads what is in it.
    #[must_use]
    pub fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// Where the next record will begin. Begins a new segment where the current one is full: call it before a group.
    pub fn begin_group(&mut self) -> Result<Position, StoreError> {
        if self.begin_anew || self.end.offset >= self.segment_bytes {
            let segment = self.end.segment + 1;
            let path = self.reader.path(segment);
            self.file = self.medium.open(&path).map_err(StoreError::io("open", &path))?;
            self.end = Position { segment, offset: 0 };
            self.begin_anew = false;
        }
        Ok(self.end)
    }

    /// Appends a record; says where it begins. It is durable only after [`Self::sync`].
    pub fn append(&mut self, body: &[u8]) -> Result<Position, StoreError> {
        let record = record::encode(body)?;
        let at = self.end;
        self.file
            .append(&record)
            .map_err(StoreError::io("append to", &self.reader.path(at.segment)))?;
        self.end.offset += record.len() as u64;
        Ok(at)
    }

    /// Makes all that was appended durable; says where the log ends.
    pub fn sync(&mut self) -> Result<Position, StoreError> {
        let path = self.reader.path(self.end.segment);
        self.file.sync().map_err(|error| {
            // After a failed sync nobody knows what of the file is on disk.
            self.begin_anew = true;
            StoreError::io("sync", &path)(error)
        })?;
        Ok(self.end)
    }

    /// Takes back all that was appended since [`Self::begin_group`] returned `start`.
    pub fn roll_back(&mut self, start: Position) -> Result<(), StoreError> {
        let path = self.reader.path(start.segment);
        self.end = start;
        self.file
            .truncate(start.offset)
            .and_then(|()| self.file.sync())
            .map_err(|error| {
                self.begin_anew = true;
                StoreError::io("truncate", &path)(error)
            })
    }
}

/// Finds the end of the last segment, and removes what follows it.
fn recover(path: &Path, mut at: Position, recovery: &mut Recovery) -> Result<Position, StoreError> {
    let mut file =
        regular::open(path, File::options().read(true).write(true)).map_err(StoreError::io("open", path))?;
    let length = file.metadata().map_err(StoreError::io("look at", path))?.len();
    if length < at.offset {
        return Ok(Position {
            segment: at.segment,
            offset: length,
        });
    }
    loop {
        match read_at(&mut file, at).map_err(StoreError::io("read", path))? {
            Found::Record(_, end) => at = end,
            Found::End => return Ok(at),
            Found::Torn => {
                recovery.cut_bytes = length - at.offset;
                break;
            }
            Found::Damaged(_) => {
                recovery.set_aside = Some((length - at.offset, set_aside(path, at.offset)?));
                break;
            }
        }
    }
    file.set_len(at.offset)
        .map_err(StoreError::io("truncate", path))?;
    file.sync_all().map_err(StoreError::io("sync", path))?;
    Ok(at)
}

fn set_aside(path: &Path, offset: u64) -> Result<PathBuf, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{offset}.damaged"));
    let copy = PathBuf::from(name);
    fs::copy(path, &copy).map_err(StoreError::io("copy to", &copy))?;
    File::open(&copy)
        .and_then(|file| file.sync_all())
        .map_err(StoreError::io("sync", &copy))?;
    Ok(copy)
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
