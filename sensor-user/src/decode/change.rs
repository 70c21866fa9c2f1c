//! Changes of files.

use claviger_sensor_common::{
    CHANGE_APPEARED, CHANGE_ATTRIBUTE, CHANGE_BY_PATH, CHANGE_CREATED, CHANGE_DIRECTORY_EXCHANGED,
    CHANGE_DIRECTORY_RENAMED, CHANGE_EXCHANGED, CHANGE_LINKED, CHANGE_MODE, CHANGE_OF_OTHER_ROOT,
    CHANGE_OWNER, CHANGE_READ_LATE, CHANGE_REMOVED, CHANGE_RENAMED, CHANGE_SYMLINKED, CHANGE_TRUNCATED,
    ChangeOfTwoRecord, ChangeRecord, END_NOT_RUN, END_TO_COME, END_TO_RUN, END_UNKNOWN, GivenPath, KnownFile,
    RECORD_CHANGE,
};

use super::{
    DecodeError, FilePath, Object, Task,
    given::{Above, GivenPaths, root, text},
    numbers::id,
    record::{Match, matched, prefix},
};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// An open created it.
    Created,
    /// It has another name.
    Renamed,
    /// It and another have changed places.
    Exchanged,
    /// A name of it was removed.
    Removed,
    /// It has one more name.
    Linked,
    /// A symbolic link to it was made.
    Symlinked,
    /// Its length was set.
    Truncated,
    /// Its mode was set.
    Mode,
    /// Its owner or group was set.
    Owner,
    /// An extended attribute was set or removed.
    Attribute,
    /// A directory, a link or a mount appeared. No change of a file.
    Appeared,
    /// A directory has another name.
    DirectoryRenamed,
    /// A directory and something else have changed places.
    DirectoryExchanged,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It happened.
    Succeeded,
    /// It was refused with this errno.
    Refused(u32),
    /// That was not seen.
    Unknown,
    /// It is under way, and what comes of it will most likely be told by itself.
    ToCome,
    /// It has not run, and by when it was submitted it is known when it has.
    ToRun,
    /// It has not run, and nobody will see it run.
    NotRun,
}

impl End {
    pub(super) fn of(errno: u32) -> Self {
        match errno {
            0 => Self::Succeeded,
            END_UNKNOWN => Self::Unknown,
            END_TO_COME => Self::ToCome,
            END_TO_RUN => Self::ToRun,
            END_NOT_RUN => Self::NotRun,
            errno => Self::Refused(errno),
        }
    }
}

/// What is known of a file or of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// How it was recognised; nothing where it was not.
    pub matched: Option<Match>,
    /// The file; nothing where only a path is known.
    pub object: Option<Object>,
    /// The file is that of a layer, and what was done was done to what an overlay shows of it.
    pub through_overlay: bool,
}

/// Mode and owner; what is not known is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: Option<u32>,
    /// User id in the initial user namespace, or, by a path, as it was given.
    pub uid: Option<u32>,
    /// Group id, as the user id.
    pub gid: Option<u32>,
}

/// The paths of a change as they are from another root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// As [`Change::path`].
    pub path: FilePath,
    /// As [`Change::second`].
    pub second: Option<FilePath>,
    /// As [`Change::text`].
    text: Vec<u8>,
    /// Whether they are of another tree than the sensor's.
    pub is_elsewhere: bool,
    /// Whether one of them starts outside of the root of who did it. Then they are the same from there.
    is_outside: bool,
    /// Whether that tree has at its top the directory that the sensor has for its root.
    pub is_copy: bool,
}

/// A file that may be a credential was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Nanoseconds since boot.
    pub time_boot_ns: u64,
    /// Who.
    pub task: Task,
    /// What.
    pub what: Changed,
    /// How it ended.
    pub end: End,
    /// Whether only paths are known, as the process's root shows them. Otherwise a path is the one on the object's file system, but for
    /// [`Changed::Created`].
    pub is_by_path: bool,
    /// Whether a path was read only when the call had ended, and may be another than the one that the kernel was given.
    pub is_read_late: bool,
    /// Whether the root of who did it is another than the sensor's: its paths may lead to other files.
    pub is_of_other_root: bool,
    /// Whether something lay at the new name before.
    pub overwrote: bool,
    /// Before.
    pub before: Attributes,
    /// After.
    pub after: Attributes,
    /// The file.
    pub file: Known,
    /// Its new name.
    pub place: Known,
    /// Where it was. For [`Changed::Symlinked`] what the link says, for the reader to join.
    pub path: FilePath,
    /// Its new name; what it has a second of.
    pub second: Option<FilePath>,
    /// For [`Changed::Symlinked`] what the link says; for [`Changed::Attribute`] which it is.
    pub text: Vec<u8>,
    /// The paths as they are above the root of who did it, where they are not those of the sensor's tree as they are.
    pub above: Option<Box<Paths>>,
    /// The paths as that root shows them, in what [`Change::from_above`] returned.
    pub below: Option<Box<Paths>>,
}

