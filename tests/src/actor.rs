//! The program that reads a decoy in ways that make it hard to say who did (`attribution-c/`), under any name, and one that copies it in ways
//! that hide the copy (`copier-c/`).

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

const ACTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/actor"));

const COPIER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/copier"));

/// Puts a copy of it at a path.
///
/// # Panics
/// Where the file system refuses.
#[must_use]
pub fn actor(path: &Path) -> PathBuf {
    put(path, ACTOR)
}

/// The same of the one that copies.
///
/// # Panics
/// As [`actor`].
#[must_use]
pub fn copier(path: &Path) -> PathBuf {
    put(path, COPIER)
}

fn put(path: &Path, program: &[u8]) -> PathBuf {
    fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
    fs::write(path, program).expect("written");
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("permissions");
    path.to_owned()
}

/// Puts a script at a path, which can be executed.
///
/// # Panics
/// As [`actor`].
#[must_use]
pub fn script(path: &Path, text: &str) -> PathBuf {
    fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
    fs::write(path, text).expect("written");
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("permissions");
    path.to_owned()
}
