//! From a file to a configuration.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::string::FromUtf8Error;

use serde::Deserialize as _;
use toml::de::DeTable;

use super::error::WrongValue;
use super::locate::{key_at, line_and_column, offset_of, take_out};
use super::policy::{DEFAULT_DIRECTORY, Policy};
use super::raw::RawConfig;
use super::resolve::resolve;
use super::{Config, ConfigError, FAULTS_MAX};

/// What the parser says of a key that comes twice.
const DUPLICATE: &str = "duplicate key";

/// Where the configuration is looked for when none is named.
pub const DEFAULT_PATH: &str = "/etc/claviger/sensor.toml";

/// A configuration is a page; a larger file is something else.
const MAX_FILE_BYTES: u64 = 1 << 20;

impl Config {
    /// Reads the named file, or else the default one, or where that does not exist takes the defaults.
    ///
    /// # Errors
    /// Where a file is there and cannot be read or is wrong, and where a named file is not there.
    pub fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        match named {
            Some(path) => read(path),
            None => match read(Path::new(DEFAULT_PATH)) {
                Err(ConfigError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    Ok(Self::default())
                }
                read => read,
            },
        }
    }

    /// The same, with the policy that it leads to.
    ///
    /// # Errors
    /// As [`load`](Self::load) and [`policy`](Self::policy); where the catalogue's directory cannot be read, with the place that names it.
    pub fn load_with_policy(named: Option<&Path>) -> Result<(Self, Policy), ConfigError> {
        let config = Self::load(named)?;
        let policy = config
            .policy_named_in(named.unwrap_or(Path::new(DEFAULT_PATH)))
            .map_err(|(first, _)| first)?;
        Ok((config, policy))
    }

    /// The policy of a configuration that was read from `file`, or all that is wrong with it, the first apart.
    pub(super) fn policy_named_in(&self, file: &Path) -> Result<Policy, (ConfigError, Vec<ConfigError>)> {
        let placed = |why| match why {
            ConfigError::Read { path, source } if path == self.catalogue.directory => {
                place_of_directory(file, &source, &path).unwrap_or(ConfigError::Read { path, source })
            }
            why => why,
        };
        self.policy_or_faults()
            .map_err(|(first, others)| (placed(first), others))
    }

    /// Parses a text; `path` is only for the errors.
    ///
    /// # Errors
    /// Where keys are unknown or values cannot be meant: all of them.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        match Self::parse_as_far_as_possible(text, path) {
            (Some(config), wrong) if wrong.is_empty() => Ok(config),
            (_, wrong) => Err(ConfigError::Wrong(wrong)),
        }
    }

    /// The same, with the default in the place of what is wrong; nothing where the text is no TOML.
    pub(super) fn parse_as_far_as_possible(text: &str, path: &Path) -> (Option<Self>, Vec<WrongValue>) {
        let wrong = |offset: usize, key: String, reason: String| {
            let (line, column) = line_and_column(text, offset);
            WrongValue {
                path: path.to_owned(),
                line,
                column,
                key,
                reason,
            }
        };
        let (mut left, mut refused) = match DeTable::parse(text) {
            Ok(table) => (table, Vec::new()),
            Err(why) => {
                let offset = why.span().map_or(0, |span| span.start);
                return (None, vec![wrong(offset, String::new(), syntax(text, &why))]);
            }
        };
        // The reader stops at what it cannot take. Without that it finds the next.
        let raw = loop {
            let why = match RawConfig::deserialize(toml::Deserializer::from(left.clone())) {
                Ok(raw) => break raw,
                Err(why) => why,
            };
            let offset = why.span().map_or(0, |span| span.start);
            let key = key_at(text, offset);
            let is_taken_out = take_out(left.get_mut(), &key);
            refused.push(wrong(offset, key, first_line(&why)));
            if !is_taken_out || refused.len() > FAULTS_MAX {
                return (None, refused);
            }
        };
        let (config, values) = resolve(raw);
        let values = values.into_iter();
        refused.extend(values.map(|why| wrong(why.span.start, why.key.to_owned(), why.reason)));
        refused.sort_by_key(|value| (value.line, value.column));
        (Some(config), refused)
    }
}

/// The lines of a message of several are hints; the first says it.
fn first_line(why: &toml::de::Error) -> String {
    why.message().lines().next().unwrap_or("not TOML").to_owned()
}

/// What is wrong with a text that is no TOML. The parser does not say which key comes twice.
fn syntax(text: &str, why: &toml::de::Error) -> String {
    let line = first_line(why);
    match why.span().and_then(|span| text.get(span)) {
        Some(key) if line == DUPLICATE => format!("{DUPLICATE} `{}`", key.trim()),
        _ => line,
    }
}

fn read(path: &Path) -> Result<Config, ConfigError> {
    Config::parse(&read_text(path)?, path)
}

/// That the catalogue's directory cannot be read, where a file names it.
fn place_of_directory(file: &Path, source: &io::Error, directory: &Path) -> Option<ConfigError> {
    const KEY: &str = "catalogue.directory";
    let text = read_text(file).ok()?;
    let (line, column) = line_and_column(&text, offset_of(&text, KEY)?);
    let what = match source.kind() {
        io::ErrorKind::NotFound => "is not there: make it".to_owned(),
        io::ErrorKind::NotADirectory => "is no directory: name one".to_owned(),
        _ => format!("cannot be read ({source}): let the sensor read it"),
    };
    Some(ConfigError::Wrong(vec![WrongValue {
        path: file.to_owned(),
        line,
        column,
        key: KEY.to_owned(),
        reason: format!(
            "{} {what}, or leave this key out for {DEFAULT_DIRECTORY}",
            directory.display()
        ),
    }]))
}

/// A whole file of configuration, 1 MiB at most.
pub(super) fn read_text(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read {
        path: path.to_owned(),
        source,
    };
    let unfit = |reason| ConfigError::Unfit {
        path: path.to_owned(),
        reason,
    };
    // Before opening: the open of a FIFO would wait for a writer.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(unfit("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(unfit("it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| not_utf8(path, &error))
}

/// Where the first byte stands that is none of a text.
fn not_utf8(path: &Path, error: &FromUtf8Error) -> ConfigError {
    let at = error.utf8_error().valid_up_to();
    let before = String::from_utf8_lossy(&error.as_bytes()[..at]);
    let (line, column) = line_and_column(&before, before.len());
    ConfigError::Wrong(vec![WrongValue {
        path: path.to_owned(),
        line,
        column,
        key: String::new(),
        reason: format!(
            "the byte 0x{:02x} is not UTF-8, which this file must be",
            error.as_bytes().get(at).copied().unwrap_or_default()
        ),
    }])
}

#[cfg(test)]
mod tests;
