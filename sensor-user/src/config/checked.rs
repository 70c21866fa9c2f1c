//! All that is wrong with a configuration and with the catalogue's files that it leads to, in one go.

use std::io;
use std::path::Path;

use super::load::read_text;
use super::{Config, ConfigError, DEFAULT_PATH, Policy};
use crate::error::in_one_line;

/// Faults that are told, at most.
pub const FAULTS_MAX: usize = 20;

/// What came out.
#[derive(Debug, Default)]
pub struct Checked {
    /// The policy; nothing where something is wrong.
    pub policy: Option<Policy>,
    /// What is wrong, a line each with its place, at most [`FAULTS_MAX`].
    pub faults: Vec<String>,
    /// How many more faults there are.
    pub more: usize,
}

impl Checked {
    fn add(&mut self, why: &ConfigError) {
        let (lines, more): (Vec<String>, usize) = match why {
            ConfigError::Catalogue(errors) => (errors.lines().collect(), errors.more()),
            ConfigError::Wrong(values) => (values.iter().map(ToString::to_string).collect(), 0),
            other => (vec![in_one_line(other)], 0),
        };
        self.more += more;
        for line in lines {
            if self.faults.len() < FAULTS_MAX {
                self.faults.push(line);
            } else {
                self.more += 1;
            }
        }
    }
}

impl Config {
    /// Looks at the named file, or else at the default one where that is there, and at the catalogue's files, also where the first is wrong: as long
    /// as it is right about where these are.
    #[must_use]
    pub fn check(named: Option<&Path>) -> Checked {
        let mut checked = Checked::default();
        let file = named.unwrap_or(Path::new(DEFAULT_PATH));
        let config = match read_text(file) {
            Err(ConfigError::Read { source, .. })
                if named.is_none() && source.kind() == io::ErrorKind::NotFound =>
            {
                Some(Self::default())
            }
            Err(why) => {
                checked.add(&why);
                None
            }
            Ok(text) => {
                let (config, wrong) = Self::parse_as_far_as_possible(&text, file);
                let is_elsewhere = wrong.iter().any(|value| value.key.starts_with("catalogue"));
                if !wrong.is_empty() {
                    checked.add(&ConfigError::Wrong(wrong));
                }
                config.filter(|_| !is_elsewhere)
            }
        };
        match config.map(|config| config.policy_named_in(file)) {
            Some(Ok(policy)) if checked.faults.is_empty() => checked.policy = Some(policy),
            Some(Err((first, others))) => {
                checked.add(&first);
                others.iter().for_each(|why| checked.add(why));
            }
            Some(Ok(_)) | None => {}
        }
        checked
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_wrong_in_several_files_is_told_in_one_go() {
        let dir = tempfile::tempdir().expect("made");
        let (file, catalogue) = (dir.path().join("sensor.toml"), dir.path().join("catalogue.d"));
        fs::create_dir(&catalogue).expect("made");
        let config = |text: &str| {
            let directory = catalogue.display();
            fs::write(&file, format!("[catalogue]\ndirectory = \"{directory}\"\n{text}")).expect("written");
        };
        config("[batch]\nmax_events = 0\nsurprise = 1\n[log]\nlevel = \"loud\"\nformat = 1\n");
        let entry = |id: &str, globs: &str| {
            format!("version = 1\n[[entry]]\nid = \"{id}\"\nkind = \"netrc_password\"\nglobs = [{globs}]\n")
        };
        fs::write(
            catalogue.join("10.toml"),
            entry("one", "\"a\", \"/right\", \"b/\""),
        )
        .expect("written");
        fs::write(catalogue.join("20.toml"), entry("two", "\"/right\"")).expect("written");
        fs::write(catalogue.join("30.toml"), entry("three", "\"~x\"")).expect("written");
        let places = [
            "sensor.toml:5:1: batch.surprise: unknown field",
            "sensor.toml:7:9: log.level: unknown variant",
            "sensor.toml:8:10: log.format: ",
            "sensor.toml:4:14: batch.max_events: 0 is not in 1 to 10000",
            "10.toml:5:10: \"one\": globs: pattern \"a\" cannot be used: it has to begin with /",
            "10.toml:5:25: \"one\": globs: pattern \"b/\" cannot be used: ",
            "30.toml:5:10: \"three\": globs: pattern \"~x\" cannot be used: a home of one user",
        ];
        let checked = Config::check(Some(&file));
        assert!(checked.policy.is_none());
        assert_eq!(
            (checked.faults.len(), checked.more),
            (places.len(), 0),
            "{checked:#?}"
        );
        for place in places {
            assert!(
                checked.faults.iter().any(|fault| fault.contains(place)),
                "{place} in {checked:#?}"
            );
        }

        config("");
        let many = vec!["\"a\""; 30].join(",");
        fs::write(catalogue.join("10.toml"), entry("one", &many)).expect("written");
        let checked = Config::check(Some(&file));
        assert_eq!((checked.faults.len(), checked.more), (FAULTS_MAX, 11));

        for name in ["10.toml", "30.toml"] {
            fs::remove_file(catalogue.join(name)).expect("removed");
        }
        let checked = Config::check(Some(&file));
        assert!(checked.policy.is_some(), "{checked:?}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_the_one_fault() {
        let checked = Config::check(Some(Path::new("/nowhere/at/all")));
        assert_eq!((checked.faults.len(), checked.more), (1, 0), "{checked:?}");
    }
}
