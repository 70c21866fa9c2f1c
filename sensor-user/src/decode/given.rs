//! Paths as processes give them.

use claviger_sensor_common::{
    ABOVE_COPY, ABOVE_ELSEWHERE, ABOVE_NOTHING, ABOVE_OUTSIDE, ABOVE_ROOT, ABOVE_UNKNOWN, GivenPath,
    PathBytes,
};

use super::{
    DecodeError, FilePath,
    path::{joined, used},
};

/// A path as a process gave it.
pub(super) struct GivenPaths {
    /// As the root of the process shows it.
    pub path: FilePath,
    /// Where that is not the agent's tree as it is.
    pub above: Option<Above>,
}

/// A path as it is above the root of who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Above {
    /// As the sensor's root shows it, or the top of another tree.
    pub path: FilePath,
    /// Whether it is of another tree: of another mount namespace, or of mounts that are in none.
    pub is_elsewhere: bool,
    /// Whether it starts outside of that root. From there it is then the same.
    pub is_outside: bool,
    /// Whether another tree has at its top the directory that the sensor has for its root: it is the same, as far as nothing else is mounted in it.
    pub is_copy: bool,
}

impl GivenPaths {
    pub(super) fn of(record: &GivenPath) -> Result<Self, DecodeError> {
        let base = FilePath::from_record(&record.base)?;
        let root = root(record)?;
        let is_outside = record.above & ABOVE_OUTSIDE != 0;
        let mut path = match &root {
            Some(root) if is_outside => base.join_beside(text(record)?, root),
            _ => base.join(text(record)?),
        };
        path.truncated |= record.given_truncated != 0;
        let above = root.map(|root| Above {
            path: if is_outside {
                path.clone()
            } else {
                root.with(&path)
            },
            is_elsewhere: tree(record) == ABOVE_ELSEWHERE,
            is_outside,
            is_copy: record.above & ABOVE_COPY != 0,
        });
        Ok(Self { path, above })
    }
}

/// Where the root lies, without what is added to that.
fn tree(record: &GivenPath) -> u32 {
    record.above & !(ABOVE_OUTSIDE | ABOVE_COPY)
}

/// What was given, as it was.
pub(super) fn text(record: &GivenPath) -> Result<&[u8], DecodeError> {
    used(&record.given, "given_length", record.given_length)
}

/// Where the root of the process lies, if that or what was given is not in the agent's tree as it is.
pub(super) fn root(record: &GivenPath) -> Result<Option<FilePath>, DecodeError> {
    let PathBytes {
        length, components, ..
    } = &record.base;
    match tree(record) {
        ABOVE_NOTHING => Ok(None),
        ABOVE_ROOT | ABOVE_ELSEWHERE => {
            let components = used(
                components,
                "root_length",
                length.saturating_add(record.root_length),
            )?;
            let root = components.get(*length as usize..).unwrap_or_default();
            Ok(Some(joined(root, false)))
        }
        ABOVE_UNKNOWN => Ok(Some(joined(&[], true))),
        value => Err(DecodeError::OutOfRange {
            field: "above",
            value,
        }),
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros as _;

    use super::*;

    fn record(given: &str, base: &str, root: &str) -> GivenPath {
        let mut record = GivenPath::new_zeroed();
        record.given[..given.len()].copy_from_slice(given.as_bytes());
        record.given_length = u32::try_from(given.len()).expect("short");
        let components = [base, root].concat();
        record.base.components[..components.len()].copy_from_slice(components.as_bytes());
        record.base.length = u32::try_from(base.len()).expect("short");
        record.root_length = u32::try_from(root.len()).expect("short");
        record.above = if root.is_empty() {
            ABOVE_NOTHING
        } else {
            ABOVE_ROOT
        };
        record
    }

    fn shown(record: &GivenPath) -> (String, Option<String>) {
        let given = GivenPaths::of(record).expect("decodes");
        (
            given.path.display(),
            given.above.map(|above| above.path.display()),
        )
    }

    #[test]
    fn a_path_below_another_root_is_shown_from_both() {
        assert_eq!(shown(&record("/a/b", "", "")), ("/a/b".into(), None));
        let both = |path: &str, above: &str| (path.into(), Some(above.into()));
        assert_eq!(shown(&record("/a/b", "", "x\0srv\0")), both("/a/b", "/srv/x/a/b"));
        assert_eq!(shown(&record("b", "a\0", "x\0srv\0")), both("/a/b", "/srv/x/a/b"));
        assert_eq!(
            shown(&record("../../../b", "a\0", "x\0srv\0")),
            both("/b", "/srv/x/b"),
            "nothing leads above a root"
        );
    }

    #[test]
    fn what_starts_outside_of_that_root_is_seen_from_above() {
        let outside = |given: &str| {
            let mut outside = record(given, "a\0srv\0", "x\0a\0srv\0");
            outside.above = ABOVE_ROOT | ABOVE_OUTSIDE;
            let given = GivenPaths::of(&outside).expect("decodes");
            let above = given.above.expect("there is one");
            assert!(above.path == given.path && above.is_outside && !above.is_elsewhere);
            given.path.display()
        };
        assert_eq!(outside("../b"), "/srv/b");
        assert_eq!(outside("x/../b"), "/srv/a/x/b", "the way led over the root");
        assert_eq!(outside("y/../x/b/../../c"), "/srv/a/x/c");
        assert_eq!(outside("x/../../b"), "/srv/a/x/b");
    }

    #[test]
    fn another_tree_is_known_as_one() {
        let mut elsewhere = record("/b", "", "x\0");
        elsewhere.above = ABOVE_ELSEWHERE;
        let given = GivenPaths::of(&elsewhere).expect("decodes");
        let above = given.above.expect("there is one");
        assert!(above.is_elsewhere && !above.is_outside);
        assert_eq!(above.path.display(), "/x/b");
    }

    #[test]
    fn where_the_root_is_not_known_the_path_from_there_is_not_either() {
        let mut cut = record("/a", "", "x\0");
        cut.above = ABOVE_UNKNOWN;
        let given = GivenPaths::of(&cut).expect("decodes");
        assert!(!given.path.truncated);
        assert!(given.above.expect("there is one").path.truncated);
    }

    #[test]
    fn a_length_that_cannot_be_is_refused() {
        let mut record = record("/a", "", "x\0");
        record.root_length = u32::MAX;
        record.base.length = 7;
        assert!(GivenPaths::of(&record).is_err());
        record.root_length = 0;
        assert!(GivenPaths::of(&record).is_ok());
        record.above = 99;
        assert!(GivenPaths::of(&record).is_err());
    }
}
