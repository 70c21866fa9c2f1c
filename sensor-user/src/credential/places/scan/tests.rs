mod links;
mod served;
mod shares;

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use claviger_proto::catalogue::Catalogue;
use tempfile::TempDir;

use super::{Places, ScanLimits, ScanResult, Why};
use crate::credential::look::Seen;
use crate::credential::places::mounts::Mounts;
use crate::credential::places::{HOMES_MAX, Home};

/// A host with these files, and empty directories where the name ends with a slash, below a folder of its own.
fn host(files: &[&str]) -> TempDir {
    let root = tempfile::tempdir().expect("a folder");
    for file in files {
        let path = root.path().join(&file[1..]);
        if file.ends_with('/') {
            fs::create_dir_all(path).expect("made");
        } else {
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, "decoy").expect("written");
        }
    }
    root
}

fn places() -> Places {
    let homes = ["/root", "/home/ann", "/home/bob"].map(|path| Home::new(Path::new(path)).expect("absolute"));
    Places::new(Catalogue::shipped(), homes.to_vec())
}

fn scan(root: &TempDir, limits: &ScanLimits) -> ScanResult {
    places().scan(root.path(), limits).expect("scanned")
}

fn files(result: &ScanResult) -> Vec<(&str, &str)> {
    let mut files: Vec<_> = result
        .files
        .iter()
        .map(|file| (file.path.to_str().expect("text"), file.entry.id()))
        .collect();
    files.sort_unstable();
    files
}

#[test]
fn what_is_there_is_found_and_nothing_else() {
    let root = host(&[
        "/root/.aws/credentials",
        "/root/.aws/other",
        "/home/ann/.ssh/id_ed25519",
        "/home/ann/.ssh/id_ed25519.pub",
        "/home/ann/.ssh/known_hosts",
        "/home/ann/.config/gcloud/legacy_credentials/a/b/adc.json",
        "/home/carol/.aws/credentials",
        "/etc/shadow",
        "/etc/passwd",
        "/etc/kubernetes/pki/etcd/server.key",
        "/etc/kubernetes/pki/etcd/server.crt",
        "/etc/kubernetes/admin.conf",
        "/srv/x.tfstate",
        "/srv/x.pem",
    ]);
    let result = scan(&root, &ScanLimits::default());
    assert_eq!(
        files(&result),
        [
            ("/etc/kubernetes/admin.conf", "kubeconfig"),
            ("/etc/kubernetes/pki/etcd/server.key", "kubernetes-pki-key"),
            ("/etc/shadow", "host-password-hashes"),
            (
                "/home/ann/.config/gcloud/legacy_credentials/a/b/adc.json",
                "gcp-user-credentials"
            ),
            ("/home/ann/.ssh/id_ed25519", "ssh-private-key"),
            ("/root/.aws/credentials", "aws-credentials"),
        ]
    );
    assert_eq!(result.left_out, super::LeftOut::default());
    for file in &result.files {
        let by_path = places()
            .match_path(file.path.as_os_str().as_encoded_bytes())
            .map(|entry| entry.id().to_owned());
        assert_eq!(
            by_path.as_deref(),
            Some(file.entry.id()),
            "scan and match_path agree"
        );
    }
}

