//! What is known of credentials by their content, without their content: the newest version of each that was read.

use std::{
    collections::{BTreeMap, HashMap},
    fs::Metadata,
    os::unix::fs::MetadataExt as _,
    sync::Arc,
};

use claviger_proto::{catalogue::Entry, v1::Credential};
use claviger_sensor_common::{FileVersion, ObjectKey};
use prost::Message as _;

use crate::credential::Parsed;

/// Credentials that are known. At the bound the one that was read longest ago is forgotten, and read anew when it is used.
pub(super) const KNOWN_MAX: usize = 16_384;

/// Which version of a file stat(2) tells.
pub(super) fn version(metadata: &Metadata) -> FileVersion {
    FileVersion {
        size: metadata.size(),
        modified_s: metadata.mtime().cast_unsigned(),
        changed_s: metadata.ctime().cast_unsigned(),
        modified_ns: u32::try_from(metadata.mtime_nsec()).unwrap_or_default(),
        changed_ns: u32::try_from(metadata.ctime_nsec()).unwrap_or_default(),
    }
}

/// A file by the numbers that stat(2) has for it: which need not be the kernel half's, and stand for one object at a time.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl Place {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

struct One {
    place: Place,
    version: FileVersion,
    entry: Arc<Entry>,
    said: Said,
    /// Its place in the order.
    number: u64,
}

/// What one said, in a tenth of the memory.
struct Said {
    /// A [`Credential`] that has nothing else, encoded.
    identities: Box<[u8]>,
    unknown_reason: Option<&'static str>,
}

impl Said {
    fn pack(parsed: &Parsed) -> Self {
        let identities = Credential {
            identities: parsed.identities.clone(),
            ..Credential::default()
        };
        Self {
            identities: identities.encode_to_vec().into_boxed_slice(),
            unknown_reason: parsed.unknown_reason,
        }
    }

    fn unpack(&self) -> Parsed {
        Parsed {
            // What was encoded here is decoded here.
            identities: Credential::decode(&*self.identities)
                .unwrap_or_default()
                .identities,
            unknown_reason: self.unknown_reason,
        }
    }
}

/// All that are known.
#[derive(Default)]
pub(super) struct Known {
    of: HashMap<ObjectKey, One>,
    by_place: HashMap<Place, ObjectKey>,
    order: BTreeMap<u64, ObjectKey>,
    last_number: u64,
}

impl Known {
    /// How many are known.
    pub(super) fn len(&self) -> usize {
        self.of.len()
    }

    /// What this version of an object says as a credential of a kind.
    pub(super) fn get(&self, object: ObjectKey, kind: &str, version: FileVersion) -> Option<Parsed> {
        let one = self.of.get(&object)?;
        (one.version == version && one.entry.kind() == kind).then(|| one.said.unpack())
    }

    /// Which object the file at a place is, and what it says, if it is of the version that is known.
    pub(super) fn at(&self, place: Place, kind: &str, version: FileVersion) -> Option<(ObjectKey, Parsed)> {
        let object = *self.by_place.get(&place)?;
        Some((object, self.get(object, kind, version)?))
    }

    /// What an object said when it was read last.
    pub(super) fn newest(&self, object: ObjectKey) -> Option<Parsed> {
        self.of.get(&object).map(|one| one.said.unpack())
    }

    /// A version was read.
    pub(super) fn set(
        &mut self,
        object: ObjectKey,
        (place, version): (Place, FileVersion),
        entry: &Arc<Entry>,
        parsed: &Parsed,
    ) {
        self.forget(object);
        if self.of.len() >= KNOWN_MAX
            && let Some(oldest) = self.order.first_key_value().map(|(_, object)| *object)
        {
            self.forget(oldest);
        }
        self.last_number += 1;
        let one = One {
            place,
            version,
            entry: Arc::clone(entry),
            said: Said::pack(parsed),
            number: self.last_number,
        };
        self.order.insert(one.number, object);
        self.by_place.insert(place, object);
        self.of.insert(object, one);
    }

    fn forget(&mut self, object: ObjectKey) {
        let Some(one) = self.of.remove(&object) else {
            return;
        };
        self.order.remove(&one.number);
        if self.by_place.get(&one.place) == Some(&object) {
            self.by_place.remove(&one.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_proto::{catalogue::Catalogue, v1::Identity};

    use super::*;

    const KIND: &str = "ssh_private_key";

    fn object(inode: u64, generation: u32) -> ObjectKey {
        ObjectKey {
            inode,
            generation,
            ..ObjectKey::default()
        }
    }

    fn place(inode: u64) -> Place {
        Place { device: 1, inode }
    }

    fn changed_at(changed_s: u64) -> FileVersion {
        FileVersion {
            changed_s,
            ..FileVersion::default()
        }
    }

    fn says(reason: &'static str) -> Parsed {
        Parsed {
            identities: vec![Identity {
                kind: "ssh_public_key".into(),
                attributes: [("comment".to_owned(), reason.to_owned())].into(),
                ..Identity::default()
            }],
            unknown_reason: Some(reason),
        }
    }

    /// The first of this kind.
    fn entry() -> Arc<Entry> {
        let catalogue = Catalogue::shipped();
        let mut entries = catalogue.entries().iter();
        Arc::clone(entries.find(|entry| entry.kind() == KIND).expect("shipped"))
    }

    #[test]
    fn only_the_version_that_was_read_is_known_and_only_as_what_it_was_read() {
        let mut known = Known::default();
        known.set(object(1, 1), (place(1), changed_at(5)), &entry(), &says("first"));
        assert!(known.get(object(1, 1), KIND, changed_at(5)).is_some());
        assert!(known.get(object(1, 1), KIND, changed_at(6)).is_none());
        assert!(known.get(object(1, 1), "aws_access_key", changed_at(5)).is_none());
        assert!(known.get(object(1, 2), KIND, changed_at(5)).is_none());
        assert_eq!(known.newest(object(1, 1)), Some(says("first")));
        known.set(object(1, 1), (place(1), changed_at(6)), &entry(), &says("second"));
        assert!(known.get(object(1, 1), KIND, changed_at(5)).is_none());
        assert_eq!(
            known.at(place(1), KIND, changed_at(6)),
            Some((object(1, 1), says("second")))
        );
    }

    #[test]
    fn a_number_that_is_used_again_stands_for_the_new_file() {
        let mut known = Known::default();
        known.set(object(1, 1), (place(1), changed_at(5)), &entry(), &says("old"));
        known.set(object(1, 2), (place(1), changed_at(5)), &entry(), &says("new"));
        let (found, _) = known.at(place(1), KIND, changed_at(5)).expect("known");
        assert_eq!(found, object(1, 2));
        known.forget(object(1, 1));
        assert!(
            known.at(place(1), KIND, changed_at(5)).is_some(),
            "the new one stays"
        );
    }

    #[test]
    fn what_is_known_is_bounded() {
        let mut known = Known::default();
        let last = KNOWN_MAX as u64;
        for inode in 0..=last {
            known.set(
                object(inode, 1),
                (place(inode), changed_at(5)),
                &entry(),
                &says("one"),
            );
        }
        assert_eq!(
            (known.of.len(), known.by_place.len(), known.order.len()),
            (KNOWN_MAX, KNOWN_MAX, KNOWN_MAX)
        );
        assert!(known.newest(object(0, 1)).is_none() && known.newest(object(last, 1)).is_some());
    }
}
