//! Labels are kept right: what appears, what lies elsewhere, and what only its content gives away.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use claviger_tests::{
    PATIENCE, can_load,
    ways::{Did, Programs},
};

use crate::host::{Host, cat};

const EMPTY: &str = "version = 1\n";

/// Reads the file until a read is seen, and returns the first that was.
fn read_until_seen(host: &Host, path: &Path) -> serde_json::Value {
    read_until_seen_within(host, path, PATIENCE)
}

fn read_until_seen_within(host: &Host, path: &Path, patience: Duration) -> serde_json::Value {
    let begun = Instant::now();
    loop {
        cat(path);
        if let Some(first) = host.uses(path).into_iter().next() {
            return first;
        }
        assert!(
            begun.elapsed() < patience,
            "{} is not seen\n{}",
            path.display(),
            host.sensor.log()
        );
    }
}

#[test]
fn a_directory_that_appears_is_noticed_long_before_the_next_scan() {
    if !can_load() {
        return;
    }
    // A scan that comes by itself comes too late for this test's patience.
    let mut host = Host::new(EMPTY, "");
    let config = fs::read_to_string(host.sensor.config()).expect("there");
    let slow = config.replace("rescan_interval_ms = 200", "rescan_interval_ms = 3600000");
    fs::write(host.sensor.config(), slow).expect("written");
    host.sensor.start();
    host.decoy.write(".kube/config", "apiVersion: v1\nkind: Config\n");
    let seen = read_until_seen(&host, &host.decoy.path(".kube/config"));
    assert_eq!(seen["credential"]["kind"], "kubeconfig");
    // And one in the other: each level is awaited in its turn.
    host.decoy
        .write(".config/gcloud/legacy_credentials/a/adc.json", "{}");
    let path = host.decoy.path(".config/gcloud/legacy_credentials/a/adc.json");
    let seen = read_until_seen(&host, &path);
    assert_eq!(seen["credential"]["kind"], "gcp_user_credentials");
}

/// ext4 gives the numbers of what was removed to what is made next, as where a home is unpacked anew.
#[test]
fn what_is_made_anew_under_the_same_numbers_is_seen() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    let (directory, key) = (host.decoy.path(".aws"), host.decoy.path(".aws/credentials"));
    let numbers = || [&directory, &key].map(|path| fs::metadata(path).expect("there").ino());
    host.decoy.write(".aws/credentials", "[default]\n");
    host.sensor.start();
    read_until_seen(&host, &key);
    let mut seen = 1;
    for _ in 0..20 {
        let before = numbers();
        fs::remove_dir_all(&directory).expect("removed");
        host.decoy.write(".aws/credentials", "[default]\n");
        let is_reused = numbers() == before;
        let begun = Instant::now();
        while host.uses(&key).len() == seen {
            cat(&key);
            assert!(
                begun.elapsed() < PATIENCE,
                "it is not seen\n{}",
                host.sensor.log()
            );
        }
        if is_reused {
            return;
        }
        seen = host.uses(&key).len();
    }
    eprintln!("not tested: this file system gives new files new numbers");
}

