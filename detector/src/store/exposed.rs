//! Whether what must be the detector's alone is: the data directory, and the keys in it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::{fs, io};

use super::{DataDir, StoreError};

const KEYS: [&str; 3] = ["ca.key", "server.key", "operator.key"];

/// An error where others could change the directory, or have its keys; or where it belongs to neither root nor `me`, if that is
/// asked.
pub(super) fn check(directory: &DataDir, me: Option<u32>) -> Result<(), StoreError> {
    for path in [
        directory.root().to_owned(),
        directory.evidence(),
        directory.database(),
    ] {
        look(&path, me, Secrecy::Public)?;
    }
    for key in KEYS {
        look(&directory.file(key), me, Secrecy::Private)?;
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    /// Others may read it, as far as the directories above it let them.
    Public,
    Private,
}

fn look(path: &Path, me: Option<u32>, secrecy: Secrecy) -> Result<(), StoreError> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::io("look at", path)(error)),
    };
    match wrong(found.uid(), found.mode(), me, secrecy) {
        None => Ok(()),
        Some((what, remedy)) => Err(StoreError::Exposed {
            path: path.to_owned(),
            what,
            remedy,
        }),
    }
}

/// What is wrong with an owner or mode, and the command against it but for the path.
fn wrong(owner: u32, mode: u32, me: Option<u32>, secrecy: Secrecy) -> Option<(String, String)> {
    let bits = mode & 0o7777;
    if let Some(me) = me
        && owner != 0
        && owner != me
    {
        return Some((
            format!("belongs to user {owner}, who is neither root nor the user of this detector ({me})"),
            format!("chown {me}"),
        ));
    }
    if bits & 0o022 != 0 {
        let remedy = if secrecy == Secrecy::Private {
            "600"
        } else {
            "go-w"
        };
        return Some((
            format!("can be written by others (mode {bits:04o})"),
            format!("chmod {remedy}"),
        ));
    }
    if secrecy == Secrecy::Private && bits & 0o077 != 0 {
        return Some((
            format!("can be read by others (mode {bits:04o})"),
            "chmod 600".to_owned(),
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remedy(owner: u32, mode: u32, secrecy: Secrecy) -> Option<String> {
        wrong(owner, mode, Some(997), secrecy).map(|(_, remedy)| remedy)
    }

    #[test]
    fn only_root_and_the_detectors_user_may_own_or_write() {
        for owner in [0, 997] {
            assert_eq!(remedy(owner, 0o40755, Secrecy::Public), None);
            assert_eq!(remedy(owner, 0o100_600, Secrecy::Private), None);
        }
        let expected = |text: &str| Some(text.to_owned());
        assert_eq!(remedy(1000, 0o40700, Secrecy::Public), expected("chown 997"));
        assert_eq!(remedy(1000, 0o100_600, Secrecy::Private), expected("chown 997"));
        assert_eq!(
            wrong(1000, 0o100_600, None, Secrecy::Private),
            None,
            "any owner will do"
        );
        for mode in [0o41777, 0o40775, 0o40702] {
            assert_eq!(remedy(997, mode, Secrecy::Public), expected("chmod go-w"));
        }
        for mode in [0o100_644, 0o100_640, 0o100_620] {
            assert_eq!(remedy(997, mode, Secrecy::Private), expected("chmod 600"));
        }
    }
}
