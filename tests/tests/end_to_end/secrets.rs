//! No secret is anywhere.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use claviger_tests::{PATIENCE, SECRET, can_load};
use rustix::process::Signal;

use crate::host::{Host, listening};

#[test]
fn no_secret_is_anywhere() {
    if !can_load() {
        return;
    }
    let (address, listen) = listening();
    let mut host = Host::new(&format!("{listen}\n[log]\nlevel = \"trace\""));
    host.decoy.write(
        ".kube/config",
        &format!("apiVersion: v1\nusers:\n- name: u\n  user: {{token: {SECRET}}}\n"),
    );
    host.sensor.start();
    host.read(3);
    let _read = fs::read(host.decoy.path(".kube/config")).expect("read by the test itself");
    let labelled = || host.sensor.status()["labelled"]["files"].as_u64();
    let before = labelled();
    let copied = Command::new("/bin/sh")
        .args(["-c", "cat \"$0\" > \"$1\""])
        .args([host.decoy.path(".kube/config"), host.decoy.beside("copy")])
        .status();
    assert!(copied.expect("runs").success());
    let begun = Instant::now();
    while labelled() == before {
        assert!(begun.elapsed() < PATIENCE, "{}", host.sensor.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    host.sensor.flush();
    assert_eq!(host.uses(5).len(), 5);
    let sealed = "claviger_sensor_events_sealed_total{kind=\"credential_access\"}";
    let metrics = host.metrics_after(address, |metrics| metrics.number(sealed) >= 5);
    let (metrics, home) = (format!("{metrics:?}"), host.decoy.home().display().to_string());
    assert!(
        !metrics.contains("DECOYSECRET") && !metrics.contains(&home),
        "{metrics}"
    );
    host.sensor.end(Signal::TERM);
    host.detector.stop();
    let mut searched = 0;
    for place in [host.sensor.state(), host.detector.directory().to_owned()] {
        search(&place, &mut searched);
    }
    assert!(searched > 4, "there was something to search");
    assert!(!host.sensor.log().contains("DECOYSECRET") && !host.detector.log().contains("DECOYSECRET"));
}

/// Fails where any file holds the planted secret.
fn search(directory: &Path, searched: &mut usize) {
    for entry in fs::read_dir(directory).expect("there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            search(&path, searched);
        } else if let Ok(content) = fs::read(&path) {
            *searched += 1;
            let found = content
                .windows(SECRET.len())
                .any(|window| window == SECRET.as_bytes());
            assert!(!found, "{} holds the secret", path.display());
        }
    }
}
