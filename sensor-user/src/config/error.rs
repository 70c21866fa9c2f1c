//! What can be wrong with a configuration.

use std::io;
use std::path::PathBuf;

use claviger_proto::catalogue::CatalogueError;
use thiserror::Error;

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What is there cannot be a configuration file.
    #[error("{}: not a configuration file: {reason}", path.display())]
    Unfit {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// A file of the catalogue's directory is wrong; it says which and where.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A key or value is wrong.
    #[error("{}:{line}:{column}: {}{reason}", path.display(), prefix(key))]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// The key, dotted; empty where the text is no TOML at that place.
        key: String,
        /// Why.
        reason: String,
    },
}

fn prefix(key: &str) -> String {
    if key.is_empty() {
        String::new()
    } else {
        format!("{key}: ")
    }
}
