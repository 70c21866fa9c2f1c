use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claviger_proto::v1::Identity;

use super::key;

/// What `ssh-keygen -l` says of the public key with the bytes 0 to 31.
const DECOY_FINGERPRINT: &str = "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA";

/// A key file with that public half, and nothing usable for a private one.
fn decoy(cipher: &str) -> String {
    let string = |bytes: &[u8]| [&u32::try_from(bytes.len()).expect("short").to_be_bytes(), bytes].concat();
    let numbers: Vec<u8> = (0..32).collect();
    let public = [string(b"ssh-ed25519"), string(&numbers)].concat();
    let parts = [
        b"openssh-key-v1\0".to_vec(),
        string(cipher.as_bytes()),
        string(b"none"),
        string(b""),
        1_u32.to_be_bytes().to_vec(),
        string(&public),
        string(&[b'x'; 200]),
    ];
    let body = STANDARD.encode(parts.concat());
    format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n")
}

fn read(content: &str) -> Result<Vec<Identity>, &'static str> {
    key(Path::new("/home/x/.ssh/id_ed25519"), content.as_bytes())
}

#[test]
fn the_fingerprint_is_the_one_of_the_public_half() {
    for (cipher, encrypted) in [("none", "false"), ("aes256-ctr", "true")] {
        let found = read(&decoy(cipher)).expect("an identity");
        assert_eq!(found[0].kind, "ssh_key_fingerprint");
        assert_eq!(found[0].id, DECOY_FINGERPRINT);
        assert_eq!(found[0].attributes["key_type"], "ssh-ed25519");
        assert_eq!(found[0].attributes["encrypted"], encrypted);
    }
}

#[test]
fn a_truncated_key_says_so() {
    let whole = decoy("none");
    for end in 0..whole.len() - 6 {
        assert_eq!(
            read(&whole[..end]),
            Err("not a private key in a known form"),
            "{end}"
        );
    }
    let (head, tail) = (
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "-----END OPENSSH PRIVATE KEY-----",
    );
    let body = &whole[head.len()..whole.len() - tail.len() - 1];
    for end in 0..body.len() {
        match read(&format!("{head}{}{tail}", &body[..end])) {
            Ok(found) => assert_eq!(found[0].id, DECOY_FINGERPRINT),
            Err(reason) => assert_eq!(reason, "the key is broken off or malformed"),
        }
    }
}

#[test]
fn other_forms_say_what_they_are() {
    for (content, expected) in [
        (
            "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
            "an unencrypted RSA key in PEM form, which does not name its public half",
        ),
        (
            "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n",
            "an encrypted EC key in PEM form, which does not name its public half",
        ),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "an encrypted PKCS #8 key, which does not name its public half",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "not a private key in a known form",
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END RSA",
            "not a private key in a known form",
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
            "the key is broken off or malformed",
        ),
        ("ssh-ed25519 AAAA comment", "not a private key in a known form"),
        ("", "not a private key in a known form"),
    ] {
        assert_eq!(read(content), Err(expected), "{content}");
    }
    assert_eq!(key(Path::new("/x"), b"\xff\xfe"), Err("not UTF-8"));
}

#[test]
fn agrees_with_ssh_keygen() {
    if Command::new("ssh-keygen").arg("-?").output().is_err() {
        eprintln!("skipped: ssh-keygen is not installed (apt-get install openssh-client)");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (name, arguments, encrypted) in [
        ("ed25519", &["-t", "ed25519", "-N", ""][..], "false"),
        (
            "ed25519-locked",
            &["-t", "ed25519", "-N", "passphrase", "-a", "1"],
            "true",
        ),
        ("ecdsa", &["-t", "ecdsa", "-b", "521", "-N", ""], "false"),
        ("rsa", &["-t", "rsa", "-b", "2048", "-N", ""], "false"),
    ] {
        let path = folder.path().join(name);
        let made = Command::new("ssh-keygen")
            .arg("-q")
            .args(arguments)
            .arg("-f")
            .arg(&path)
            .output()
            .expect("runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let shown = Command::new("ssh-keygen")
            .arg("-lf")
            .arg(&path)
            .output()
            .expect("runs");
        let shown = String::from_utf8(shown.stdout).expect("text");
        let content = std::fs::read(&path).expect("readable");
        let found = key(&path, &content).expect("an identity");
        assert_eq!(Some(found[0].id.as_str()), shown.split(' ').nth(1), "{name}");
        assert_eq!(found[0].attributes["encrypted"], encrypted, "{name}");
    }
}