#[test]
fn directories_say_what_could_appear_in_them() {
    let root = host(&["/home/ann/.aws/", "/home/ann/.ssh/", "/etc/x"]);
    let result = scan(&root, &ScanLimits::default());
    let directory = |path: &str| result.directories.iter().find(|one| one.path == Path::new(path));
    let names = |path: &str| -> Vec<(&str, &str)> {
        let names = &directory(path).expect("labelled").names;
        names
            .iter()
            .map(|(name, entry)| (std::str::from_utf8(name).expect("text"), entry.id()))
            .collect()
    };
    assert_eq!(
        names("/home/ann/.aws"),
        [("config", "aws-config"), ("credentials", "aws-credentials")]
    );
    assert!(!directory("/home/ann/.aws").expect("labelled").has_patterns);
    assert!(directory("/home/ann/.ssh").expect("labelled").has_patterns);
    assert!(names("/etc").contains(&("shadow", "host-password-hashes")));
    assert!(names("/etc").contains(&("krb5.keytab", "kerberos-keytab")));
    assert!(names("/home/ann").contains(&(".netrc", "netrc")));
    let is_for_credentials = |path: &str| directory(path).expect("labelled").is_for_credentials;
    assert!(is_for_credentials("/home/ann/.aws") && is_for_credentials("/home/ann/.ssh"));
    assert!(!is_for_credentials("/etc"), "much else lies there");
    assert!(!is_for_credentials("/home/ann"), "a home is for everything");
    assert!(directory("/home/bob").is_none(), "it is not there");
    assert!(directory("/home").is_none());
}

#[test]
fn projected_tokens_are_found_behind_their_links() {
    let root = host(&["/run/secrets/kubernetes.io/serviceaccount/..2026/token"]);
    let folder = root.path().join("run/secrets/kubernetes.io/serviceaccount");
    symlink("..2026", folder.join("..data")).expect("linked");
    symlink("..data/token", folder.join("token")).expect("linked");
    fs::create_dir(root.path().join("var")).expect("made");
    symlink("/run", root.path().join("var/run")).expect("linked");
    let result = scan(&root, &ScanLimits::default());
    let entry = "kubernetes-service-account-token";
    assert_eq!(
        files(&result),
        [
            ("/run/secrets/kubernetes.io/serviceaccount/..2026/token", entry),
            ("/run/secrets/kubernetes.io/serviceaccount/token", entry),
            (
                "/var/run/secrets/kubernetes.io/serviceaccount/..2026/token",
                entry
            ),
            ("/var/run/secrets/kubernetes.io/serviceaccount/token", entry),
        ]
    );
}

#[test]
fn what_is_no_file_is_no_credential() {
    let root = host(&["/root/.aws/credentials/x", "/root/.netrc/"]);
    let fifo = root.path().join("root/.npmrc");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .expect("made");
    symlink("nowhere", root.path().join("root/.pypirc")).expect("linked");
    assert_eq!(files(&scan(&root, &ScanLimits::default())), []);
}

#[test]
fn one_home_cannot_use_up_what_another_needs() {
    let root = host(&["/home/ann/.codex/", "/home/bob/.aws/credentials"]);
    for number in 0..300 {
        fs::write(root.path().join(format!("home/ann/.codex/{number}")), "").expect("written");
    }
    let result = scan(
        &root,
        &ScanLimits {
            names_per_home: 200,
            ..ScanLimits::default()
        },
    );
    assert!(files(&result).contains(&("/home/bob/.aws/credentials", "aws-credentials")));
    assert_eq!(result.left_out.count(Why::Names), 1);
    assert_eq!(
        result.left_out.named(),
        [(Why::Names, PathBuf::from("/home/ann/.codex"))]
    );
    assert!(result.files.len() < 200);
}

#[test]
fn depth_and_number_are_bounded_and_counted() {
    let deep = format!("/root/.codex/{}x", "d/".repeat(50));
    let root = host(&[&deep, "/root/.codex/a"]);
    let result = scan(
        &root,
        &ScanLimits {
            depth: 10,
            ..ScanLimits::default()
        },
    );
    assert_eq!(files(&result), [("/root/.codex/a", "ai-agent-token")]);
    assert_eq!(result.left_out.count(Why::Depth), 1);
    let result = scan(
        &root,
        &ScanLimits {
            found: 3,
            ..ScanLimits::default()
        },
    );
    assert_eq!(result.files.len() + result.directories.len(), 3);
    assert!(result.left_out.count(Why::Found) > 0);
}