#[test]
fn a_rotated_kubernetes_token_is_seen_by_every_path() {
    if !can_load() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let volume = directory.path().join("token-volume");
    let at = |name: &str| volume.join(name);
    let rotate = |version: &str| {
        fs::create_dir_all(at(version)).expect("made");
        fs::write(at(version).join("token"), "a decoy").expect("written");
        std::os::unix::fs::symlink(version, at("..data_tmp")).expect("linked");
        fs::rename(at("..data_tmp"), at("..data")).expect("renamed");
    };
    rotate("..2026_01");
    std::os::unix::fs::symlink("..data/token", at("token")).expect("linked");
    let mut host = Host::new(
        &format!(
            "version = 1\n[[entry]]\nid = \"volume\"\nkind = \"kubernetes_service_account_token\"\nglobs = [\"{}/**/token\"]\n",
            volume.display()
        ),
        "",
    );
    host.sensor.start();
    cat(&at("token"));
    assert_eq!(
        host.uses(&at("..2026_01/token")).len(),
        1,
        "the kernel tells where it lies"
    );
    rotate("..2026_02");
    fs::remove_dir_all(at("..2026_01")).expect("removed");
    let begun = Instant::now();
    loop {
        cat(&at("token"));
        let uses = host.uses(&at("..2026_02/token"));
        if !uses.is_empty() {
            assert_eq!(uses[0]["credential"]["catalogue_entry"], "volume");
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{}", host.sensor.log());
    }
}

#[test]
fn what_lies_in_another_mount_namespace_is_labelled_too() {
    if !can_load() {
        return;
    }
    if !Path::new("/usr/bin/unshare").exists() {
        eprintln!("skipped: it needs unshare(1)");
        return;
    }
    let mut host = Host::new(EMPTY, "");
    host.sensor.start();
    // A home that the host has not, known only by the container's own user database, on a file system that only it sees.
    let place = tempfile::tempdir().expect("a directory");
    let script = "mount -t tmpfs none $0 && mkdir -p $0/app/.aws && echo app:x:1:1::$0/app:/bin/sh > $0/passwd && \
                  mount --bind $0/passwd /etc/passwd && \
                  printf '[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n' > $0/app/.aws/credentials && \
                  echo ready; while read line; do /bin/cat $0/app/.aws/credentials >/dev/null; echo read; done";
    let mut inside = Command::new("/usr/bin/unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(place.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut said = BufReader::new(inside.stdout.take().expect("piped")).lines();
    let mut say = inside.stdin.take().expect("piped");
    assert_eq!(said.next().expect("a line").expect("UTF-8"), "ready");
    let path = &place.path().join("app/.aws/credentials");
    let begun = Instant::now();
    let seen = loop {
        say.write_all(b"read\n").expect("it waits for lines");
        said.next().expect("a line").expect("UTF-8");
        if let Some(first) = host.uses(path).into_iter().next() {
            break first;
        }
        assert!(begun.elapsed() < PATIENCE, "{}", host.sensor.log());
    };
    assert_eq!(seen["credential"]["catalogue_entry"], "aws-credentials");
    let status = host.sensor.status();
    assert!(status["labelled"]["roots"].as_u64() > Some(0), "{status:#}");
    drop(say);
    inside.wait().expect("ours");
}

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nZGVjb3k=\n-----END PRIVATE KEY-----\n";

#[test]
fn a_broad_pattern_takes_only_what_the_content_makes_a_credential() {
    if !can_load() {
        return;
    }
    let own = tempfile::tempdir().expect("a directory");
    let at = |name: &str| own.path().join(name);
    let mut host = Host::new(
        &format!(
            "version = 1\n[[entry]]\nid = \"site\"\nkind = \"private_key\"\nglobs = [\"{0}/**\"]\ncontent = [\"private_key\"]\n\
             [[entry]]\nid = \"account\"\nkind = \"gcp_service_account_key\"\nglobs = [\"{0}/*.json\"]\ncontent = [\"google_service_account\"]\n",
            own.path().display()
        ),
        "",
    );
    let account = "{\"type\": \"service_account\", \"private_key\": \"x\", \"client_email\": \"a@b\"}";
    for (name, content) in [
        ("site.pem", KEY),
        ("chain.pem", &KEY.replace("PRIVATE KEY", "CERTIFICATE")),
        ("account.json", account),
        ("package.json", "{\"name\": \"x\"}"),
    ] {
        fs::write(at(name), content).expect("written");
    }
    host.sensor.start();
    let seen = read_until_seen(&host, &at("site.pem"));
    assert_eq!(seen["credential"]["kind"], "private_key");
    let seen = read_until_seen(&host, &at("account.json"));
    assert_eq!(seen["credential"]["catalogue_entry"], "account");
    for none in ["chain.pem", "package.json"] {
        cat(&at(none));
        assert_eq!(host.uses(&at(none)).len(), 0, "{none}");
    }
    // It becomes one.
    fs::write(at("chain.pem"), KEY).expect("written");
    read_until_seen(&host, &at("chain.pem"));
}

#[test]
fn what_lies_anywhere_is_found_by_the_search() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    let anywhere = tempfile::tempdir().expect("a directory");
    let key = anywhere.path().join("site.pem");
    fs::write(&key, KEY).expect("written");
    host.sensor.start();
    // This host may be large and busy.
    let seen = read_until_seen_within(&host, &key, Duration::from_secs(240));
    assert_eq!(seen["credential"]["catalogue_entry"], "private-key");
}

/// The number of the look through open descriptors is in the label, beside what the label is.
#[test]
fn a_credential_is_seen_whatever_look_it_was_labelled_after() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "[probes]\nlook_interval_ms = 1000\n");
    host.sensor.start();
    let labelled = || host.sensor.status()["labelled"]["files"].as_u64();
    for round in 0..18 {
        let before = labelled();
        let key = format!(".ssh/id_{round}");
        host.decoy.write(&key, KEY);
        let key = host.decoy.path(&key);
        // Then it is known as an object, and no longer by its name.
        let begun = Instant::now();
        while labelled() == before {
            assert!(begun.elapsed() < PATIENCE, "{}", host.sensor.log());
        }
        // The next is for another look.
        thread::sleep(Duration::from_millis(1_000));
        cat(&key);
        assert_eq!(host.uses(&key).len(), 1, "{} of {round}", key.display());
    }
}

