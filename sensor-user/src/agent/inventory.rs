//! What credentials lie on this host now, by the same looks as those of the running agent, and without a kernel half: the places of the catalogue,
//! a search of the host for what can lie anywhere, and the roots of containers.
//!
//! - Nothing is labelled and nothing changed; of a content its public part alone is kept.
//! - Of one file that is found in several ways, each path is told once.
//! - Where somebody else's file system does not answer, this waits for it: who calls it says at which path it is (`step`).

use std::{
    collections::HashSet,
    io,
    ops::ControlFlow,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use claviger_proto::{catalogue::Catalogue, v1::Credential};
use rustix::fs::{Mode, OFlags, fstat};

use super::roots::Roots;
use crate::{
    credential::{
        Candidate, Contents, Held, LeftOut, OpenError, Parsed, Places, ScanLimits, ScanResult, homes,
        homes_of, identities, read_public,
    },
    decode::display,
};

/// A credential that lies there.
#[derive(Clone, Debug, PartialEq)]
pub struct Lying {
    /// What it is, where, and for whom it stands.
    pub credential: Credential,
    /// Its owner's number.
    pub owner: u32,
    /// Its group's number.
    pub group: u32,
    /// Its permission bits.
    pub mode: u32,
    /// Who of others than its owner can read it, by its mode and by those of the directories that lead to it.
    pub exposure: Exposure,
}

/// Who of others than its owner can read a file. Access control lists beyond the mode are not looked at, capabilities neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exposure {
    /// Nobody.
    Owner,
    /// Its group.
    Group,
    /// Everybody.
    Others,
}

impl Exposure {
    /// As a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Group => "group",
            Self::Others => "others",
        }
    }
}

/// A part of the host that was looked through.
#[derive(Clone, Debug)]
pub struct Part {
    /// What it is: `places`, `search` or `container`.
    pub name: &'static str,
    /// What lies in it.
    pub lying: Vec<Lying>,
    /// What was not looked at.
    pub left_out: LeftOut,
}

/// Looks through all parts, one after the other, and hands each over when it is done, until `done` breaks off. `step` is told each path before it is looked at.
///
/// # Errors
/// Where the root cannot be opened, or the mounts not be read.
pub fn inventory(
    catalogue: &Catalogue,
    extra_homes: &[PathBuf],
    step: &dyn Fn(&Path),
    mut done: impl FnMut(Part) -> ControlFlow<()>,
) -> io::Result<()> {
    let step = |path: &Path| {
        step(path);
        true
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open("/", flags, Mode::empty())?;
    let mountinfo = std::fs::read("/proc/self/mountinfo")?;
    let homes = homes(Path::new("/"), extra_homes);
    let mut look = Look {
        contents: Contents::default(),
        told: HashSet::new(),
        step: &step,
    };
    let places = Places::new(catalogue, homes.clone());
    let found = places.scan_root(&root, &mountinfo, &ScanLimits::default(), &step);
    if done(look.part("places", &root, found)).is_break() {
        return Ok(());
    }
    if let Some(places) = Places::for_search(catalogue, homes) {
        let found = places.scan_root(&root, &mountinfo, &ScanLimits::of_search(), &step);
        if done(look.part("search", &root, found)).is_break() {
            return Ok(());
        }
    }
    for other in Roots::default().look().roots {
        look.told.clear();
        let places = Places::new(
            catalogue,
            homes_of(&other.directory, &other.mountinfo, extra_homes, &step),
        );
        let limits = ScanLimits::default();
        let found = places.scan_root(&other.directory, &other.mountinfo, &limits, &step);
        if done(look.part("container", &other.directory, found)).is_break() {
            return Ok(());
        }
    }
    Ok(())
}

struct Look<'a> {
    contents: Contents,
    /// Paths that were told of the root that is looked into.
    told: HashSet<PathBuf>,
    step: &'a dyn Fn(&Path) -> bool,
}

impl Look<'_> {
    fn part(&mut self, name: &'static str, root: &OwnedFd, mut found: ScanResult) -> Part {
        self.contents.narrow(root, &mut found, self.step);
        let mut lying = Vec::with_capacity(found.files.len());
        for candidate in &found.files {
            if self.told.insert(candidate.path.clone()) {
                (self.step)(&candidate.path);
                lying.extend(look_at(root, candidate));
            }
        }
        lying.sort_by(|a, b| a.credential.path.cmp(&b.credential.path));
        Part {
            name,
            lying,
            left_out: found.left_out,
        }
    }
}