#[test]
fn a_pattern_for_any_depth_does_not_enter_what_the_kernel_serves_and_a_name_does() {
    let root = host(&["/etc/x/key", "/proc/1/key", "/proc/2/other"]);
    let text = "version = 1\n[[entry]]\nid = \"all\"\nkind = \"k\"\nglobs = [\"/**/key\", \"/**/other\"]\n[[entry]]\nid = \"named\"\nkind = \"k\"\n\
                globs = [\"/proc/*/key\"]\n[[kind]]\nname = \"k\"\ntitle = \"k\"\n";
    let catalogue = Catalogue::parse(text, "a text").expect("right");
    let mounts = Mounts::parse(b"1 2 0:1 / /proc rw - proc x rw\n");
    let result = Places::new(&catalogue, Vec::new())
        .scan_with(root.path(), &ScanLimits::default(), &mounts)
        .expect("scanned");
    let found: Vec<_> = files(&result).into_iter().map(|(path, _)| path).collect();
    assert_eq!(found, ["/etc/x/key", "/proc/1/key"]);
    assert_eq!(result.left_out.count(Why::ServedElsewhere), 1);
}

#[test]
fn what_has_too_long_a_path_is_left_out_and_counted() {
    let root = host(&["/home/ann/.kube/cache/"]);
    let mut below = fs::File::open(root.path().join("home/ann/.kube/cache"))
        .expect("there")
        .into();
    let name = "d".repeat(255);
    for _ in 0..17 {
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mkdirat(&below, &name, mode).expect("made");
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY;
        let next: OwnedFd = rustix::fs::openat(&below, &name, flags, mode).expect("there");
        below = next;
    }
    let result = scan(&root, &ScanLimits::default());
    assert_eq!(result.left_out.count(Why::Depth), 1);
    assert!(!result.directories.is_empty());
    let longest = result
        .directories
        .iter()
        .map(|one| one.path.as_os_str().len())
        .max();
    assert!(longest > Some(3_000) && longest <= Some(4_095), "{longest:?}");
}

#[test]
fn a_root_that_is_not_there_is_told() {
    let error = places()
        .scan(Path::new("/nowhere/at/all"), &ScanLimits::default())
        .expect_err("not there");
    assert_eq!(error.to_string(), "cannot open the root of the scan");
}

#[test]
fn this_host_can_be_scanned() {
    let places = Places::new(
        Catalogue::shipped(),
        crate::credential::homes(Path::new("/"), &[]),
    );
    let result = places
        .scan(Path::new("/"), &ScanLimits::default())
        .expect("scanned");
    assert!(result.directories.iter().any(|one| one.path == Path::new("/etc")));
}

#[test]
fn a_search_finds_what_lies_anywhere_and_labels_no_directory() {
    let root = host(&[
        "/srv/site/tls/site.pem",
        "/srv/site/index.html",
        "/usr/share/a/b/c.json",
        "/home/ann/deep/down/x.tfstate",
        "/root/.aws/credentials",
        "/proc/1/x.pem",
    ]);
    symlink("/srv/site", root.path().join("srv/again")).expect("linked");
    let places = Places::for_search(Catalogue::shipped(), places().homes).expect("broad patterns");
    let limits = ScanLimits::of_search();
    let folder = OwnedFd::from(fs::File::open(root.path()).expect("a root"));
    let mountinfo = b"25 30 0:23 / /proc rw - proc proc rw\n";
    let result = places.scan_root(&folder, mountinfo, &limits, &|_| true);
    assert_eq!(
        files(&result),
        [
            ("/home/ann/deep/down/x.tfstate", "terraform-state"),
            ("/srv/site/tls/site.pem", "private-key"),
            ("/usr/share/a/b/c.json", "gcp-service-account-key"),
        ]
    );
    assert!(result.directories.is_empty() && result.ways.is_empty());
}