/// The end of a process is told before the kernel closes its files, which a look through open descriptors can still meet then.
#[test]
fn what_a_process_that_ends_has_open_is_not_told_again() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "[probes]\nlook_interval_ms = 1000\n");
    host.decoy.write(".ssh/id_one", KEY);
    let key = host.decoy.path(".ssh/id_one");
    host.sensor.start();
    let place = tempfile::tempdir().expect("a directory");
    let programs = Programs::put(place.path());
    let mut readers = Vec::new();
    for _ in 0..15 {
        let (did, running) = programs.run("open_large", key.to_str().expect("plain"), "");
        drop(running);
        match did {
            Did::It { pid, errno: 0, .. } => readers.push(pid),
            did => panic!("{did:?}"),
        }
    }
    // Two more looks.
    thread::sleep(Duration::from_millis(2_000));
    let events = host.kept();
    for pid in readers {
        let by = |event: &&serde_json::Value| event["actor"]["process"]["pid"] == pid;
        let told: Vec<_> = events.iter().filter(by).collect();
        assert_eq!(told.len(), 1, "{told:#?}");
    }
}

#[test]
fn what_replaces_the_target_of_links_is_known_at_its_first_use() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    let elsewhere = tempfile::tempdir().expect("a directory");
    let at = |name: &str| elsewhere.path().join(name);
    fs::create_dir(at("first")).expect("made");
    fs::create_dir(at("second")).expect("made");
    fs::write(
        at("second/creds"),
        "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n",
    )
    .expect("written");
    std::os::unix::fs::symlink("../second/creds", at("first/creds")).expect("linked");
    let credentials = host.decoy.path(".aws/credentials");
    fs::remove_file(&credentials).expect("removed");
    std::os::unix::fs::symlink(at("first/creds"), &credentials).expect("linked");
    host.sensor.start();
    cat(&credentials);
    assert_eq!(host.uses(&at("second/creds")).len(), 1, "{}", host.sensor.log());

    // At the end of the chain, and at its middle; read at once, long before the next scan.
    for (target, shown) in [("second/creds", 2), ("first/creds", 1)] {
        fs::write(at("new"), "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n").expect("written");
        fs::rename(at("new"), at(target)).expect("replaced");
        cat(&credentials);
        let uses = host.uses(&at(target));
        assert_eq!(uses.len(), shown, "{target}: {uses:#?}\n{}", host.sensor.log());
        assert_eq!(
            uses[shown - 1]["credential"]["catalogue_entry"],
            "aws-credentials"
        );
    }
}

/// By the name at which it was opened it is labelled, and stays so when the agent has taken that over.
#[test]
fn what_was_made_at_a_credentials_name_is_known_by_every_other() {
    if !can_load() {
        return;
    }
    let mut host = Host::new(EMPTY, "");
    let elsewhere = tempfile::tempdir().expect("a directory");
    host.decoy.write(".ssh/known_hosts", "a host\n");
    let credentials = host.decoy.path(".aws/credentials");
    fs::remove_file(&credentials).expect("removed");
    host.sensor.start();
    let key = host.decoy.path(".ssh/id_made");
    // One name is known exactly, one fits a pattern, and one is none in the same directory.
    let cases = [
        (credentials, "aws", 1),
        (key, "ssh", 1),
        (host.decoy.path(".ssh/known_hosts"), "none", 0),
    ];
    for (path, name, _) in &cases {
        fs::write(path, KEY).expect("written");
        fs::rename(path, elsewhere.path().join(name)).expect("renamed");
        cat(&elsewhere.path().join(name));
    }
    for (_, name, seen) in &cases {
        let uses = host.uses(&elsewhere.path().join(name));
        assert_eq!(uses.len(), *seen, "{name}: {uses:#?}\n{}", host.sensor.log());
    }
    // Scans find none of them.
    thread::sleep(Duration::from_secs(2));
    for (_, name, seen) in &cases {
        cat(&elsewhere.path().join(name));
        let uses = host.uses(&elsewhere.path().join(name));
        assert_eq!(uses.len(), 2 * *seen, "{name}: {uses:#?}\n{}", host.sensor.log());
        let lies = uses.last().map(|last| last["credential"]["matched_by"].clone());
        assert_eq!(lies, (*seen > 0).then(|| "object".into()), "{name}");
    }
}
