//! What each home, and each directory in it, has of the bounds.

use std::path::Path;

use super::*;

/// Who may fill a directory in which a home lies cannot have the home passed over.
#[test]
fn a_home_has_its_share_whatever_lies_beside_it() {
    let many: Vec<String> = (0..300).map(|number| format!("/srv/many/f{number}")).collect();
    let mut names: Vec<&str> = many.iter().map(String::as_str).collect();
    names.push("/srv/zoe/tls/x.pem");
    let root = host(&names);
    let homes = vec![Home::new(Path::new("/srv/zoe")).expect("absolute")];
    let places = Places::for_search(Catalogue::shipped(), homes).expect("broad patterns");
    let limits = ScanLimits {
        names_per_home: 200,
        ..ScanLimits::of_search()
    };
    let result = places.scan(root.path(), &limits).expect("scanned");
    assert_eq!(files(&result), [("/srv/zoe/tls/x.pem", "private-key")]);
    assert_eq!(result.left_out.count(Why::Names), 1);
}

/// Nor can who fills one of its directories have another one of them passed over.
#[test]
fn what_fills_one_directory_of_a_home_hides_nothing_in_another() {
    let flat = (0..300).map(|number| format!("/home/ann/.aws/cli/cache/f{number}.json"));
    let deep =
        (0..300).map(|number| format!("/home/ann/.config/gcloud/legacy_credentials/d{number}/adc.json"));
    let many: Vec<String> = flat.chain(deep).collect();
    let mut names: Vec<&str> = many.iter().map(String::as_str).collect();
    names.extend([
        "/home/ann/.ssh/id_x",
        "/home/ann/.kube/config",
        "/home/bob/.ssh/id_y",
    ]);
    let root = host(&names);
    let homes = ["/home/ann", "/home/bob"].map(|home| Home::new(Path::new(home)).expect("absolute"));
    let places = Places::new(Catalogue::shipped(), homes.into());
    let limits = ScanLimits {
        names_per_home: 200,
        directories_per_home: 100,
        ways_per_home: 100,
        ..ScanLimits::default()
    };
    let result = places.scan(root.path(), &limits).expect("scanned");
    let has = |path: &str| {
        result
            .files
            .iter()
            .filter(|file| file.path == Path::new(path))
            .count()
    };
    assert_eq!(
        [
            "/home/ann/.ssh/id_x",
            "/home/ann/.kube/config",
            "/home/bob/.ssh/id_y"
        ]
        .map(has),
        [1, 1, 1]
    );
    let labels = |path: &str| {
        let at = result
            .directories
            .iter()
            .filter(|one| one.path == Path::new(path));
        at.count()
    };
    assert_eq!(["/home/ann/.ssh", "/home/ann/.kube"].map(labels), [1, 1]);
    let found = files(&result);
    let cached = found.iter().filter(|(path, _)| path.contains("cache/f")).count();
    assert!(cached > 0 && cached < 300, "{cached}");
    let seen: std::collections::HashSet<_> = found.iter().map(|(path, _)| path).collect();
    assert_eq!(seen.len(), found.len(), "none twice");
    assert!(result.left_out.count(Why::Names) > 0);
}
