//! Reads the log: one record by its position, or all from a position on. Writes nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::super::StoreError;
use super::record::{HEAD_BYTES, Head};
use super::{Position, segment_name, segment_number};
use crate::regular;

/// Reads an evidence log, also while another process appends to it.
#[derive(Clone, Debug)]
pub struct LogReader {
    directory: PathBuf,
}

/// What stands at a position.
#[derive(Debug)]
pub(super) enum Found {
    /// A record and where it ends.
    Record(Vec<u8>, Position),
    /// Nothing: the segment ends here.
    End,
    /// The beginning of a record that the segment's end cuts off, or zeros up to its end.
    Torn,
    /// Something that is no record.
    Damaged(&'static str),
}

impl LogReader {
    /// A reader of the log in that folder.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// The record at a position.
    pub fn read(&self, at: Position) -> Result<Vec<u8>, StoreError> {
        let path = self.path(at.segment);
        let mut file = open(&path)?;
        let damaged = |what| StoreError::Damaged {
            path: path.clone(),
            offset: at.offset,
            what,
        };
        match read_at(&mut file, at).map_err(StoreError::io("read", &path))? {
            Found::Record(body, _) => Ok(body),
            Found::End => Err(damaged("the file ends before it")),
            Found::Torn => Err(damaged("the record is cut off")),
            Found::Damaged(what) => Err(damaged(what)),
        }
    }

    /// All records from a position on, in order.
    pub fn scan(&self, from: Position) -> Result<Scan, StoreError> {
        let segments = self
            .segments()?
            .into_iter()
            .filter(|segment| *segment >= from.segment);
        Ok(Scan {
            reader: self.clone(),
            segments: segments.collect(),
            at: from,
            file: None,
        })
    }

    /// Whether anything was ever appended and is still here.
    pub fn has_records(&self) -> Result<bool, StoreError> {
        for segment in self.segments()? {
            let path = self.path(segment);
            let found = fs::metadata(&path).map_err(StoreError::io("look at", &path))?;
            if found.len() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Numbers of the segments there are, in order.
    pub(super) fn segments(&self) -> Result<Vec<u64>, StoreError> {
        let list = || -> io::Result<Vec<u64>> {
            let names = fs::read_dir(&self.directory)?.map(|entry| Ok(entry?.file_name()));
            let names = names.collect::<io::Result<Vec<_>>>()?;
            Ok(names
                .iter()
                .filter_map(|name| segment_number(name.to_str()?))
                .collect())
        };
        let mut segments = list().map_err(StoreError::io("list", &self.directory))?;
        segments.sort_unstable();
        Ok(segments)
    }

    pub(super) fn path(&self, segment: u64) -> PathBuf {
        self.directory.join(segment_name(segment))
    }
}

/// Goes through the log. A damaged record is reported once, and then the next segment is read: where a length is wrong, nothing
/// behind it in the same segment can be found.
#[derive(Debug)]
pub struct Scan {
    reader: LogReader,
    segments: std::collections::VecDeque<u64>,
    at: Position,
    file: Option<File>,
}

impl Scan {
    fn step(&mut self) -> Result<Option<(Position, Vec<u8>, Position)>, StoreError> {
        loop {
            let Some(&segment) = self.segments.front() else {
                return Ok(None);
            };
            if segment != self.at.segment {
                self.at = Position { segment, offset: 0 };
                self.file = None;
            }
            let path = self.reader.path(segment);
            let file = match &mut self.file {
                Some(file) => file,
                None => self.file.insert(open(&path)?),
            };
            let at = self.at;
            let what = match read_at(file, at).map_err(StoreError::io("read", &path))? {
                Found::Record(body, end) => {
                    self.at = end;
                    return Ok(Some((at, body, end)));
                }
                Found::End => None,
                // The last segment may just be growing; in one before it a torn record is damage.
                Found::Torn if self.segments.len() == 1 => None,
                Found::Torn => Some("the record is cut off"),
                Found::Damaged(what) => Some(what),
            };
            self.segments.pop_front();
            if let Some(what) = what {
                return Err(StoreError::Damaged {
                    path,
                    offset: at.offset,
                    what,
                });
            }
        }
    }
}

impl Iterator for Scan {
    /// Where a record begins, its body, and where it ends.
    type Item = Result<(Position, Vec<u8>, Position), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step().transpose();
        if let Some(Err(StoreError::Io { .. })) = &step {
            self.segments.clear();
        }
        step
    }
}

fn open(path: &Path) -> Result<File, StoreError> {
    regular::open(path, OpenOptions::new().read(true)).map_err(StoreError::io("open", path))
}

pub(super) fn read_at(file: &mut File, at: Position) -> io::Result<Found> {
    let length = file.metadata()?.len();
    let Some(left) = length.checked_sub(at.offset).filter(|left| *left > 0) else {
        return Ok(Found::End);
    };
    file.seek(SeekFrom::Start(at.offset))?;
    if left < HEAD_BYTES as u64 {
        return Ok(Found::Torn);
    }
    let mut head = [0; HEAD_BYTES];
    file.read_exact(&mut head)?;
    let Some(parsed) = Head::parse(head) else {
        let torn = head == [0; HEAD_BYTES] && only_zeros(file)?;
        return Ok(if torn {
            Found::Torn
        } else {
            Found::Damaged("its length is impossible")
        });
    };
    let end = at.offset + (HEAD_BYTES + parsed.length) as u64;
    if end > length {
        return Ok(Found::Torn);
    }
    let mut body = vec![0; parsed.length];
    file.read_exact(&mut body)?;
    if parsed.matches(&body) {
        return Ok(Found::Record(
            body,
            Position {
                segment: at.segment,
                offset: end,
            },
        ));
    }
    // The last record's bytes may have missed the disk while the file's length did not.
    Ok(if end == length {
        Found::Torn
    } else {
        Found::Damaged("its checksum does not match")
    })
}

fn only_zeros(file: &mut File) -> io::Result<bool> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(true),
            length if buffer[..length].iter().any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}
