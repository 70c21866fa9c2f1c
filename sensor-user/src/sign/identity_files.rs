//! The identity on disk: `STATE_DIR/identity/` with `sensor_id` (text), `signing.key` (the 32 bytes of the Ed25519 seed), `tls.key`
//! (PKCS #8, DER), `tls.der` and `authority.der` (certificates, DER); and `chain`, which tells that and with which key the
//! sensor was enrolled (`chain_file.rs`), and in which the spool writes down how far it has come (`spool/anchor.rs`).
//!
//! The directory comes into being under another name and is renamed when all of it is on disk, so that there is a whole identity
//! or none, and one that is replaced is replaced at once.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustls::pki_types::CertificateDer;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::config::{IDENTITY_DIR, NEW_IDENTITY_DIR};
use crate::regular;

use super::chain_file::{ENROLMENT_AT, ENROLMENT_LEN, enrolled_key, unused_chain};
use super::durable::{create_private_dir, sync_dir, write_private};
use super::trust::{Untrusted, trust, trust_dir};
use super::{Identity, ValidityError};

/// What of an identity nobody else may have.
const PRIVATE_FILES: [&str; 2] = [SIGNING_KEY, TLS_KEY];
const SIGNING_KEY: &str = "signing.key";
const TLS_KEY: &str = "tls.key";

/// Where the chain stands, below the identity's directory: another identity begins another chain.
const CHAIN_FILE: &str = "chain";

