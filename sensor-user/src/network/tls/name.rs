//! The name of a server that a client asks for (RFC 6066, 3).

use crate::network::cursor::Cursor;

/// Bytes of a name in DNS, at most (RFC 1035, 2.3.4).
const NAME_MAX: usize = 253;
/// Bytes of one of its labels, at most.
const LABEL_MAX: usize = 63;

/// A server's name, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerName {
    /// A host's name, in lower case, without a dot at its end.
    Host(String),
    /// Something that is no host's name. What it is is not told: anything can stand there.
    NoHost,
}

impl ServerName {
    /// Reads the content of the extension; nothing where it names nothing.
    pub(super) fn parse(content: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(content);
        let Some(list) = cursor.long() else {
            return (!content.is_empty()).then_some(Self::NoHost);
        };
        let mut list = Cursor::new(list);
        while !list.is_empty() {
            let (Some(kind), Some(name)) = (list.u8(), list.long()) else {
                return Some(Self::NoHost);
            };
            if kind == 0 {
                return Some(host(name).map_or(Self::NoHost, Self::Host));
            }
        }
        None
    }

    /// The host's name.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Host(name) => Some(name),
            Self::NoHost => None,
        }
    }
}

/// A host's name in the form in which names are compared; nothing where it is none.
#[must_use]
pub fn host(name: &[u8]) -> Option<String> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let is_label = |label: &[u8]| {
        (1..=LABEL_MAX).contains(&label.len())
            && label
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if name.len() > NAME_MAX || !name.split(|byte| *byte == b'.').all(is_label) {
        return None;
    }
    let name = std::str::from_utf8(name).ok()?;
    Some(name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &[u8]) -> Option<ServerName> {
        let length = |bytes: &[u8]| u16::try_from(bytes.len()).expect("short").to_be_bytes();
        let entry = [&[0][..], &length(name), name].concat();
        ServerName::parse(&[&length(&entry)[..], &entry].concat())
    }

    #[test]
    fn a_hosts_name_is_told_in_lower_case() {
        assert_eq!(
            named(b"STS.amazonaws.com."),
            Some(ServerName::Host("sts.amazonaws.com".into()))
        );
        assert_eq!(
            named(b"_x.internal"),
            Some(ServerName::Host("_x.internal".into()))
        );
    }

    #[test]
    fn what_is_no_hosts_name_is_not_told() {
        let long = [b'a'; 64];
        let many = [b"a.".repeat(127), b"com".to_vec()].concat();
        for name in [
            &b""[..],
            b".",
            b"a..b",
            b"a b",
            b"a\x1b[31m",
            b"a\0b",
            "\u{fc}ber.example".as_bytes(),
            &long,
            &many,
        ] {
            assert_eq!(named(name), Some(ServerName::NoHost), "{name:?}");
        }
    }

    #[test]
    fn an_empty_extension_names_nothing() {
        assert_eq!(ServerName::parse(&[]), None);
        assert_eq!(ServerName::parse(&[0, 0]), None);
        assert_eq!(ServerName::parse(&[0]), Some(ServerName::NoHost));
        assert_eq!(
            ServerName::parse(&[0, 5, 0, 0, 9, b'a', b'b']),
            Some(ServerName::NoHost)
        );
    }
}
