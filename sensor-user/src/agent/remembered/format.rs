//! The bytes of [`Remembered`]. Pure.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path};

use super::{FILE_MAX, FileSystem, History, REMEMBERED_MAX, Remembered, RememberedOne};
use crate::kernel::FileHandle;

const MAGIC: [u8; 8] = *b"CLVKNOWN";
const VERSION: u32 = 1;
/// Where the content begins that the checksum covers.
const COVERED: usize = 16;
const HEADER: usize = COVERED + 8 + 4;

/// As long as any path that the kernel takes.
const PATH_MAX: usize = 4_096;
/// Names of entries, of types and sources of file systems.
const NAME_MAX: usize = 1_024;

const COPY: u8 = 1;
const LEFT: u8 = 2;

/// Why what is remembered cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RememberedError {
    /// It is something else.
    #[error("it is no file of this kind")]
    Foreign,
    /// Another sensor wrote it.
    #[error("it is of version {0}, and this sensor reads version {VERSION}")]
    Version(u32),
    /// It is not as it was written.
    #[error("its checksum is wrong")]
    Checksum,
    /// It ends early, goes on behind its end, or says what no sensor writes.
    #[error("it is damaged")]
    Damaged,
    /// It is larger than any that a sensor writes.
    #[error("it is too large")]
    TooLarge,
}

impl Remembered {
    /// As it is written. What is beyond the bounds is left out, and counted in what is written and in `self`.
    pub fn encode(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        let mut one = Vec::new();
        let mut count: u32 = 0;
        let is_written = |file: &RememberedOne| {
            one.clear();
            let has_room = encode_one(file, &mut one).is_some()
                && (count as usize) < REMEMBERED_MAX
                && HEADER + body.len() + one.len() <= FILE_MAX;
            if has_room {
                body.extend_from_slice(&one);
                count += 1;
            }
            has_room
        };
        let before = self.files.len();
        self.files.retain(is_written);
        self.left_out += (before - self.files.len()) as u64;
        let mut bytes = Vec::with_capacity(HEADER + body.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.left_out.to_le_bytes());
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&body);
        let checksum = crc32c::crc32c(&bytes[COVERED..]);
        bytes[COVERED - 4..COVERED].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads what was written.
    ///
    /// # Errors
    /// [`RememberedError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RememberedError> {
        if bytes.len() > FILE_MAX {
            return Err(RememberedError::TooLarge);
        }
        let mut rest = Rest(bytes);
        if rest.take() != Some(MAGIC) {
            return Err(RememberedError::Foreign);
        }
        let version = rest.u32().ok_or(RememberedError::Damaged)?;
        if version != VERSION {
            return Err(RememberedError::Version(version));
        }
        let checksum = rest.u32().ok_or(RememberedError::Damaged)?;
        if checksum != crc32c::crc32c(rest.0) {
            return Err(RememberedError::Checksum);
        }
        rest.all().ok_or(RememberedError::Damaged)
    }
}

fn encode_one(file: &RememberedOne, out: &mut Vec<u8>) -> Option<()> {
    out.push(match file.history {
        History::Copy => COPY,
        History::Left => LEFT,
    });
    out.extend_from_slice(&file.inode.to_le_bytes());
    out.extend_from_slice(&file.generation.to_le_bytes());
    put_time(file.born, out);
    out.extend_from_slice(&file.size.to_le_bytes());
    put_time(file.modified, out);
    out.extend_from_slice(&file.file_system.id.to_le_bytes());
    put(&file.file_system.kind, NAME_MAX, out)?;
    put(&file.file_system.source, NAME_MAX, out)?;
    let (kind, content) = match &file.handle {
        Some(handle) if !handle.content().is_empty() => (handle.kind(), handle.content()),
        _ => (0, &[][..]),
    };
    out.extend_from_slice(&kind.to_le_bytes());
    put(content, NAME_MAX, out)?;
    put(file.entry.as_bytes(), NAME_MAX, out)?;
    for path in [&file.path, &file.at] {
        put(path.as_os_str().as_bytes(), PATH_MAX, out)?;
    }
    Some(())
}

