//! What is watched: the shipped catalogue with the operator's files over it.
//!
//! - Either all files of the directory hold or, where one is wrong, none, and the error names file, line and column.
//! - At most [`FILES_MAX`] files are read, 1 MiB each.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use claviger_proto::catalogue::{Catalogue, Layer, Warning};

use super::{Config, ConfigError, load::read_text};

/// Where an operator's files lie when nothing else is said.
pub const DEFAULT_DIRECTORY: &str = "/etc/claviger/catalogue.d";

/// Files in the directory, at most; more are an error.
const FILES_MAX: usize = 256;

/// A catalogue that holds, and where it comes from.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Which credentials there are.
    pub catalogue: Arc<Catalogue>,
    /// SHA-256 of it, hexadecimal: hosts of one policy have the same.
    pub digest: String,
    /// The operator's files in it, in the order in which they were laid over each other.
    pub files: Vec<PathBuf>,
    /// What stands in them and is hardly meant.
    pub warnings: Vec<Warning>,
}

impl Default for Policy {
    /// The shipped catalogue alone.
    fn default() -> Self {
        Self::new(Catalogue::shipped().clone(), Vec::new(), Vec::new())
    }
}

impl Policy {
    fn new(catalogue: Catalogue, files: Vec<PathBuf>, warnings: Vec<Warning>) -> Self {
        Self {
            digest: catalogue.digest(),
            catalogue: Arc::new(catalogue),
            files,
            warnings,
        }
    }
}

impl Config {
    /// Reads the catalogue's directory.
    ///
    /// # Errors
    /// [`ConfigError`]: where a file is wrong or cannot be read, or a directory that was named is not there.
    pub fn policy(&self) -> Result<Policy, ConfigError> {
        self.policy_or_faults().map_err(|(first, _)| first)
    }

    /// As [`Config::policy`], with all errors, the first apart: a file that cannot be read does not hide what is wrong in others.
    pub(super) fn policy_or_faults(&self) -> Result<Policy, (ConfigError, Vec<ConfigError>)> {
        let files = files(&self.catalogue.directory).map_err(|why| (why, Vec::new()))?;
        let mut read = Vec::with_capacity(files.len());
        let mut unreadable = Vec::new();
        for file in &files {
            match read_text(file) {
                Ok(text) => read.push((file.display().to_string(), text)),
                Err(why) => unreadable.push(why),
            }
        }
        let layers: Vec<Layer<'_>> = read.iter().map(|(name, text)| Layer { name, text }).collect();
        let laid = Catalogue::shipped().with(&layers);
        let mut unreadable = unreadable.into_iter();
        match (unreadable.next(), laid.map_err(ConfigError::Catalogue)) {
            (None, Ok((catalogue, warnings))) => Ok(Policy::new(catalogue, files, warnings)),
            (None, Err(why)) => Err((why, Vec::new())),
            (Some(first), laid) => Err((first, unreadable.chain(laid.err()).collect())),
        }
    }
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let failed = |source| ConfigError::Read {
        path: directory.to_owned(),
        source,
    };
    let listing = match fs::read_dir(directory) {
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && directory == Path::new(DEFAULT_DIRECTORY) =>
        {
            return Ok(Vec::new());
        }
        listing => listing.map_err(failed)?,
    };
    let mut files = Vec::new();
    for entry in listing {
        let path = entry.map_err(failed)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        if files.len() == FILES_MAX {
            return Err(ConfigError::Unfit {
                path: directory.to_owned(),
                reason: "it holds more than 256 files",
            });
        }
        files.push(path);
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(files: &[(&str, &str)]) -> Result<Policy, ConfigError> {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            fs::write(directory.path().join(name), text).expect("written");
        }
        let mut config = Config::default();
        directory.path().clone_into(&mut config.catalogue.directory);
        config.policy()
    }

    const OWN: &str =
        "version = 1\n[[entry]]\nid = \"own\"\nkind = \"netrc_password\"\nglobs = [\"/srv/own\"]\n";

    #[test]
    fn files_are_laid_over_each_other_in_the_order_of_their_names() {
        let policy = policy(&[
            ("20-no-own.toml", "version = 1\nremove = [\"own\", \"netrc\"]\n"),
            ("10-own.toml", OWN),
            ("30-note.txt", "no TOML at all"),
            (".30-own.toml.swp", "nor this"),
        ])
        .expect("valid");
        let names: Vec<_> = policy.files.iter().filter_map(|file| file.file_name()).collect();
        assert_eq!(names, ["10-own.toml", "20-no-own.toml"]);
        assert!(policy.catalogue.entry("own").is_none());
        assert!(policy.catalogue.entry("aws-credentials").is_some());
        assert_ne!(policy.digest, Policy::default().digest);
    }

    #[test]
    fn one_wrong_file_is_named_with_its_place() {
        let error = policy(&[
            ("10-own.toml", OWN),
            (
                "20-bad.toml",
                &OWN.replace("own", "bad").replace("/srv/bad", "srv/bad"),
            ),
        ])
        .expect_err("refused");
        let error = format!("{:#}", anyhow::Error::from(error));
        assert!(
            error.contains(
                "20-bad.toml:5:10: \"bad\": globs: pattern \"srv/bad\" cannot be used: it has to begin with /"
            ),
            "{error}"
        );
    }

    #[test]
    fn a_directory_that_was_named_must_be_there() {
        let mut config = Config::default();
        config.catalogue.directory = "/nowhere/at/all".into();
        let error = config.policy().expect_err("refused");
        assert!(matches!(error, ConfigError::Read { .. }), "{error}");
    }

    #[test]
    fn what_cannot_be_read_hides_nothing_that_is_wrong_elsewhere() {
        let directory = tempfile::tempdir().expect("a directory");
        let put = |name: &str, text: &[u8]| fs::write(directory.path().join(name), text).expect("written");
        put("10.toml", b"\xff");
        put("20.toml", b"version = 1\nsurprise = 1\n");
        fs::create_dir(directory.path().join("30.toml")).expect("made");
        let mut config = Config::default();
        directory.path().clone_into(&mut config.catalogue.directory);
        let (first, others) = config.policy_or_faults().expect_err("refused");
        let all: Vec<_> = std::iter::once(&first)
            .chain(&others)
            .map(ToString::to_string)
            .collect();
        for name in ["10.toml", "20.toml", "30.toml"] {
            assert_eq!(all.iter().filter(|why| why.contains(name)).count(), 1, "{all:#?}");
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir(directory.path().join("10.toml")).expect("made");
        let mut config = Config::default();
        directory.path().clone_into(&mut config.catalogue.directory);
        assert!(matches!(config.policy(), Err(ConfigError::Unfit { .. })));
    }
}