impl Change {
    /// The same change as it is seen from above the root of who did it; nothing where that makes no difference.
    #[must_use]
    pub fn from_above(&self) -> Option<Self> {
        self.above.as_ref()?;
        let mut change = self.clone();
        let above = *change.above.take()?;
        change.below = Some(Box::new(Paths {
            path: std::mem::replace(&mut change.path, above.path),
            second: std::mem::replace(&mut change.second, above.second),
            text: std::mem::replace(&mut change.text, above.text),
            ..above
        }));
        change.is_of_other_root = above.is_elsewhere;
        Some(change)
    }

    /// Of what [`Change::from_above`] returned, whether one of its paths starts outside of the root of who did it.
    #[must_use]
    pub fn is_outside(&self) -> bool {
        self.below.as_ref().is_some_and(|below| below.is_outside)
    }
}

/// Reads a record of this kind.
pub(super) fn decode(bytes: &[u8]) -> Result<Change, DecodeError> {
    let record: ChangeRecord = prefix(bytes, RECORD_CHANGE)?;
    let what = what(record.what)?;
    let GivenPaths {
        path,
        above: path_above,
    } = GivenPaths::of(&record.path)?;
    let mut change = Change {
        time_boot_ns: record.header.time_boot_ns,
        task: Task::from(&record.task),
        what,
        end: End::of(record.errno),
        is_by_path: record.by_path & CHANGE_BY_PATH != 0,
        is_read_late: record.by_path & CHANGE_READ_LATE != 0,
        is_of_other_root: record.by_path & CHANGE_OF_OTHER_ROOT != 0,
        overwrote: record.overwrote != 0,
        before: Attributes {
            mode: id(record.mode_before),
            uid: id(record.uid_before),
            gid: id(record.gid_before),
        },
        after: Attributes {
            mode: id(record.mode_after),
            uid: id(record.uid_after),
            gid: id(record.gid_after),
        },
        file: known(&record.file)?,
        place: known(&record.place)?,
        path,
        second: None,
        text: Vec::new(),
        above: None,
        below: None,
    };
    let (mut second_above, mut text_above) = (None, None);
    match what {
        Changed::Renamed
        | Changed::Exchanged
        | Changed::Linked
        | Changed::DirectoryRenamed
        | Changed::DirectoryExchanged => {
            let given = GivenPaths::of(&second(bytes)?)?;
            (change.second, second_above) = (Some(given.path), given.above);
        }
        Changed::Symlinked => {
            let given = GivenPaths::of(&second(bytes)?)?;
            (change.second, second_above) = (Some(given.path), given.above);
            change.text = text(&record.path)?.to_vec();
            if let (Some(root), Some(below)) = (root(&record.path)?, change.text.strip_prefix(b"/")) {
                text_above = Some(root.join(below).bytes);
            }
        }
        Changed::Attribute => change.text = text(&second(bytes)?)?.to_vec(),
        _ => {}
    }
    let each = [&path_above, &second_above].map(Option::as_ref);
    if each.iter().any(Option::is_some) {
        let is = |what: fn(&Above) -> bool| each.iter().flatten().any(|above| what(above));
        let paths = Paths {
            path: path_above
                .as_ref()
                .map_or(&change.path, |above| &above.path)
                .clone(),
            second: second_above
                .as_ref()
                .map(|above| above.path.clone())
                .or_else(|| change.second.clone()),
            text: text_above.unwrap_or_else(|| change.text.clone()),
            is_elsewhere: is(|above| above.is_elsewhere),
            is_outside: is(|above| above.is_outside),
            is_copy: is(|above| above.is_copy),
        };
        change.above = Some(Box::new(paths));
    }
    Ok(change)
}

fn second(bytes: &[u8]) -> Result<GivenPath, DecodeError> {
    prefix::<ChangeOfTwoRecord>(bytes, RECORD_CHANGE).map(|record| record.second)
}

fn what(what: u32) -> Result<Changed, DecodeError> {
    Ok(match what {
        CHANGE_CREATED => Changed::Created,
        CHANGE_RENAMED => Changed::Renamed,
        CHANGE_EXCHANGED => Changed::Exchanged,
        CHANGE_REMOVED => Changed::Removed,
        CHANGE_LINKED => Changed::Linked,
        CHANGE_SYMLINKED => Changed::Symlinked,
        CHANGE_TRUNCATED => Changed::Truncated,
        CHANGE_MODE => Changed::Mode,
        CHANGE_OWNER => Changed::Owner,
        CHANGE_ATTRIBUTE => Changed::Attribute,
        CHANGE_APPEARED => Changed::Appeared,
        CHANGE_DIRECTORY_RENAMED => Changed::DirectoryRenamed,
        CHANGE_DIRECTORY_EXCHANGED => Changed::DirectoryExchanged,
        value => {
            return Err(DecodeError::OutOfRange { field: "what", value });
        }
    })
}

