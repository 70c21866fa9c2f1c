//! Symbolic and hard links: which are followed, and where a credential could appear because one leads there.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// Where a credential could appear: directory and name.
fn could_appear(result: &ScanResult) -> Vec<String> {
    let names = |one: &crate::credential::LabelledDirectory| {
        let path = one.path.display().to_string();
        let names = one.names.iter();
        names
            .map(|(name, entry)| format!("{path}/{} {}", String::from_utf8_lossy(name), entry.id()))
            .collect::<Vec<_>>()
    };
    result.directories.iter().flat_map(names).collect()
}

#[test]
fn links_are_followed_by_exact_name_only() {
    let root = host(&[
        "/data/aws/credentials",
        "/home/ann/.config/gcloud/legacy_credentials/",
        "/data/deep/x",
    ]);
    symlink("/data/aws", root.path().join("home/ann/.aws")).expect("linked");
    symlink(
        "/data/deep",
        root.path()
            .join("home/ann/.config/gcloud/legacy_credentials/deep"),
    )
    .expect("linked");
    symlink(".", root.path().join("home/ann/.codex")).expect("linked");
    assert_eq!(
        files(&scan(&root, &ScanLimits::default())),
        [("/home/ann/.aws/credentials", "aws-credentials")]
    );
}

#[test]
fn a_link_to_what_belongs_to_another_is_not_followed() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can give a link to somebody else");
        return;
    }
    let root = host(&["/etc/passwd", "/home/ann/.ssh/"]);
    let link = root.path().join("home/ann/.ssh/id_rsa");
    symlink("/etc/passwd", &link).expect("linked");
    std::os::unix::fs::lchown(&link, Some(1000), None).expect("given away");
    let result = scan(&root, &ScanLimits::default());
    assert_eq!(files(&result), []);
    assert_eq!(result.left_out.count(Why::ForeignLinks), 1);
}

#[test]
fn a_hard_link_to_what_belongs_to_another_is_left_out() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can give a directory to somebody else");
        return;
    }
    let root = host(&["/etc/passwd", "/home/ann/.ssh/id_own"]);
    let folder = root.path().join("home/ann/.ssh");
    fs::hard_link(root.path().join("etc/passwd"), folder.join("id_rsa")).expect("linked");
    fs::hard_link(folder.join("id_own"), root.path().join("home/ann/copy")).expect("linked");
    for path in [&folder, &folder.join("id_own")] {
        std::os::unix::fs::chown(path, Some(1000), None).expect("given away");
    }
    let result = scan(&root, &ScanLimits::default());
    assert_eq!(files(&result), [("/home/ann/.ssh/id_own", "ssh-private-key")]);
    assert_eq!(result.left_out.count(Why::ForeignLinks), 1);
}

#[test]
fn where_a_link_leads_a_credential_could_appear() {
    let root = host(&["/home/ann/.aws/", "/opt/v1/creds", "/srv/", "/root/.aws/"]);
    let link = |to: &str, at: &str| symlink(to, root.path().join(at)).expect("linked");
    link("v1", "opt/current");
    link("../opt/current/creds", "srv/creds");
    link("../../../srv/creds", "home/ann/.aws/credentials");
    // It names what is not there, or is away for a moment.
    link("/srv/later", "root/.aws/credentials");
    let result = scan(&root, &ScanLimits::default());
    let found = could_appear(&result);
    for wanted in ["/srv/creds", "/opt/current/creds", "/srv/later"] {
        assert!(
            found.contains(&format!("{wanted} aws-credentials")),
            "{wanted}: {found:?}"
        );
    }
    let ways: Vec<_> = result.ways.iter().filter_map(|way| way.path.to_str()).collect();
    for wanted in ["/srv", "/opt/current", "/opt"] {
        assert!(ways.contains(&wanted), "{wanted}: {ways:?}");
    }
}

#[test]
fn a_chain_of_links_ends() {
    let root = host(&["/root/.aws/", "/srv/"]);
    symlink("/srv/a", root.path().join("root/.aws/credentials")).expect("linked");
    symlink("/srv/b", root.path().join("srv/a")).expect("linked");
    symlink("/srv/a", root.path().join("srv/b")).expect("linked");
    let found = could_appear(&scan(&root, &ScanLimits::default()));
    for wanted in ["/srv/a aws-credentials", "/srv/b aws-credentials"] {
        let times = found.iter().filter(|one| *one == wanted).count();
        assert_eq!(times, 1, "{found:?}");
    }
}
