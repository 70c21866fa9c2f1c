//! The client's JA4 fingerprint: which program's TLS library it is, whatever order it shuffles its extensions into. Of the family only this part is free to use
//! (BSD 3-clause).

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::hello::{ClientHello, is_grease};
use super::name::ServerName;

/// Extensions that are not among those that are hashed: their content varies by server.
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
/// Of nothing, a hash of zeros.
const NOTHING: &str = "000000000000";

/// What carried the hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TLS over TCP.
    Tcp,
    /// QUIC.
    Quic,
}

/// The fingerprint, as `t13d1516h2_8daaf6152771_e5627efa2ab1`.
#[must_use]
pub fn ja4(hello: &ClientHello, transport: Transport) -> String {
    let meant = |numbers: &[u16]| -> Vec<u16> {
        numbers
            .iter()
            .copied()
            .filter(|number| !is_grease(*number))
            .collect()
    };
    let mut suites = meant(&hello.cipher_suites);
    let all = meant(&hello.extensions);
    let mut hashed: Vec<u16> = all
        .iter()
        .copied()
        .filter(|kind| !matches!(*kind, SERVER_NAME | ALPN))
        .collect();
    suites.sort_unstable();
    hashed.sort_unstable();
    let mut of_extensions = words(&hashed);
    let algorithms = meant(&hello.signature_algorithms);
    if !algorithms.is_empty() {
        of_extensions = format!("{of_extensions}_{}", words(&algorithms));
    }
    let carrier = match transport {
        Transport::Tcp => 't',
        Transport::Quic => 'q',
    };
    let to = match hello.server_name {
        Some(ServerName::Host(_) | ServerName::NoHost) => 'd',
        None => 'i',
    };
    format!(
        "{carrier}{}{to}{:02}{:02}{}_{}_{}",
        version(hello.highest_version()),
        suites.len().min(99),
        all.len().min(99),
        first_protocol(hello),
        if suites.is_empty() {
            NOTHING.to_owned()
        } else {
            hash(&words(&suites))
        },
        if hashed.is_empty() {
            NOTHING.to_owned()
        } else {
            hash(&of_extensions)
        },
    )
}

const fn version(number: u16) -> &'static str {
    match number {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// The first and the last character of the first protocol; of what is no letter and no digit, those of its bytes in hexadecimal.
fn first_protocol(hello: &ClientHello) -> String {
    let protocol = hello.alpn.first().map(Vec::as_slice).unwrap_or_default();
    let (Some(first), Some(last)) = (protocol.first(), protocol.last()) else {
        return "00".to_owned();
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [char::from(*first), char::from(*last)].iter().collect();
    }
    let (first, last) = (format!("{first:02x}"), format!("{last:02x}"));
    format!("{}{}", &first[..1], &last[1..])
}

fn words(numbers: &[u16]) -> String {
    let mut text = String::with_capacity(numbers.len() * 5);
    for (at, number) in numbers.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        // Writing to a string does not fail.
        let _written = write!(text, "{comma}{number:04x}");
    }
    text
}

fn hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..6])
}
