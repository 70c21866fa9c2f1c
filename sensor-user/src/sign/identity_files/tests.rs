use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::sign::SensorId;

fn identity(byte: u8) -> Identity {
    let key = rcgen::KeyPair::generate().expect("made");
    let certificate = rcgen::CertificateParams::new(vec![])
        .expect("valid")
        .self_signed(&key)
        .expect("signed");
    Identity::new(
        SensorId::from_bytes([byte; 16]),
        &[byte ^ 0x5a; 32],
        Zeroizing::new(key.serialize_der()),
        certificate.der().clone(),
        certificate.der().clone(),
    )
    .expect("valid")
}

#[test]
fn what_is_stored_is_loaded() {
    let dir = tempfile::tempdir().expect("made");
    let state = dir.path().join("state");
    assert!(!Identity::is_enrolled(&state));
    identity(7).store(&state, false).expect("stored");
    let loaded = Identity::load(&state).expect("loaded");
    assert_eq!(loaded.sensor_id(), SensorId::from_bytes([7; 16]));
    assert_eq!(loaded.signing_public_key(), identity(7).signing_public_key());
    for name in ["sensor_id", "signing.key", "tls.key", "tls.der", "authority.der"] {
        let mode = fs::metadata(state.join("identity").join(name))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(
        fs::metadata(state.join("identity"))
            .expect("there")
            .permissions()
            .mode()
            & 0o777,
        0o700
    );
}

#[test]
fn an_identity_is_replaced_only_when_that_is_said() {
    let dir = tempfile::tempdir().expect("made");
    identity(1).store(dir.path(), false).expect("stored");
    let why = identity(2).store(dir.path(), false).expect_err("refused");
    assert!(matches!(why, IdentityError::AlreadyEnrolled { .. }), "{why}");
    assert!(why.to_string().contains("--force"), "{why}");
    identity(2).store(dir.path(), true).expect("replaced");
    assert_eq!(
        Identity::load(dir.path()).expect("loaded").sensor_id(),
        SensorId::from_bytes([2; 16])
    );
    assert_eq!(
        fs::read_dir(dir.path()).expect("read").count(),
        1,
        "the old identity is gone"
    );
}

#[test]
fn a_killed_enrolment_is_in_nobodys_way() {
    let dir = tempfile::tempdir().expect("made");
    fs::create_dir(dir.path().join("identity.new")).expect("made");
    fs::write(dir.path().join("identity.new/signing.key"), b"half").expect("written");
    assert!(matches!(
        Identity::load(dir.path()),
        Err(IdentityError::NotEnrolled { .. })
    ));
    identity(3).store(dir.path(), false).expect("stored");
    assert!(Identity::load(dir.path()).is_ok());
}

#[test]
fn making_room_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("made");
    Identity::make_room(dir.path(), false).expect("room");
    assert_eq!(fs::read_dir(dir.path()).expect("read").count(), 0);
}

#[test]
fn without_an_identity_it_says_what_to_do() {
    let dir = tempfile::tempdir().expect("made");
    let why = Identity::load(dir.path()).expect_err("none there");
    assert!(why.to_string().ends_with("run `claviger-sensor enrol`"), "{why}");
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    for name in ["signing.key", "tls.key"] {
        let dir = tempfile::tempdir().expect("made");
        identity(4).store(dir.path(), false).expect("stored");
        let path = dir.path().join("identity").join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        let why = Identity::load(dir.path()).expect_err("refused");
        assert!(why.to_string().contains("mode 0640"), "{why}");
        assert!(why.to_string().contains("chmod 600 "), "{why}");
    }
}

