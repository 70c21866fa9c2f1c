use proptest::prelude::*;

use super::*;
use crate::catalogue::Content;

fn base() -> Catalogue {
    let text = "version = 1\n[[kind]]\nname = \"k\"\ntitle = \"K\"\nusual_readers = [\"/usr/bin/k\"]\n\
                [[entry]]\nid = \"first\"\nkind = \"k\"\nglobs = [\"/a\"]\n\
                [[entry]]\nid = \"asked\"\nkind = \"k\"\nglobs = [\"/b\"]\nopt_in = true\n";
    Catalogue::parse(text, "base.toml").expect("valid")
}

fn laid(text: &str) -> Result<(Catalogue, Vec<Warning>), String> {
    let name = "/etc/own.toml";
    let layer = Layer { name, text };
    base().with(&[layer]).map_err(|error| error.to_string())
}

fn ids(catalogue: &Catalogue) -> Vec<&str> {
    catalogue.entries().iter().map(|entry| entry.id()).collect()
}

#[test]
fn what_the_operator_adds_stands_before_what_was_there() {
    let (catalogue, warnings) = laid(
        "version = 1\n[[entry]]\nid = \"own\"\nkind = \"k\"\nglobs = [\"/srv/*.json\"]\ncontent = [\"jwt\", \"private_key\"]\n",
    )
    .expect("valid");
    assert_eq!(ids(&catalogue), ["own", "first", "asked"]);
    assert_eq!(warnings, []);
    let own = catalogue.entry("own").expect("there");
    assert_eq!(own.content(), [Content::Jwt, Content::PrivateKey]);
    assert_ne!(catalogue.digest(), base().digest());
}

#[test]
fn entries_are_removed_enabled_and_replaced() {
    let (catalogue, _) = laid(
        "version = 1\nremove = [\"first\"]\nenable = [\"asked\"]\n[[entry]]\nid = \"first\"\nkind = \"k\"\nglobs = [\"/c\"]\n",
    )
    .expect("valid");
    assert_eq!(ids(&catalogue), ["first", "asked"]);
    assert!(!catalogue.entry("asked").expect("there").is_opt_in());
    assert_eq!(
        catalogue.entry("first").expect("there").patterns()[0].to_string(),
        "/c"
    );
    assert_eq!(base().entries().len(), 2, "what was laid over is as it was");
}

#[test]
fn usual_readers_are_added_to_a_known_kind() {
    let (catalogue, _) =
        laid("version = 1\n[[kind]]\nname = \"k\"\nusual_readers = [\"/opt/own\"]\n").expect("valid");
    assert!(catalogue.is_usual_reader("k", "/opt/own"));
    assert!(catalogue.is_usual_reader("k", "/usr/bin/k"));
    assert_eq!(catalogue.kind("k").expect("there").title(), "K");
}

#[test]
fn what_names_every_file_is_warned_of_and_stands_last() {
    for glob in ["/**", "**/*", "/*/**", "~/**"] {
        let text =
            format!("version = 1\n[[entry]]\nid = \"all\"\nkind = \"k\"\nglobs = [\"/x\", \"{glob}\"]\n");
        let (catalogue, warnings) = laid(&text).expect("valid");
        assert_eq!(ids(&catalogue), ["first", "asked", "all"], "{glob}");
        let [warning] = warnings.as_slice() else {
            panic!("{glob}: {warnings:?}")
        };
        let warning = warning.to_string();
        assert!(warning.starts_with("/etc/own.toml:5:16: \"all\""), "{warning}");
        assert!(warning.contains("names every file"), "{warning}");
    }
    let (_, warnings) = laid(
        "version = 1\n[[entry]]\nid = \"some\"\nkind = \"k\"\nglobs = [\"/srv/**\", \"**/*.pem\", \"/*\"]\n",
    )
    .expect("valid");
    assert_eq!(warnings, []);
}

#[test]
fn what_cannot_be_laid_is_refused_with_its_place() {
    for (rest, expected) in [
        (
            "remove = [\"firs\"]",
            "2:11: \"firs\": remove: there is no entry with this id",
        ),
        (
            "enable = [\"x\"]",
            "2:11: \"x\": enable: there is no entry with this id",
        ),
        (
            "[[kind]]\nname = \"new\"",
            "3:8: \"new\": name: a new kind needs a title",
        ),
        (
            "[[entry]]\nid = \"first\"\nkind = \"k\"\nglobs = [\"/c\"]",
            "3:6: \"first\": id: there is another entry with this id; `remove` that one",
        ),
        (
            "[[entry]]\nid = \"e\"\nkind = \"k\"\nglobs = [\"/c\"]\ncontent = [\"pem\"]",
            "unknown variant `pem`, expected one of `google_service_account`, `jwt`, `keystore`, `private_key`",
        ),
        ("globs = 1", "2:1: unknown field `globs`"),
    ] {
        let error = laid(&format!("version = 1\n{rest}\n")).expect_err(rest);
        assert!(error.starts_with("/etc/own.toml:"), "{error}");
        assert!(error.contains(expected), "{rest:?} gave {error:?}");
    }
}

#[test]
fn what_is_wrong_in_any_file_is_told_and_no_other_for_missing_it() {
    let layers = [
        (
            "a.toml",
            "version = 1\n[[kind]]\nname = \"own\"\ntitle = \"Own\"\nusual_readers = [\"x\"]\n",
        ),
        (
            "b.toml",
            "version = 1\n[[entry]]\nid = \"o\"\nkind = \"own\"\nglobs = [\"o\"]\n",
        ),
        ("c.toml", "version = 1\nremove = [\"o\", \"none\"]\n"),
        ("d.toml", "no TOML\n"),
        (
            "e.toml",
            "version = 1\nenable = [\"of-d\"]\n[[entry]]\nid = \"p\"\nkind = \"of_d\"\nglobs = [\"p\"]\n",
        ),
    ];
    let layers = layers.map(|(name, text)| Layer { name, text });
    let errors = base().with(&layers).expect_err("refused");
    let told: Vec<String> = errors.lines().collect();
    let places: Vec<&str> = told.iter().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(
        places,
        [
            "a.toml:5:18",
            "b.toml:5:10",
            "c.toml:2:16",
            "d.toml:1:4",
            "e.toml:6:10"
        ],
        "{told:#?}"
    );
}

#[test]
fn more_than_any_catalogue_needs_is_refused() {
    let many: String = (0..80)
        .map(|n| {
            let alternatives: Vec<_> = (0..250).map(|n| n.to_string()).collect();
            let alternatives = alternatives.join(",");
            format!("[[entry]]\nid = \"e{n}\"\nkind = \"k\"\nglobs = [\"/{{{alternatives}}}\"]\n")
        })
        .collect();
    let error = laid(&format!("version = 1\n{many}")).expect_err("too many");
    assert_eq!(
        error,
        "/etc/own.toml: with it there are more than 16384 patterns, alternatives written out"
    );
}

proptest! {
    #[test]
    fn laying_is_total(text in "version = 1\n((remove|enable) = \\[\"[a-z]{0,6}\"\\]\n)?(\\[\\[(kind|entry)\\]\\]\n|[a-z]{1,5} = (\"[^\"]{0,9}\"|\\[\\]|1)\n){0,12}") {
        let _ = laid(&text);
    }
}