/// What a candidate is; nothing where it is gone or another by now.
fn look_at(root: &OwnedFd, candidate: &Candidate) -> Option<Lying> {
    let held = Held::at(root, &candidate.path).ok()?;
    if held.seen() != candidate.seen {
        return None;
    }
    let stat = fstat(held.descriptor()).ok()?;
    let mode = stat.st_mode & 0o7777;
    let kind = candidate.entry.kind();
    let parsed = match held.open_file() {
        Ok(file) => match read_public(&file) {
            Ok(content) => identities(kind, &candidate.path, &content),
            Err(error) => Parsed::unknown(error.reason()),
        },
        Err(OpenError::Gone | OpenError::NotRegular) => return None,
        Err(error) => Parsed::unknown(error.reason()),
    };
    let bytes = candidate.path.as_os_str().as_encoded_bytes();
    Some(Lying {
        credential: Credential {
            kind: kind.to_owned(),
            path: display(bytes),
            path_bytes: std::str::from_utf8(bytes).map_or_else(|_| bytes.to_vec(), |_| Vec::new()),
            device: stat.st_dev,
            inode: stat.st_ino,
            catalogue_entry: candidate.entry.id().to_owned(),
            identities: parsed.identities,
            unknown_reason: parsed.unknown_reason.unwrap_or_default().to_owned(),
            ..Credential::default()
        },
        owner: stat.st_uid,
        group: stat.st_gid,
        mode,
        exposure: exposure(root, &candidate.path, mode),
    })
}

/// Others reach a file only through directories that they may pass; so does its group, whichever groups those are of.
fn exposure(root: impl AsFd, path: &Path, mode: u32) -> Exposure {
    let passable = |bit: u32| {
        path.ancestors().skip(1).all(|directory| {
            Held::at(root.as_fd(), directory)
                .ok()
                .and_then(|held| fstat(held.descriptor()).ok())
                .is_some_and(|stat| stat.st_mode & bit != 0)
        })
    };
    if mode & 0o004 != 0 && passable(0o001) {
        Exposure::Others
    } else if mode & 0o044 != 0 && passable(0o011) {
        Exposure::Group
    } else {
        Exposure::Owner
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        os::unix::fs::PermissionsExt as _,
    };

    use super::*;

    #[test]
    fn who_can_read_a_file_is_told_by_all_that_leads_to_it() {
        let top = tempfile::tempdir().expect("made");
        let set =
            |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
        let (directory, file) = (top.path().join("d"), top.path().join("d/f"));
        fs::create_dir(&directory).expect("made");
        fs::write(&file, "x").expect("written");
        set(top.path(), 0o755);
        let root = File::open("/").expect("opened");
        for (directory_mode, mode, expected) in [
            (0o755, 0o600, Exposure::Owner),
            (0o755, 0o640, Exposure::Group),
            (0o755, 0o644, Exposure::Others),
            (0o700, 0o644, Exposure::Owner),
            (0o750, 0o644, Exposure::Group),
            (0o711, 0o604, Exposure::Others),
        ] {
            set(&directory, directory_mode);
            assert_eq!(
                exposure(&root, &file, mode),
                expected,
                "{directory_mode:o} {mode:o}"
            );
        }
    }

    #[test]
    fn what_lies_in_a_home_is_found_with_its_identity_and_no_secret() {
        let home = tempfile::tempdir().expect("made");
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("set");
        fs::create_dir(home.path().join(".aws")).expect("made");
        let file = home.path().join(".aws/credentials");
        fs::write(
            &file,
            "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
        )
        .expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("set");
        let extra = [home.path().to_owned()];
        let root = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).expect("opened");
        let places = Places::new(Catalogue::shipped(), homes(home.path(), &extra));
        let found = places.scan_root(&root, b"", &ScanLimits::default(), &|_| true);
        let mut look = Look {
            contents: Contents::default(),
            told: HashSet::new(),
            step: &|_| true,
        };
        let part = look.part("places", &root, found);
        let path = file.display().to_string();
        let lying: Vec<_> = part
            .lying
            .iter()
            .filter(|one| one.credential.path == path)
            .collect();
        assert_eq!(lying.len(), 1, "{part:?}");
        assert_eq!(lying[0].credential.kind, "aws_access_key");
        assert_eq!(lying[0].credential.identities[0].id, "AKIAIOSFODNN7EXAMPLE");
        assert_eq!((lying[0].mode, lying[0].exposure), (0o644, Exposure::Others));
        assert!(!format!("{part:?}").contains("wJalr"), "a secret came out");
    }
}
