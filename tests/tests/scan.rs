//! `scan` in a root of its own that holds decoys only: it must read nothing of this machine's.

use std::{fs, path::Path, process::Command};

use claviger_tests::sensor;
use serde_json::Value;

const UNSHARE: &str = "/usr/bin/unshare";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// Makes a root of decoys at `$R`, and runs the sensor at `$S` in it, in which no process of this machine can be seen.
const SCRIPT: &str = r#"
set -e
mount -t tmpfs none "$R"
mkdir -p "$R/proc" "$R/etc" "$R/home/demo/.aws" "$R/home/demo/.ssh" "$R/usr/lib/x86_64-linux-gnu" "$R/usr/lib64"
chmod 755 "$R" "$R/home" "$R/home/demo" "$R/home/demo/.aws"
for one in /lib /lib64; do cp -P "$one" "$R/"; done
mount --bind /usr/lib/x86_64-linux-gnu "$R/usr/lib/x86_64-linux-gnu"
mount --bind /usr/lib64 "$R/usr/lib64"
cp "$S" "$R/claviger-sensor"
echo 'demo:x:1000:1000::/home/demo:/bin/sh' > "$R/etc/passwd"
echo 'root:decoy:1::::::' > "$R/etc/shadow"; chmod 600 "$R/etc/shadow"
printf '[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = %s\n' "$SECRET" > "$R/home/demo/.aws/credentials"
chmod "$MODE" "$R/home/demo/.aws/credentials"
mount -t proc proc "$R/proc"
exec chroot "$R" /claviger-sensor scan --json
"#;

struct Scanned {
    status: Option<i32>,
    lines: Vec<Value>,
    text: String,
}

/// Nothing where this machine makes no such root.
fn scan(mode: &str) -> Option<Scanned> {
    let is_merged = fs::read_link("/lib").is_ok_and(|to| to == Path::new("usr/lib"));
    if !rustix::process::geteuid().is_root() || !is_merged || !Path::new(UNSHARE).exists() {
        eprintln!("skipped: needs root, unshare(1) and a merged /usr");
        return None;
    }
    let root = tempfile::tempdir().expect("a directory");
    let output = Command::new(UNSHARE)
        .args(["--mount", "--pid", "--fork", "sh", "-c", SCRIPT])
        .env("R", root.path())
        .env("S", sensor().get_program())
        .env("SECRET", SECRET)
        .env("MODE", mode)
        .output()
        .expect("runs");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {text}")))
        .collect();
    Some(Scanned {
        status: output.status.code(),
        lines,
        text,
    })
}

#[test]
fn what_lies_on_a_host_is_listed_with_who_can_read_it_and_without_its_secret() {
    let Some(scanned) = scan("644") else { return };
    let at = |path: &str| {
        let mut found = scanned
            .lines
            .iter()
            .filter(|line| line["credential"]["path"] == path);
        let one = found
            .next()
            .unwrap_or_else(|| panic!("no {path}: {}", scanned.text));
        assert!(found.next().is_none(), "twice: {}", scanned.text);
        one
    };
    let aws = at("/home/demo/.aws/credentials");
    assert_eq!(aws["credential"]["kind"], "aws_access_key");
    assert_eq!(
        aws["credential"]["identities"][0]["id"], "AKIAIOSFODNN7EXAMPLE",
        "{aws:#}"
    );
    assert_eq!(
        (&aws["mode"], &aws["readable_by"], &aws["part"]),
        (&"0644".into(), &"others".into(), &"places".into())
    );
    let shadow = at("/etc/shadow");
    assert_eq!(
        (&shadow["owner"], &shadow["readable_by"]),
        (&0.into(), &"owner".into())
    );
    assert!(!scanned.text.contains(SECRET), "{}", scanned.text);
    assert_eq!(scanned.status, Some(1), "something is exposed: {}", scanned.text);
}

#[test]
fn the_exit_status_says_whether_something_is_exposed() {
    let Some(scanned) = scan("600") else { return };
    let complete = scanned.lines.iter().all(|line| line["left_out"].is_null());
    let expected = if complete { 0 } else { 3 };
    assert_eq!(scanned.status, Some(expected), "{}", scanned.text);
}

#[test]
fn output_that_cannot_be_written_is_said_and_has_its_status() {
    let config = tempfile::NamedTempFile::new().expect("a file");
    let config = config.path().to_str().expect("plain");
    for arguments in [["--help"].as_slice(), &["config", "show", "--config", config]] {
        let full = fs::File::options().write(true).open("/dev/full").expect("there");
        let output = sensor().args(arguments).stdout(full).output().expect("runs");
        assert_eq!(output.status.code(), Some(74), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("write to standard output"), "{said}");
    }
}
