use proptest::prelude::*;

use super::{Anchor, Pattern, PatternError};

fn matches(pattern: &str, path: &str) -> bool {
    Pattern::parse(pattern)
        .expect("a pattern")
        .iter()
        .any(|pattern| pattern.matches(path.as_bytes()))
}

#[test]
fn a_path_matches_or_not() {
    for (pattern, path, expected) in [
        ("/etc/shadow", "/etc/shadow", true),
        ("/etc/shadow", "/etc/shadow-", false),
        ("/etc/shadow", "/etc/shadow/x", false),
        ("/etc/{shadow,gshadow}{,-}", "/etc/gshadow-", true),
        ("/a/{b{1,2},c}/d", "/a/b2/d", true),
        ("/a/{b{1,2},c}/d", "/a/c/d", true),
        ("/a/{b{1,2},c}/d", "/a/b/d", false),
        ("/a/**/token", "/a/token", true),
        ("/a/**/token", "/a/..data/token", true),
        ("/a/**/token", "/a/x/y/token", true),
        ("/a/**/token", "/a/x/token/y", false),
        ("/a/**", "/a", false),
        ("/a/**", "/a/b", true),
        ("/a/**", "/a/b/c", true),
        ("/a/*/b", "/a/x/b", true),
        ("/a/*/b", "/a/x/y/b", false),
        ("**/*.pem", "/x.pem", true),
        ("**/*.pem", "/a/b/x.pem", true),
        ("**/*.pem", "/a/b/x.pem.txt", false),
        ("/a?c", "/abc", true),
        ("/a?c", "/a/c", false),
        ("/id_*", "/id_", true),
        ("/etc/shadow", "etc/shadow", false),
        ("/etc/shadow", "", false),
    ] {
        assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
    }
}

#[test]
fn a_home_is_not_the_root() {
    let pattern = &Pattern::parse("~/.aws/credentials").expect("a pattern")[0];
    assert_eq!(pattern.anchor(), Anchor::Home);
    assert!(!pattern.matches(b"/.aws/credentials"));
    assert!(pattern.matches_names(&[b".aws", b"credentials"]));
}

#[test]
fn a_bad_pattern_says_why() {
    for (pattern, expected) in [
        ("", PatternError::Anchor),
        ("etc/shadow", PatternError::Anchor),
        ("~", PatternError::Anchor),
        ("~root/x", PatternError::User),
        ("/etc/foo/", PatternError::TrailingSlash),
        ("~/", PatternError::Name),
        ("**/{a,b}/", PatternError::TrailingSlash),
        ("/a\0b", PatternError::Impossible),
        (&format!("/{}*", "n".repeat(256)), PatternError::Impossible),
        ("{a,b}", PatternError::Anchor),
        ("/", PatternError::Name),
        ("/a//b", PatternError::Name),
        ("/a/../b", PatternError::Name),
        ("/a**/b", PatternError::AnyDepth),
        ("/{a,b", PatternError::Brace),
        ("/a,b}", PatternError::Brace),
        ("/[ab]", PatternError::Class),
        ("/\\*", PatternError::Class),
        (
            "/{1,2,3,4,5}{1,2,3,4,5}{1,2,3,4,5}{1,2,3,4,5}{1,2,3,4,5}",
            PatternError::TooMany,
        ),
    ] {
        assert_eq!(Pattern::parse(pattern), Err(expected), "{pattern}");
    }
}

#[test]
fn many_stars_cost_little() {
    let pattern = format!("/{}b", "a*".repeat(250));
    assert!(!matches(&pattern, &format!("/{}", "a".repeat(100_000))));
}

proptest! {
    #[test]
    fn parsing_is_total(text in ".{0,80}") {
        let _ = Pattern::parse(&text);
    }

    #[test]
    fn agrees_with_globset(
        pattern in "(/(a|b|\\*|a\\*b|\\?|\\*\\*|\\{a,b\\})){1,5}",
        path in "(/(a|b|ab|aab|ba)){1,6}",
    ) {
        let theirs = globset::GlobBuilder::new(&pattern)
            .literal_separator(true)
            .build()
            .expect("a glob")
            .compile_matcher()
            .is_match(&path);
        prop_assert_eq!(matches(&pattern, &path), theirs);
    }
}