/// Keys and certificates are a few hundred bytes.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// Why there is no identity to work with, or none could be kept.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// There is one, and it was not said that it may be replaced.
    #[error("this sensor is enrolled already ({}): pass --force to give it a new identity", dir.display())]
    AlreadyEnrolled {
        /// Where it is.
        dir: PathBuf,
    },
    /// The signing key is not the one that the sensor was enrolled with.
    #[error(
        "{} is not the key that this sensor was enrolled with: somebody exchanged it, and the detector takes nothing that it signs. Find out who that was, \
         then put the key back or enrol again with `claviger-sensor enrol --force`", path.display()
    )]
    AnotherKey {
        /// The key file.
        path: PathBuf,
    },
    /// The certificate does not fit.
    #[error("{}: enrol again with `claviger-sensor enrol --force`", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ValidityError,
    },
    /// A file holds something else than it must.
    #[error("{}: {reason}: enrol again with `claviger-sensor enrol --force`", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// There is none.
    #[error("this sensor is not enrolled ({} is not there): run `claviger-sensor enrol`", dir.display())]
    NotEnrolled {
        /// Where it would be.
        dir: PathBuf,
    },
    /// Others than the owner may read a key.
    #[error("{0} can be read by others (mode {mode:04o}): find out who could, then run `chmod 600 {0}`", path.display())]
    TooOpen {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It, or the directory it lies in, belongs to somebody else or can be written by others.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// A file operation failed.
    #[error("cannot {step} {}", path.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

fn io_error(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IdentityError {
    let path = path.to_owned();
    move |source| IdentityError::Io { step, path, source }
}

impl Identity {
    /// The file that tells how far the chain of this identity has come.
    #[must_use]
    pub fn chain_file(state_dir: &Path) -> PathBuf {
        state_dir.join(IDENTITY_DIR).join(CHAIN_FILE)
    }

    /// The files that hold its keys.
    #[must_use]
    pub fn key_files(state_dir: &Path) -> [PathBuf; 2] {
        PRIVATE_FILES.map(|name| state_dir.join(IDENTITY_DIR).join(name))
    }

    /// Whether an identity is there, whole or not.
    #[must_use]
    pub fn is_enrolled(state_dir: &Path) -> bool {
        fs::symlink_metadata(state_dir.join(IDENTITY_DIR)).is_ok()
    }

    /// Reads the identity.
    ///
    /// # Errors
    /// Where there is none, where others may read its keys or write anything of it, and where it is damaged.
    pub fn load(state_dir: &Path) -> Result<Self, IdentityError> {
        let dir = state_dir.join(IDENTITY_DIR);
        if let Err(source) = fs::metadata(&dir) {
            return Err(match source.kind() {
                io::ErrorKind::NotFound => IdentityError::NotEnrolled { dir },
                _ => IdentityError::Io {
                    step: "look at",
                    path: dir,
                    source,
                },
            });
        }
        for dir in [state_dir, &dir] {
            trust_dir(dir).map_err(io_error("look at", dir))??;
        }
        let malformed = |name: &str, reason| IdentityError::Malformed {
            path: dir.join(name),
            reason,
        };

        let text = read(&dir.join("sensor_id"), Secrecy::Public)?;
        let sensor_id = std::str::from_utf8(&text)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .ok_or_else(|| malformed("sensor_id", "it holds no UUID"))?;
        let seed = read(&dir.join(SIGNING_KEY), Secrecy::Private)?;
        let seed: Zeroizing<[u8; 32]> = Zeroizing::new(
            seed.as_slice()
                .try_into()
                .map_err(|_| malformed(SIGNING_KEY, "it does not hold 32 bytes"))?,
        );
        let tls_key = read(&dir.join(TLS_KEY), Secrecy::Private)?;
        let certificate = CertificateDer::from(read(&dir.join("tls.der"), Secrecy::Public)?.to_vec());
        let authority = CertificateDer::from(read(&dir.join("authority.der"), Secrecy::Public)?.to_vec());
        let identity = Self::new(sensor_id, &seed, tls_key, certificate, authority).map_err(|source| {
            IdentityError::Certificate {
                path: dir.join("tls.der"),
                source,
            }
        })?;
        match key_of_enrolment(&dir.join(CHAIN_FILE)) {
            Some(key) if key != identity.signing_public_key() => Err(IdentityError::AnotherKey {
                path: dir.join(SIGNING_KEY),
            }),
            _ => Ok(identity),
        }
    }

    /// Makes sure that an identity can be kept, before a token is used up for it; `replace` allows that there is one already. Leaves
    /// nothing but the state directory.
    ///
    /// # Errors
    /// Where there is one already, and where the directories cannot be made.
    pub fn make_room(state_dir: &Path, replace: bool) -> Result<(), IdentityError> {
        if Self::is_enrolled(state_dir) && !replace {
            return Err(IdentityError::AlreadyEnrolled {
                dir: state_dir.join(IDENTITY_DIR),
            });
        }
        if let Some(parent) = state_dir.parent() {
            fs::create_dir_all(parent).map_err(io_error("make", parent))?;
        }
        match create_private_dir(state_dir) {
            Err(why) if why.kind() != io::ErrorKind::AlreadyExists => {
                return Err(io_error("make", state_dir)(why));
            }
            _ => {}
        }
        trust_dir(state_dir).map_err(io_error("look at", state_dir))??;
        let new = make_new(state_dir)?;
        remove_if_there(&new)
    }

    /// Keeps the identity; `replace` allows that there is one already.
    ///
    /// # Errors
    /// Where it cannot be written; then nothing has changed.
    pub fn store(&self, state_dir: &Path, replace: bool) -> Result<(), IdentityError> {
        Self::make_room(state_dir, replace)?;
        let new = make_new(state_dir)?;
        let stored = self.store_by_way_of(&new, state_dir);
        if stored.is_err() {
            // What remains is told already, and the next enrolment removes it.
            let _ = remove_if_there(&new);
        }
        stored
    }

    fn store_by_way_of(&self, new: &Path, state_dir: &Path) -> Result<(), IdentityError> {
        let dir = state_dir.join(IDENTITY_DIR);
        let sensor_id = format!("{}\n", self.sensor_id());
        let chain = unused_chain(&self.signing_public_key());
        let files: [(&str, &[u8]); 6] = [
            ("sensor_id", sensor_id.as_bytes()),
            (SIGNING_KEY, self.signing_seed()),
            (TLS_KEY, self.tls_key_bytes()),
            ("tls.der", self.certificate()),
            ("authority.der", self.authority()),
            (CHAIN_FILE, &chain),
        ];
        for (name, bytes) in files {
            let path = new.join(name);
            write_private(&path, bytes).map_err(io_error("write", &path))?;
        }
        sync_dir(new).map_err(io_error("sync", new))?;
        let flags = if Self::is_enrolled(state_dir) {
            RenameFlags::EXCHANGE
        } else {
            RenameFlags::NOREPLACE
        };
        renameat_with(CWD, new, CWD, &dir, flags)
            .map_err(|why| io_error("put into place", new)(io::Error::from(why)))?;
        sync_dir(state_dir).map_err(io_error("sync", state_dir))?;
        remove_if_there(new)
    }
}

/// Makes the directory in which an identity comes into being.
fn make_new(state_dir: &Path) -> Result<PathBuf, IdentityError> {
    let new = state_dir.join(NEW_IDENTITY_DIR);
    // Left by an enrolment that was killed, or the identity that one replaced.
    remove_if_there(&new)?;
    create_private_dir(&new).map_err(io_error("make", &new))?;
    Ok(new)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrecy {
    Private,
    Public,
}

fn read(path: &Path, secrecy: Secrecy) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    let failed = || io_error("read", path);
    let malformed = |reason| IdentityError::Malformed {
        path: path.to_owned(),
        reason,
    };
    let opened = regular::open(path, OpenOptions::new().read(true));
    let file = opened.map_err(|why| match why.kind() {
        io::ErrorKind::NotFound => malformed("it is missing"),
        io::ErrorKind::InvalidData => malformed("it is no regular file"),
        _ => failed()(why),
    })?;
    let metadata = file.metadata().map_err(failed())?;
    let mode = metadata.permissions().mode() & 0o7777;
    if secrecy == Secrecy::Private && mode & 0o077 != 0 {
        return Err(IdentityError::TooOpen {
            path: path.to_owned(),
            mode,
        });
    }
    trust(path, &metadata)?;
    if metadata.len() > MAX_FILE_BYTES {
        return Err(malformed("it is too large"));
    }
    // Sized at once: a growing vector would leave copies of a key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(metadata.len()).unwrap_or(0) + 1,
    ));
    file.take(metadata.len())
        .read_to_end(&mut bytes)
        .map_err(failed())?;
    Ok(bytes)
}

/// The public key that enrolment wrote down. Nothing where the file is gone, damaged or of a version of before: of that the spool tells.
fn key_of_enrolment(path: &Path) -> Option<[u8; 32]> {
    let file = regular::open(path, OpenOptions::new().read(true)).ok()?;
    let mut bytes = [0; ENROLMENT_LEN];
    file.read_exact_at(&mut bytes, ENROLMENT_AT).ok()?;
    enrolled_key(&bytes)
}

fn remove_if_there(dir: &Path) -> Result<(), IdentityError> {
    match fs::remove_dir_all(dir) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(io_error("remove", dir)(why)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
