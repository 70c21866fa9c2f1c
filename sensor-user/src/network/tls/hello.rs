//! A ClientHello (RFC 8446, 4.1.2), as far as it is public and of use. Total: whatever the bytes are, it is a hello, the beginning of one, or none.

use super::name::ServerName;
use crate::network::cursor::Cursor;

/// Types of extensions (IANA, TLS ExtensionType Values).
mod extension {
    pub(super) const SERVER_NAME: u16 = 0;
    pub(super) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(super) const ALPN: u16 = 16;
    pub(super) const SESSION_TICKET: u16 = 35;
    pub(super) const PRE_SHARED_KEY: u16 = 41;
    pub(super) const SUPPORTED_VERSIONS: u16 = 43;
    pub(super) const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
}

/// Versions that are told, at most.
const VERSIONS_MAX: usize = 16;

/// What of a ClientHello is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The version that stands where TLS 1.2 and before have theirs.
    pub legacy_version: u16,
    /// What makes it another than any other hello; zeros where it is cut before.
    pub random: [u8; 32],
    /// Versions offered, in order, GREASE with them; empty where the extension is not there.
    pub versions: Vec<u16>,
    /// Cipher suites offered, in order, GREASE with them.
    pub cipher_suites: Vec<u16>,
    /// Types of all extensions, in order, GREASE with them.
    pub extensions: Vec<u16>,
    /// Signature algorithms offered, in order.
    pub signature_algorithms: Vec<u16>,
    /// The server's name; nothing where none is asked for.
    pub server_name: Option<ServerName>,
    /// Protocols offered by ALPN, in order.
    pub alpn: Vec<Vec<u8>>,
    /// Whether an earlier session is to be gone on with: a ticket or a key of one is offered.
    pub resumes: bool,
    /// Whether the hello that counts is encrypted within this one. It may also only look so (GREASE): an observer cannot tell.
    pub encrypted: bool,
    /// Whether it was cut, or contradicts itself, before its end: what came before is here.
    pub incomplete: bool,
}

impl ClientHello {
    /// Versions of TLS offered, in order: "1.3", "1.2", …, those that are not known as numbers. Without GREASE (RFC 8701).
    #[must_use]
    pub fn version_words(&self) -> Vec<String> {
        let legacy = [self.legacy_version];
        let offered = if self.versions.is_empty() {
            &legacy[..]
        } else {
            &self.versions
        };
        let is_grease = |version: &&u16| *version & 0x0f0f == 0x0a0a;
        let word = |version: &u16| match version {
            0x0300 => "SSL 3.0".to_owned(),
            0x0301..=0x0304 => format!("1.{}", version - 0x0301),
            other => format!("{other:#06x}"),
        };
        offered
            .iter()
            .filter(|version| !is_grease(version))
            .map(word)
            .take(VERSIONS_MAX)
            .collect()
    }

    /// Reads the body of a handshake message of the type client_hello. Nothing where it is none from its first bytes on.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let mut hello = Self {
            legacy_version: cursor.u16().filter(|version| version >> 8 == 3)?,
            ..Self::default()
        };
        hello.incomplete = hello.read(&mut cursor).is_none();
        Some(hello)
    }

    /// Everything behind the version; nothing where it ends too early.
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        self.random.copy_from_slice(cursor.take(32)?);
        let _session = cursor.short()?;
        self.cipher_suites = numbers(cursor.long()?);
        let _compression = cursor.short()?;
        if cursor.is_empty() {
            // Before TLS 1.3 there may be none.
            return Some(());
        }
        // What is there is read, though it says that there is more.
        let length = usize::from(cursor.u16()?);
        let cut = cursor.left().len() < length;
        let all = cursor.take(length.min(cursor.left().len()))?;
        let mut extensions = Cursor::new(all);
        while !extensions.is_empty() {
            let kind = extensions.u16()?;
            let length = usize::from(extensions.u16()?);
            let content = extensions.take(length)?;
            self.extensions.push(kind);
            self.extension(kind, content)?;
        }
        (!cut).then_some(())
    }

    /// Takes down one extension; nothing where it contradicts itself.
    fn extension(&mut self, kind: u16, content: &[u8]) -> Option<()> {
        let mut cursor = Cursor::new(content);
        match kind {
            // Each may come once only. Of two the first is believed.
            extension::SERVER_NAME if self.server_name.is_none() => {
                self.server_name = ServerName::parse(content);
            }
            extension::ALPN if self.alpn.is_empty() => {
                let mut protocols = Cursor::new(cursor.long()?);
                while !protocols.is_empty() {
                    self.alpn.push(protocols.short()?.to_owned());
                }
            }
            extension::SUPPORTED_VERSIONS if self.versions.is_empty() => {
                self.versions = numbers(cursor.short()?);
            }
            extension::SIGNATURE_ALGORITHMS if self.signature_algorithms.is_empty() => {
                self.signature_algorithms = numbers(cursor.long()?);
            }
            extension::SESSION_TICKET => self.resumes |= !content.is_empty(),
            extension::PRE_SHARED_KEY => self.resumes = true,
            extension::ENCRYPTED_CLIENT_HELLO => self.encrypted = true,
            _ => {}
        }
        Some(())
    }

    /// Versions offered as numbers, the highest that is known first in value: TLS 1.3 where the extension has it, or else the old field.
    #[must_use]
    pub fn highest_version(&self) -> u16 {
        let offered = self
            .versions
            .iter()
            .copied()
            .filter(|version| !is_grease(*version));
        offered.max().unwrap_or(self.legacy_version)
    }
}

fn numbers(bytes: &[u8]) -> Vec<u16> {
    let (pairs, _odd) = bytes.as_chunks();
    pairs.iter().copied().map(u16::from_be_bytes).collect()
}

/// Whether a number stands for nothing, so that servers learn to bear what they do not know (RFC 8701).
#[must_use]
pub fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}