fn known(file: &KnownFile) -> Result<Known, DecodeError> {
    Ok(Known {
        matched: match file.matched {
            0 => None,
            how => Some(matched(how, file.label.id)?),
        },
        object: (file.object.inode != 0).then(|| file.object.into()),
        through_overlay: file.through_overlay != 0,
    })
}

#[cfg(test)]
mod tests {
    use claviger_sensor_common::{
        ABOVE_ELSEWHERE, ABOVE_ROOT, Label, MATCHED_OBJECT, PathBytes, RecordHeader, UNKNOWN_ID,
    };
    use proptest::prelude::*;
    use zerocopy::{FromZeros as _, IntoBytes as _};

    use super::*;
    use crate::decode::Record;

    fn base(components: &[u8]) -> PathBytes {
        let mut path = PathBytes::new_zeroed();
        path.length = u32::try_from(components.len()).expect("short");
        path.components[..components.len()].copy_from_slice(components);
        path
    }

    fn sample() -> ChangeOfTwoRecord {
        let mut record = ChangeOfTwoRecord::new_zeroed();
        record.change.header = RecordHeader {
            kind: RECORD_CHANGE,
            cpu: 0,
            time_boot_ns: 7,
        };
        record.change.what = CHANGE_RENAMED;
        record.change.mode_before = 0o600;
        record.change.mode_after = UNKNOWN_ID;
        record.change.file = KnownFile {
            label: Label { id: 5, flags: 0 },
            matched: MATCHED_OBJECT,
            through_overlay: 0,
            object: claviger_sensor_common::ObjectKey {
                inode: 42,
                device: 0,
                generation: 0,
            },
        };
        record.change.path.base = base(b"id_a\0.ssh\0");
        record.second.given[..6].copy_from_slice(b"../x/b");
        record.second.given_length = 6;
        record.second.base = base(b"tmp\0");
        record
    }

    #[test]
    fn both_names_come_out() {
        let Record::Change(change) = crate::decode::decode(sample().as_bytes()).expect("decodes") else {
            panic!("a change")
        };
        assert_eq!((change.what, change.end), (Changed::Renamed, End::Succeeded));
        assert_eq!(change.file.matched, Some(Match::Object(5)));
        assert_eq!(change.place.matched, None);
        assert_eq!(change.path.bytes, b"/.ssh/id_a");
        assert_eq!(change.second.expect("there").bytes, b"/x/b");
        assert_eq!(change.before.mode, Some(0o600));
        assert_eq!(change.after.mode, None);
    }

    #[test]
    fn below_another_root_both_names_come_out_from_above_too() {
        let mut record = sample();
        record.change.by_path = CHANGE_BY_PATH | CHANGE_OF_OTHER_ROOT;
        for path in [&mut record.change.path, &mut record.second] {
            let below = path.base.length as usize;
            path.base.components[below..below + 6].copy_from_slice(b"x\0srv\0");
            path.root_length = 6;
            path.above = ABOVE_ROOT;
        }
        let decoded = |record: &ChangeOfTwoRecord| {
            let Record::Change(change) = crate::decode::decode(record.as_bytes()).expect("decodes") else {
                panic!("a change")
            };
            change
        };
        let change = decoded(&record);
        assert!(change.is_of_other_root);
        let above = change.from_above().expect("there is another root");
        assert!(!above.is_of_other_root);
        assert_eq!(above.below.as_ref().expect("from below").path, change.path);
        assert_eq!(above.path.bytes, b"/srv/x/.ssh/id_a");
        assert_eq!(above.second.expect("there").bytes, b"/srv/x/x/b");
        record.second.above = ABOVE_ELSEWHERE;
        let above = decoded(&record).from_above().expect("there is another root");
        assert!(above.is_of_other_root, "one of both is enough");
        record.second.above = ABOVE_ROOT;

        record.change.what = CHANGE_SYMLINKED;
        record.change.path.base.length = 0;
        record.change.path.base.components[..6].copy_from_slice(b"x\0srv\0");
        record.change.path.given[..5].copy_from_slice(b"/e/id");
        record.change.path.given_length = 5;
        let above = decoded(&record).from_above().expect("there is another root");
        assert_eq!(above.text, b"/srv/x/e/id", "a link is followed from the root");
    }

    #[test]
    fn what_needs_a_second_path_is_refused_without_one() {
        let record = sample();
        let short = record.change.as_bytes();
        assert!(matches!(decode(short), Err(DecodeError::TooShort { .. })));
        let mut alone = record.change;
        alone.what = CHANGE_REMOVED;
        assert!(decode(alone.as_bytes()).is_ok());
        alone.what = 99;
        assert!(decode(alone.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_change_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 6_000), what in 0u32..15) {
            let mut bytes = bytes;
            let at = std::mem::offset_of!(ChangeRecord, what);
            bytes[at..at + 4].copy_from_slice(&what.to_ne_bytes());
            let _decoded = decode(&bytes);
        }
    }
}
