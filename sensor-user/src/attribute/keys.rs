//! Keys of the kernel's keyrings, as /proc/keys shows those that the sensor may see.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
};

use crate::decode::display;

/// Lines of /proc/keys that are looked through, at most.
const LINES_MAX: usize = 16_384;

/// What is known of a key beside its number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFacts {
    /// Its type, e.g. `user`.
    pub kind: String,
    /// What it is called, without what the type adds to it.
    pub description: String,
}

/// What /proc/keys says of the key of this number; nothing where it is gone or not to be seen.
#[must_use]
pub fn key_facts(serial: i32) -> Option<KeyFacts> {
    let number = format!("{serial:08x}");
    let lines = BufReader::new(File::open("/proc/keys").ok()?).split(b'\n');
    lines
        .take(LINES_MAX)
        .map_while(Result::ok)
        .find_map(|line| parse(&line, &number))
}

/// keyrings(7): number, flags, usage, timeout, permissions, uid, gid, type, then the description up to a colon and what the type adds.
fn parse(line: &[u8], number: &str) -> Option<KeyFacts> {
    let text = display(line);
    let mut fields = text.split_ascii_whitespace();
    if fields.next()? != number {
        return None;
    }
    let kind = fields.nth(6)?.to_owned();
    let description = fields.collect::<Vec<_>>().join(" ");
    let description = match description.rsplit_once(": ") {
        Some((before, _)) => before.to_owned(),
        None => description,
    };
    Some(KeyFacts { kind, description })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_its_line() {
        let line = b"1f3a0c21 I--Q---     1 perm 3f010000     0     0 user      claviger-decoy: 6";
        let facts = parse(line, "1f3a0c21").expect("it is the one");
        assert_eq!(
            (facts.kind.as_str(), facts.description.as_str()),
            ("user", "claviger-decoy")
        );
        assert_eq!(parse(line, "1f3a0c22"), None);
        let keyring = b"00a1b2c3 I--Q---     3 perm 3f030000     0     0 keyring   _ses: 1";
        assert_eq!(parse(keyring, "00a1b2c3").expect("it is").description, "_ses");
        for broken in [&b""[..], b"1f3a0c21", b"1f3a0c21 I 1 perm"] {
            assert_eq!(parse(broken, "1f3a0c21"), None);
        }
    }
}
