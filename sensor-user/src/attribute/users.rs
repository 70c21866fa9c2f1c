//! User names from the user database's file. Name services are not asked: they can hang, and what they answer is theirs.

use std::{collections::HashMap, fs, path::PathBuf, time::SystemTime};

/// Users read at most; the file of a host that has more is one that a name service belongs in front of.
const USERS_MAX: usize = 65_536;

/// /etc/passwd, read again when it changes.
#[derive(Debug)]
pub struct Users {
    path: PathBuf,
    read: Option<SystemTime>,
    names: HashMap<u32, String>,
}

impl Users {
    /// The user database at `path`.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            read: None,
            names: HashMap::new(),
        }
    }

    /// The name of a user; nothing for one that the file does not list.
    pub fn name(&mut self, uid: u32) -> Option<&str> {
        let changed = fs::metadata(&self.path)
            .and_then(|metadata| metadata.modified())
            .ok();
        if changed.is_some() && changed != self.read {
            self.names = parse(&fs::read(&self.path).unwrap_or_default());
            self.read = changed;
        }
        self.names.get(&uid).map(String::as_str)
    }
}

fn parse(bytes: &[u8]) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(USERS_MAX) {
        let mut fields = line.split(|byte| *byte == b':');
        if let (Some(name), Some(uid)) = (fields.next(), fields.nth(1))
            && let Some(uid) = std::str::from_utf8(uid).ok().and_then(|uid| uid.parse().ok())
        {
            // As getpwuid(3) does, the first line of an id names it.
            names.entry(uid).or_insert_with(|| crate::decode::display(name));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_file() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(
            file.path(),
            "root:x:0:0::/root:/bin/sh\nbroken\ndemo:x:1000:1000::/home/demo:/bin/sh\ntoor:x:0:0::/:/\n",
        )
        .expect("written");
        let mut users = Users::at(file.path());
        assert_eq!(users.name(0), Some("root"));
        assert_eq!(users.name(1000), Some("demo"));
        assert_eq!(users.name(7), None);
    }
}
