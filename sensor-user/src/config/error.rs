//! What can be wrong with a configuration.

use std::path::PathBuf;
use std::{fmt, io};

use claviger_proto::catalogue::CatalogueErrors;
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
    /// Files of the catalogue's directory are wrong; it says which and where.
    #[error("{0}{hint}", hint = hint(.0.lines().count()))]
    Catalogue(CatalogueErrors),
    /// Keys or values of a file are wrong: all that are, at least one.
    #[error("{}{hint}", first_of(.0), hint = hint(.0.len()))]
    Wrong(Vec<WrongValue>),
}

/// A key or value that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongValue {
    /// Which file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key, dotted; empty where the text is no TOML at that place.
    pub key: String,
    /// Why.
    pub reason: String,
}

impl fmt::Display for WrongValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            column,
            key,
            reason,
        } = self;
        write!(f, "{}:{line}:{column}: ", path.display())?;
        if !key.is_empty() {
            write!(f, "{key}: ")?;
        }
        f.write_str(reason)
    }
}

fn first_of(wrong: &[WrongValue]) -> String {
    let first = wrong.first().map(ToString::to_string).unwrap_or_default();
    match wrong.len().saturating_sub(1) {
        0 => first,
        others => format!("{first} (and {others} more)"),
    }
}

fn hint(faults: usize) -> &'static str {
    if faults > 1 {
        "; `claviger-sensor config check` tells all"
    } else {
        ""
    }
}
