//! What is known by its history only, a copy and a credential that has left its place, is known after the next start too, by what it is and not by where it lies.

use std::{
    fs::{self, File, FileTimes},
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use claviger_tests::{Disk, SECRET, can_load};
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    copies::uses_by_cat,
    host::{Host, cat, text},
};

/// Files that are made to get a number again.
const TRIES: usize = 50;

const FILE: &str = "known-by-history";

/// What somebody does to the file.
type Spoil<'a> = &'a dyn Fn(&mut Vec<u8>);

/// A host with a key, whose sensor runs.
fn host() -> Host {
    let mut host = Host::new("version = 1\n", "");
    host.decoy.write(".ssh/id_original", &key(SECRET));
    host.sensor.start();
    host
}

fn key(secret: &str) -> String {
    format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{secret}\n-----END OPENSSH PRIVATE KEY-----\n")
}

fn remembered(status: &Value) -> u64 {
    status["labelled"]["remembered"].as_u64().expect("a number")
}

/// Waits until so many files are written down.
fn wait(host: &Host, count: u64) {
    host.wait("what is remembered", |status| remembered(status) == count);
}

/// Has somebody copy the key there, and waits until that is written down as one of so many.
fn copy(host: &Host, to: &Path, count: u64) {
    let copied = Command::new("/bin/cp")
        .args([&host.decoy.path(".ssh/id_original"), to])
        .output()
        .expect("runs");
    assert!(copied.status.success(), "{}", text(&copied));
    wait(host, count);
}

fn is_told(host: &Host, path: &Path, times: usize) {
    cat(path);
    let uses = uses_by_cat(host, path);
    assert_eq!(uses, times, "{}\n{}", path.display(), host.sensor.log());
}

#[test]
fn a_copy_is_known_after_a_stop_and_after_a_kill_until_it_is_removed() {
    if !can_load() {
        return;
    }
    let mut host = host();
    let to = host.decoy.beside("copy");
    copy(&host, &to, 1);
    // It stays one, whatever is written to it while it is watched.
    let mut more = File::options().append(true).open(&to).expect("there");
    writeln!(more, "# more").expect("written");
    drop(more);
    is_told(&host, &to, 1);
    for (signal, times) in [(Signal::TERM, 2), (Signal::KILL, 3), (Signal::TERM, 4)] {
        host.sensor.end(signal);
        host.sensor.start();
        is_told(&host, &to, times);
    }
    let file = host.sensor.state().join(FILE);
    let written = fs::read(&file).expect("there");
    assert!(!text_of(&written).contains(SECRET));
    assert!(text_of(&written).contains(&to.display().to_string()));
    let mode = fs::metadata(&file).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::remove_file(&to).expect("removed");
    wait(&host, 0);
    host.sensor.end(Signal::TERM);
    let written = fs::read(&file).expect("there");
    assert!(!text_of(&written).contains(&to.display().to_string()));
}

#[test]
fn a_credential_that_was_renamed_away_is_known_after_a_stop_wherever_it_goes() {
    if !can_load() {
        return;
    }
    let mut host = host();
    let [first, second] = ["first", "second"].map(|name| host.decoy.beside(name));
    fs::rename(host.decoy.path(".ssh/id_original"), &first).expect("moved");
    // It is looked at once more before the sensor ends.
    host.sensor.end(Signal::TERM);
    host.sensor.start();
    is_told(&host, &first, 1);
    wait(&host, 1);
    fs::rename(&first, &second).expect("moved");
    is_told(&host, &second, 1);
    let file = host.sensor.state().join(FILE);
    host.wait("where it lies now", |_| {
        text_of(&fs::read(&file).expect("there")).contains(&second.display().to_string())
    });
    host.sensor.end(Signal::KILL);
    host.sensor.start();
    is_told(&host, &second, 2);
    // It is another credential that lies at its place now.
    host.decoy.write(".ssh/id_original", &key("another"));
    let original = host.decoy.path(".ssh/id_original");
    is_told(&host, &original, 1);
    is_told(&host, &second, 3);
}

#[test]
fn what_is_renamed_while_no_sensor_runs_is_found_by_its_handle() {
    if !can_load() {
        return;
    }
    let disk = Disk::ext4();
    let memory = tempfile::tempdir_in("/dev/shm").expect("a directory");
    let mut places: Vec<PathBuf> = disk.iter().map(Disk::path).collect();
    places.push(memory.path().to_owned());
    let mut host = host();
    for (place, count) in places.iter().zip(1..) {
        copy(&host, &place.join("copy"), count);
    }
    host.sensor.end(Signal::TERM);
    for place in &places {
        fs::create_dir(place.join("below")).expect("made");
        fs::rename(place.join("copy"), place.join("below/moved")).expect("moved");
    }
    host.sensor.start();
    for place in &places {
        is_told(&host, &place.join("below/moved"), 1);
    }
    // Where it lies is known now, as of one that was not moved.
    let files = host.sensor.status()["labelled"]["files"].as_u64();
    fs::remove_file(memory.path().join("below/moved")).expect("removed");
    host.wait("one is gone", |status| {
        status["labelled"]["files"].as_u64() < files
    });
    host.sensor.end(Signal::TERM);
}