#[test]
fn what_others_may_write_is_refused() {
    for name in ["", "identity", "identity/sensor_id", "identity/authority.der"] {
        let dir = tempfile::tempdir().expect("made");
        identity(4).store(dir.path(), false).expect("stored");
        let path = dir.path().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("set");
        let why = Identity::load(dir.path()).expect_err("refused");
        assert!(matches!(why, IdentityError::Untrusted(_)), "{name}: {why}");
        assert!(why.to_string().contains("chmod go-w "), "{why}");
    }
    let dir = tempfile::tempdir().expect("made");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("set");
    let why = Identity::make_room(dir.path(), false).expect_err("refused");
    assert!(matches!(why, IdentityError::Untrusted(_)), "{why}");
}

/// Only root can give files away; for others `trust.rs` judges numbers.
#[test]
fn what_is_somebody_elses_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for name in ["", "identity", "identity/signing.key"] {
        let dir = tempfile::tempdir().expect("made");
        identity(4).store(dir.path(), false).expect("stored");
        std::os::unix::fs::chown(dir.path().join(name), Some(65_534), None).expect("given away");
        let why = Identity::load(dir.path()).expect_err("refused").to_string();
        assert!(why.contains("run `chown root "), "{name}: {why}");
    }
}

#[test]
fn damage_is_named() {
    for (name, content, expected) in [
        ("sensor_id", &b"x"[..], "no UUID"),
        ("signing.key", b"short", "32 bytes"),
        ("tls.der", b"x", "enrol again"),
        ("authority.der", &[0; 70_000], "too large"),
    ] {
        let dir = tempfile::tempdir().expect("made");
        identity(5).store(dir.path(), false).expect("stored");
        fs::write(dir.path().join("identity").join(name), content).expect("written");
        let why = Identity::load(dir.path()).expect_err("refused").to_string();
        assert!(why.contains(name) && why.contains(expected), "{why}");
    }
    let dir = tempfile::tempdir().expect("made");
    identity(5).store(dir.path(), false).expect("stored");
    fs::remove_file(dir.path().join("identity/tls.key")).expect("removed");
    let why = Identity::load(dir.path()).expect_err("refused").to_string();
    assert!(why.contains("tls.key: it is missing: enrol again"), "{why}");
}

/// A FIFO would be waited for, and a link may lead anywhere.
#[test]
fn what_is_no_regular_file_is_refused() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    for name in ["sensor_id", "signing.key", "tls.key", "tls.der"] {
        let dir = tempfile::tempdir().expect("made");
        identity(5).store(dir.path(), false).expect("stored");
        let (path, other) = (dir.path().join("identity").join(name), dir.path().join("other"));
        let refused = || {
            let why = Identity::load(dir.path()).expect_err("refused").to_string();
            assert!(
                why.contains(&format!("{name}: it is no regular file: enrol again")),
                "{why}"
            );
        };
        fs::rename(&path, &other).expect("there");
        std::os::unix::fs::symlink(&other, &path).expect("made");
        refused();
        fs::remove_file(&path).expect("there");
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("made");
        refused();
    }
}

#[test]
fn no_key_is_in_the_debug_form() {
    let identity = identity(0xa5);
    let debug = format!("{identity:?}");
    assert!(!debug.contains("ffffffff"), "{debug}");
    assert!(!debug.contains("255, 255"), "{debug}");
    assert!(debug.contains(&identity.key_id()), "{debug}");
}

#[test]
fn a_signing_key_that_was_exchanged_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().expect("made");
    identity(5).store(dir.path(), false).expect("stored");
    let key = dir.path().join("identity/signing.key");
    let own = fs::read(&key).expect("read");
    fs::write(&key, [9; 32]).expect("written");
    let why = Identity::load(dir.path()).expect_err("refused");
    assert!(matches!(why, IdentityError::AnotherKey { .. }), "{why}");
    let told = why.to_string();
    assert!(
        told.contains("signing.key") && told.contains("enrol --force"),
        "{told}"
    );
    fs::write(&key, own).expect("written");
    Identity::load(dir.path()).expect("put back");
    // Of a version of before, or removed: the spool tells of that.
    fs::write(dir.path().join("identity/chain"), b"").expect("written");
    Identity::load(dir.path()).expect("loaded");
}
