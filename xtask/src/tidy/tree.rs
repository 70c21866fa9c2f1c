//! The checkout's text files, read once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

const EXTENSIONS: [&str; 7] = ["lock", "md", "proto", "rs", "sh", "toml", "yaml"];
/// Made by tools, or not ours.
const SKIPPED: [&str; 6] = [
    ".git",
    "target",
    "proto/src/gen",
    "tests/fuzz/artifacts",
    "tests/fuzz/corpus",
    "tests/fuzz/target",
];

/// Paths, relative to the root and with slashes, and texts.
#[derive(Debug, Default)]
pub(super) struct Tree {
    files: BTreeMap<String, String>,
    /// Everything that exists, directories too: what a link may lead to.
    paths: Vec<String>,
}

impl Tree {
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut tree = Self::default();
        tree.walk(root, "")?;
        Ok(tree)
    }

    fn walk(&mut self, root: &Path, below: &str) -> anyhow::Result<()> {
        let directory = root.join(below);
        for entry in fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))? {
            let entry = entry.with_context(|| format!("reading {}", directory.display()))?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = if below.is_empty() {
                name
            } else {
                format!("{below}/{name}")
            };
            if SKIPPED.contains(&path.as_str()) || path.ends_with("/target") {
                continue;
            }
            let kind = entry.file_type().with_context(|| format!("looking at {path}"))?;
            self.paths.push(path.clone());
            if kind.is_dir() {
                self.walk(root, &path)?;
            } else if kind.is_file() && is_text(&path) {
                let bytes = fs::read(root.join(&path)).with_context(|| format!("reading {path}"))?;
                self.files
                    .insert(path, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        Ok(())
    }

    pub(super) fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        path.is_empty() || self.paths.iter().any(|known| known == path)
    }

    /// Rust sources below a folder.
    pub(super) fn sources<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(path, _)| path.starts_with(folder) && path.ends_with(".rs"))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let files: BTreeMap<_, _> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        Self {
            paths: files.keys().cloned().collect(),
            files,
        }
    }
}

fn is_text(path: &str) -> bool {
    path == ".ci/run"
        || Path::new(path)
            .extension()
            .is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
}
