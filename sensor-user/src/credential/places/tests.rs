use std::path::Path;

use claviger_proto::catalogue::{Anchor, Catalogue, Component, Pattern};
use proptest::prelude::*;

use super::{Home, Places};

fn places() -> Places {
    let homes = ["/root", "/home/ann", "/home/ann/nested", "/"]
        .map(|path| Home::new(Path::new(path)).expect("absolute"));
    Places::new(Catalogue::shipped(), homes.to_vec())
}

#[test]
fn a_path_is_named_by_its_entry() {
    let places = places();
    for (path, expected) in [
        ("/root/.aws/credentials", Some("aws-credentials")),
        ("/home/ann/.aws/credentials", Some("aws-credentials")),
        ("/home/ann/nested/.aws/config", Some("aws-config")),
        ("/.aws/config", Some("aws-config")),
        ("/home/bob/.aws/credentials", None),
        ("/home/ann/.aws/credentials/x", None),
        ("/home/ann/./.aws//x/../credentials", Some("aws-credentials")),
        ("/../etc/shadow", Some("host-password-hashes")),
        ("/home/ann/.ssh/id_rsa", Some("ssh-private-key")),
        ("/home/ann/.ssh/id_rsa.pub", None),
        ("/home/ann/.ssh/authorized_keys", Some("ssh-authorized-keys")),
        (
            "/home/ann/.config/gcloud/legacy_credentials/a/b/adc.json",
            Some("gcp-user-credentials"),
        ),
        ("/srv/x.tfstate", Some("terraform-state")),
        // Only its content could say, and this one has to be asked for.
        ("/srv/x.pem", None),
        ("/srv/app/.env", None),
        ("/etc", None),
        ("/", None),
        ("", None),
        ("etc/shadow", None),
    ] {
        assert_eq!(
            places.match_path(path.as_bytes()).map(|entry| entry.id()),
            expected,
            "{path}"
        );
    }
}

#[test]
fn the_first_entry_names_a_path() {
    // Both the cluster's PKI and, further down, every *.key file.
    let places = places();
    let entry = places
        .match_path(b"/etc/kubernetes/pki/sa.key")
        .expect("an entry");
    assert_eq!(entry.id(), "kubernetes-pki-key");
}

/// What the catalogue says without any index.
fn named_slowly(places: &Places, path: &str) -> Option<String> {
    let matches = |pattern: &Pattern| match pattern.anchor() {
        Anchor::Home => places.homes.iter().any(|home| {
            let below = Path::new(path).strip_prefix(home.path()).ok();
            below.is_some_and(|below| {
                let names: Vec<&[u8]> = below.iter().map(std::ffi::OsStr::as_encoded_bytes).collect();
                !names.is_empty() && pattern.matches_names(&names)
            })
        }),
        Anchor::Root | Anchor::Anywhere => pattern.matches(path.as_bytes()),
    };
    Catalogue::shipped()
        .entries()
        .iter()
        .filter(|entry| !entry.is_opt_in() && !entry.needs_content())
        .find(|entry| entry.patterns().iter().any(matches) && !entry.exceptions().iter().any(matches))
        .map(|entry| entry.id().to_owned())
}

fn names_of_the_catalogue() -> Vec<String> {
    let patterns = Catalogue::shipped()
        .entries()
        .iter()
        .flat_map(|entry| entry.patterns());
    let mut names: Vec<String> = patterns
        .flat_map(Pattern::components)
        .filter_map(|component| match component {
            Component::Literal(name) => Some(name.clone()),
            Component::Wildcard(name) => Some(name.replace(['*', '?'], "x")),
            Component::AnyDepth => None,
        })
        .chain(["home", "ann", "root", "nested", "x"].map(str::to_owned))
        .collect();
    names.sort();
    names.dedup();
    names
}

proptest! {
    #[test]
    fn the_index_changes_nothing(
        home in prop_oneof!["", "/root", "/home/ann", "/home/ann/nested", "/x"],
        names in proptest::collection::vec(proptest::sample::select(names_of_the_catalogue()), 1..6),
    ) {
        let path = format!("{home}/{}", names.join("/"));
        let places = places();
        prop_assert_eq!(places.match_path(path.as_bytes()).map(|entry| entry.id().to_owned()), named_slowly(&places, &path));
    }

    #[test]
    fn any_bytes_are_a_path(path in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = places().match_path(&path);
    }
}
