//! Until when this host was watched, for the gap that the next start has to tell.

use std::{
    fs::OpenOptions,
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::regular;

/// A stamp in the state directory, renewed while the sensor watches. A crash leaves it at most a renewal (10 s) too early, never too late.
#[derive(Debug)]
pub struct WatchedUntil {
    path: PathBuf,
}

/// The time before this start in which nobody watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unwatched {
    /// Since when; nothing where nobody knows.
    pub since: Option<SystemTime>,
    /// Why nobody knows.
    pub unknown_because: Option<&'static str>,
}

impl WatchedUntil {
    /// The stamp in a state directory.
    #[must_use]
    pub fn in_state_dir(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join("watched-until"),
        }
    }

    /// Since when nobody watched, at a start that is `now`; nothing where it is the first. `ran_before` is what the evidence says: that the stamp is gone
    /// does not make it the first.
    pub(super) fn unwatched(&self, ran_before: bool, now: SystemTime) -> Option<Unwatched> {
        let unknown = |why| {
            Some(Unwatched {
                since: None,
                unknown_because: Some(why),
            })
        };
        match self.read() {
            // No gap is to end before it begins: the clock was set back, or somebody set the stamp.
            Ok(until) if until > now => unknown("the stamp lies in the future"),
            Ok(until) => Some(Unwatched {
                since: Some(until),
                unknown_because: None,
            }),
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                ran_before.then(|| unknown("the stamp was removed")).flatten()
            }
            Err(why) if why.kind() == io::ErrorKind::InvalidData => {
                unknown("what lies in the stamp's place is no regular file")
            }
            Err(_) => unknown("the stamp cannot be read"),
        }
    }

    /// When it was renewed last.
    fn read(&self) -> io::Result<SystemTime> {
        regular::open(&self.path, OpenOptions::new().read(true))?
            .metadata()?
            .modified()
    }

    /// Renews it, whatever lies in its place.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn renew(&self) -> io::Result<()> {
        regular::replace(
            &self.path,
            "watched-until.new",
            b"the host was watched until this file was written\n",
        )
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        time::{Duration, UNIX_EPOCH},
    };

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn because(unwatched: Option<Unwatched>) -> &'static str {
        let unwatched = unwatched.expect("a gap");
        assert_eq!(unwatched.since, None);
        unwatched.unknown_because.expect("a reason")
    }

    #[test]
    fn it_tells_when_it_was_renewed() {
        let directory = tempfile::tempdir().expect("a directory");
        let stamp = WatchedUntil::in_state_dir(directory.path());
        let written = UNIX_EPOCH + Duration::from_secs(1_000);
        stamp.renew().expect("written");
        let file = OpenOptions::new().write(true).open(&stamp.path).expect("there");
        file.set_modified(written).expect("its own");
        for ran_before in [false, true] {
            assert_eq!(
                stamp.unwatched(ran_before, SystemTime::now()),
                Some(Unwatched {
                    since: Some(written),
                    unknown_because: None,
                })
            );
        }
        stamp.renew().expect("written");
        let renewed = stamp.unwatched(true, SystemTime::now() + Duration::from_secs(1));
        assert!(renewed.and_then(|gap| gap.since) > Some(written));
    }

    #[test]
    fn one_that_is_gone_is_missed_where_a_sensor_ran_before() {
        let directory = tempfile::tempdir().expect("a directory");
        let stamp = WatchedUntil::in_state_dir(directory.path());
        assert_eq!(stamp.unwatched(false, SystemTime::now()), None, "the first start");
        assert!(because(stamp.unwatched(true, SystemTime::now())).contains("removed"));
    }

    #[test]
    fn no_gap_begins_after_its_end() {
        let directory = tempfile::tempdir().expect("a directory");
        let stamp = WatchedUntil::in_state_dir(directory.path());
        stamp.renew().expect("written");
        assert!(because(stamp.unwatched(true, UNIX_EPOCH)).contains("future"));
    }

    #[test]
    fn what_lies_in_its_place_holds_nobody_up_and_is_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let stamp = WatchedUntil::in_state_dir(directory.path());
        let other = directory.path().join("of another");
        fs::write(&other, "content").expect("written");
        let link = || symlink(&other, &stamp.path).expect("made");
        let fifo = || {
            mknodat(CWD, &stamp.path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("made");
        };
        let lay: [&dyn Fn(); 2] = [&link, &fifo];
        for lay in lay {
            let _ = fs::remove_file(&stamp.path);
            lay();
            assert!(because(stamp.unwatched(false, SystemTime::now())).contains("no regular file"));
            stamp.renew().expect("replaced");
            let later = SystemTime::now() + Duration::from_secs(1);
            assert!(stamp.unwatched(false, later).expect("a gap").since.is_some());
        }
        assert_eq!(fs::read(&other).expect("there"), b"content");
    }
}
