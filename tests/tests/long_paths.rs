//! Names and paths at their bounds.

use std::{fs, path::Path};

use claviger_tests::{Decoy, can_load, trace};

/// A shell command with the decoy's home in `$H`.
fn shell(decoy: &Decoy, script: &str) -> [String; 3] {
    let home = decoy.home().display().to_string();
    ["/bin/sh".into(), "-c".into(), format!("H={home}; {script}")]
}

#[test]
fn names_and_paths_as_long_as_they_get_are_told_as_far_as_they_are_kept() {
    if !can_load() {
        return;
    }
    let decoy = Decoy::new();
    let name = format!("id_{}", "n".repeat(252));
    decoy.write(&format!(".ssh/{name}"), "x");
    // Up to here a path may be: 4,095 bytes.
    let mut deep = decoy.path(".kube/cache");
    while deep.as_os_str().len() + 1 + 255 + "/token".len() <= 4_095 {
        deep.push("d".repeat(255));
    }
    let rest = 4_095 - "/token".len() - deep.as_os_str().len();
    if rest > 1 {
        deep.push("e".repeat(rest - 1));
    }
    fs::create_dir_all(&deep).expect("directories");
    let deep = deep.join("token");
    fs::write(&deep, "x").expect("written");
    let config = decoy.config("", "");
    let script = format!(
        "/bin/cat $H/.ssh/{name} '{}' >/dev/null; cd '{}' && /bin/cat token >/dev/null",
        deep.to_str().expect("plain"),
        deep.parent().and_then(Path::to_str).expect("plain")
    );
    let traced = trace(&config, &shell(&decoy, &script));
    let [short, long, relative] = &traced.events[..] else {
        panic!("{traced:#?}")
    };
    assert!(
        short["credential"]["path"]
            .as_str()
            .expect("a path")
            .ends_with(&format!("/.ssh/{name}"))
    );
    assert_eq!(short["credential"]["path_truncated"], false);
    for long in [long, relative] {
        let path = long["credential"]["path"].as_str().expect("a path");
        assert_eq!(long["credential"]["catalogue_entry"], "kubernetes-client-cache");
        assert_eq!(long["credential"]["path_truncated"], true, "{long:#}");
        assert!(!path.starts_with('/') && path.len() > 1_024, "{path}");
        assert!(deep.to_str().expect("plain").ends_with(path), "{path}");
    }
}