#[test]
fn a_large_directory_does_not_use_up_what_others_need_in_a_search() {
    let many: Vec<String> = (0..30).map(|number| format!("/opt/many/f{number}")).collect();
    let mut names: Vec<&str> = many.iter().map(String::as_str).collect();
    names.push("/srv/x.pem");
    let root = host(&names);
    let places = Places::for_search(Catalogue::shipped(), Vec::new()).expect("broad patterns");
    let limits = ScanLimits {
        names_per_home: 20,
        ..ScanLimits::of_search()
    };
    let result = places.scan(root.path(), &limits).expect("scanned");
    assert_eq!(files(&result), [("/srv/x.pem", "private-key")]);
    assert_eq!(result.left_out.count(Why::Names), 1);
}

#[test]
fn homes_beyond_the_bound_are_counted() {
    let root = host(&[]);
    let home = |number| Home::new(Path::new(&format!("/home/u{number}"))).expect("absolute");
    let places = Places::new(Catalogue::shipped(), (0..HOMES_MAX + 3).map(home).collect());
    let result = places.scan(root.path(), &ScanLimits::default()).expect("scanned");
    assert_eq!(result.left_out.count(Why::Homes), 3);
}

#[test]
fn a_catalogue_without_broad_patterns_needs_no_search() {
    let catalogue = Catalogue::parse(
        "version = 1\n[[kind]]\nname = \"k\"\ntitle = \"K\"\n[[entry]]\nid = \"e\"\nkind = \"k\"\nglobs = [\"/a/**\"]\n",
        "own.toml",
    );
    assert!(Places::for_search(&catalogue.expect("valid"), Vec::new()).is_none());
}

#[test]
fn where_a_directory_would_lead_on_is_told() {
    let root = host(&["/root/.config/x", "/home/ann/"]);
    let result = scan(&root, &ScanLimits::default());
    let ways: Vec<_> = result.ways.iter().filter_map(|way| way.path.to_str()).collect();
    for expected in ["/", "/root", "/root/.config", "/home", "/home/ann"] {
        assert!(ways.contains(&expected), "{expected} of {ways:?}");
    }
}

#[test]
fn it_is_told_which_file_was_seen() {
    let root = host(&["/root/.aws/credentials", "/data/credentials", "/home/ann/.aws/"]);
    symlink("/data/credentials", root.path().join("home/ann/.aws/credentials")).expect("linked");
    let result = scan(&root, &ScanLimits::default());
    let seen = |path: &str| {
        let found = result.files.iter().find(|file| file.path == Path::new(path));
        found.expect("found").seen
    };
    let is = |path: &str| {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = fs::symlink_metadata(root.path().join(path)).expect("there");
        let born = metadata.created().expect("kept");
        let born = born.duration_since(std::time::UNIX_EPOCH).expect("later");
        let seconds = i64::try_from(born.as_secs()).expect("in time");
        Seen {
            device: metadata.dev(),
            inode: metadata.ino(),
            owner: metadata.uid(),
            born: (seconds, born.subsec_nanos()),
        }
    };
    assert_eq!(seen("/root/.aws/credentials"), is("root/.aws/credentials"));
    assert_eq!(seen("/home/ann/.aws/credentials"), is("data/credentials"));
    let directory = result
        .directories
        .iter()
        .find(|found| found.path == Path::new("/root/.aws"));
    assert_eq!(directory.expect("found").seen, is("root/.aws"));
}

#[test]
fn the_directories_of_a_home_are_bounded_apart() {
    let many: Vec<String> = (0..20)
        .map(|number| format!("/home/ann/.config/gcloud/legacy_credentials/d{number}/"))
        .collect();
    let mut names: Vec<&str> = many.iter().map(String::as_str).collect();
    names.push("/home/bob/.aws/");
    let root = host(&names);
    let result = scan(
        &root,
        &ScanLimits {
            directories_per_home: 5,
            ..ScanLimits::default()
        },
    );
    let below = |home: &str| {
        let directories = result.directories.iter();
        directories.filter(|found| found.path.starts_with(home)).count()
    };
    assert_eq!(below("/home/ann"), 5);
    assert!(below("/home/bob") > 0);
    assert!(result.left_out.count(Why::Found) > 0);
}