fn put_time((seconds, nanoseconds): (i64, u32), out: &mut Vec<u8>) {
    out.extend_from_slice(&seconds.to_le_bytes());
    out.extend_from_slice(&nanoseconds.to_le_bytes());
}

fn put(bytes: &[u8], most: usize, out: &mut Vec<u8>) -> Option<()> {
    let length = u16::try_from(bytes.len()).ok()?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
    (bytes.len() <= most).then_some(())
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn time(&mut self) -> Option<(i64, u32)> {
        Some((self.take().map(i64::from_le_bytes)?, self.u32()?))
    }

    fn bytes(&mut self, most: usize) -> Option<&'a [u8]> {
        let length = usize::from(self.take().map(u16::from_le_bytes)?);
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        (length <= most).then_some(taken)
    }

    /// A path of the sensor's own root.
    fn path(&mut self) -> Option<&'a Path> {
        let path = Path::new(OsStr::from_bytes(self.bytes(PATH_MAX)?));
        path.is_absolute().then_some(path)
    }

    fn all(mut self) -> Option<Remembered> {
        let left_out = self.u64()?;
        let count = usize::try_from(self.u32()?).ok()?;
        if count > REMEMBERED_MAX {
            return None;
        }
        let mut files = Vec::new();
        for _ in 0..count {
            files.push(self.one()?);
        }
        self.0.is_empty().then_some(Remembered { files, left_out })
    }

    fn one(&mut self) -> Option<RememberedOne> {
        let history = match self.take()? {
            [COPY] => History::Copy,
            [LEFT] => History::Left,
            _ => return None,
        };
        Some(RememberedOne {
            history,
            inode: self.u64()?,
            generation: self.u32()?,
            born: self.time()?,
            size: self.u64()?,
            modified: self.time()?,
            file_system: FileSystem {
                id: self.u64()?,
                kind: self.bytes(NAME_MAX)?.to_vec(),
                source: self.bytes(NAME_MAX)?.to_vec(),
            },
            handle: self.handle()?,
            entry: std::str::from_utf8(self.bytes(NAME_MAX)?).ok()?.to_owned(),
            path: self.path()?.to_owned(),
            at: self.path()?.to_owned(),
        })
    }

    fn handle(&mut self) -> Option<Option<FileHandle>> {
        let kind = self.take().map(i32::from_le_bytes)?;
        match self.bytes(NAME_MAX)? {
            [] => (kind == 0).then_some(None),
            content => FileHandle::new(kind, content).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_path() -> impl Strategy<Value = std::path::PathBuf> {
        proptest::collection::vec(1_u8.., 0..40)
            .prop_map(|name| Path::new("/").join(OsStr::from_bytes(&name)))
    }

    fn any_file() -> impl Strategy<Value = RememberedOne> {
        let numbers = (any::<bool>(), any::<u64>(), any::<u32>(), any::<u64>());
        let times = (any::<(i64, u32)>(), any::<(i64, u32)>());
        let system = (any::<u64>(), any::<Vec<u8>>(), any::<Vec<u8>>());
        let handle = proptest::option::of((any::<i32>(), proptest::collection::vec(any::<u8>(), 1..=128)));
        (
            numbers,
            times,
            system,
            handle,
            "[a-z-]{0,30}",
            any_path(),
            any_path(),
        )
            .prop_map(|(numbers, times, (id, kind, source), handle, entry, path, at)| {
                RememberedOne {
                    history: if numbers.0 { History::Copy } else { History::Left },
                    inode: numbers.1,
                    generation: numbers.2,
                    born: times.0,
                    size: numbers.3,
                    modified: times.1,
                    file_system: FileSystem { id, kind, source },
                    handle: handle.and_then(|(kind, content)| FileHandle::new(kind, &content)),
                    entry,
                    path,
                    at,
                }
            })
    }

    fn any_remembered() -> impl Strategy<Value = Remembered> {
        let files = proptest::collection::vec(any_file(), 0..5);
        (files, 0..u64::MAX / 2).prop_map(|(files, left_out)| Remembered { files, left_out })
    }

    fn one() -> RememberedOne {
        RememberedOne {
            history: History::Copy,
            inode: 1,
            generation: 2,
            born: (3, 4),
            size: 5,
            modified: (6, 7),
            file_system: FileSystem {
                id: 8,
                kind: b"ext4".to_vec(),
                source: b"/dev/vda".to_vec(),
            },
            handle: FileHandle::new(1, &[9; 8]),
            entry: "entry".into(),
            path: "/a".into(),
            at: "/b".into(),
        }
    }

    proptest! {
        #[test]
        fn it_is_read_as_it_was_written(mut remembered in any_remembered()) {
            let wanted = remembered.clone();
            let bytes = remembered.encode();
            prop_assert_eq!(&remembered, &wanted, "all of it has room");
            prop_assert_eq!(Remembered::parse(&bytes), Ok(wanted));
        }

        #[test]
        fn any_changed_byte_is_noticed(at in 0_usize..1_000, flip in 1..=255_u8) {
            let mut bytes = Remembered { files: vec![one()], left_out: 0 }.encode();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            prop_assert!(Remembered::parse(&bytes).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes: Vec<u8>) {
            let _ = Remembered::parse(&bytes);
            let mut whole = MAGIC.to_vec();
            whole.extend_from_slice(&VERSION.to_le_bytes());
            whole.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
            whole.append(&mut bytes);
            if let Ok(mut read) = Remembered::parse(&whole) {
                prop_assert_eq!(read.encode(), whole, "one form");
            }
        }
    }

    #[test]
    fn what_is_wrong_with_it_is_told_apart() {
        let good = Remembered {
            files: vec![one()],
            left_out: 0,
        }
        .encode();
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            Remembered::parse(&bytes).expect_err("wrong")
        };
        assert_eq!(with(0, b'X'), RememberedError::Foreign);
        assert_eq!(with(8, 2), RememberedError::Version(2));
        assert_eq!(with(20, 1), RememberedError::Checksum);
        assert_eq!(Remembered::parse(b""), Err(RememberedError::Foreign));
        assert_eq!(Remembered::parse(&good[..12]), Err(RememberedError::Damaged));
        assert_eq!(
            Remembered::parse(&good[..good.len() - 1]),
            Err(RememberedError::Checksum)
        );
        let mut longer = good.clone();
        longer.push(0);
        let checksum = crc32c::crc32c(&longer[COVERED..]);
        longer[12..COVERED].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(Remembered::parse(&longer), Err(RememberedError::Damaged));
        assert_eq!(
            Remembered::parse(&vec![0; FILE_MAX + 1]),
            Err(RememberedError::TooLarge)
        );
    }

    #[test]
    fn what_has_no_room_is_left_out_and_counted() {
        let mut files = vec![one(); REMEMBERED_MAX + 3];
        files[0].at = Path::new("/").join("x".repeat(PATH_MAX));
        let mut remembered = Remembered { files, left_out: 0 };
        let bytes = remembered.encode();
        assert_eq!((remembered.files.len(), remembered.left_out), (REMEMBERED_MAX, 3));
        assert_eq!(Remembered::parse(&bytes), Ok(remembered));
        let long = RememberedOne {
            at: Path::new("/").join("x".repeat(PATH_MAX - 1)),
            path: Path::new("/").join("y".repeat(PATH_MAX - 1)),
            ..one()
        };
        let mut remembered = Remembered {
            files: vec![long; REMEMBERED_MAX],
            left_out: 0,
        };
        assert!(remembered.encode().len() <= FILE_MAX);
        assert!(remembered.left_out > 0);
    }
}