#[test]
fn a_file_that_got_the_number_of_a_copy_while_no_sensor_ran_is_not_taken_for_it() {
    if !can_load() {
        return;
    }
    let Some(ext4) = Disk::ext4() else { return };
    let mut host = host();
    let to = ext4.path().join("copy");
    copy(&host, &to, 1);
    host.sensor.end(Signal::TERM);
    let number = inode(&to);
    fs::remove_file(&to).expect("removed");
    let has_number = (0..TRIES).any(|_| {
        fs::write(&to, "nothing").expect("written");
        let has_number = inode(&to) == number;
        if !has_number {
            fs::remove_file(&to).expect("removed");
        }
        has_number
    });
    assert!(has_number, "none of {TRIES} files got the number");
    host.sensor.start();
    is_told(&host, &to, 0);
    wait(&host, 0);
    let log = host.sensor.log();
    assert!(log.contains("a copy of a credential is forgotten"), "{log}");
    assert!(log.contains("another file has its number"), "{log}");
    host.sensor.end(Signal::TERM);
}

#[test]
fn a_copy_that_was_written_to_while_no_sensor_ran_is_proven_anew() {
    if !can_load() {
        return;
    }
    let mut host = host();
    let [other, same] = ["other", "same"].map(|name| host.decoy.beside(name));
    copy(&host, &other, 1);
    copy(&host, &same, 2);
    host.sensor.end(Signal::TERM);
    fs::write(&other, "something else by now").expect("written");
    let later = SystemTime::now() + Duration::from_secs(60);
    let times = FileTimes::new().set_modified(later);
    File::options()
        .write(true)
        .open(&same)
        .and_then(|file| file.set_times(times))
        .expect("touched");
    host.sensor.start();
    is_told(&host, &other, 0);
    is_told(&host, &same, 1);
    let log = host.sensor.log();
    assert!(log.contains("its content has changed"), "{log}");
}

#[test]
fn what_cannot_be_read_is_kept_aside_and_keeps_no_sensor_from_starting() {
    if !can_load() {
        return;
    }
    let mut host = host();
    let to = host.decoy.beside("copy");
    copy(&host, &to, 1);
    let file = host.sensor.state().join(FILE);
    let aside = file.with_extension("unreadable");
    let spoiled = |spoil: Spoil<'_>| {
        let mut bytes = fs::read(&file).expect("there");
        spoil(&mut bytes);
        fs::write(&file, &bytes).expect("written");
        bytes
    };
    let ways: [(Spoil<'_>, &str); 3] = [
        (&|bytes| bytes.truncate(30), "its checksum is wrong"),
        (&|bytes| bytes[8] = 9, "it is of version 9"),
        (
            &|bytes| bytes.splice(.., *b"not ours").for_each(drop),
            "it is no file of this kind",
        ),
    ];
    for (spoil, reason) in ways {
        host.sensor.end(Signal::TERM);
        let bytes = spoiled(spoil);
        host.sensor.start();
        let log = host.sensor.log();
        let warned = log
            .lines()
            .find(|line| line.contains(reason))
            .unwrap_or_else(|| panic!("{reason}: {log}"));
        assert!(warned.contains("WARN"), "{warned}");
        assert!(warned.contains(&file.display().to_string()), "{warned}");
        assert_eq!(fs::read(&aside).expect("kept"), bytes);
        fs::remove_file(&to).expect("removed");
        is_told_after_copy(&host, &to);
    }
}

#[test]
fn what_cannot_be_written_down_is_said_as_wrong_until_it_can() {
    if !can_load() {
        return;
    }
    let host = host();
    // It is written there first.
    let beside = host.sensor.state().join(FILE).with_extension("new");
    fs::create_dir_all(beside.join("in the way")).expect("made");
    let original = host.decoy.path(".ssh/id_original");
    let copied = Command::new("/bin/cp")
        .args([&original, &host.decoy.beside("one")])
        .output();
    assert!(copied.expect("runs").status.success());
    host.wait("what is not remembered", |status| {
        status["labelled"]["not_remembered"] == 1 && remembered(status) == 0
    });
    fs::remove_dir_all(&beside).expect("removed");
    copy(&host, &host.decoy.beside("another"), 2);
}

/// All goes on as on a first start.
fn is_told_after_copy(host: &Host, to: &Path) {
    let before = uses_by_cat(host, to);
    copy(host, to, 1);
    is_told(host, to, before + 1);
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("there").ino()
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
