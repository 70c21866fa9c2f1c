//! The detector's address as people write it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rustls::pki_types::ServerName;
use thiserror::Error;

/// A host and a port. The host is also the name that the detector's certificate must be for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectorAddress {
    host: String,
    port: u16,
    server_name: ServerName<'static>,
}

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{given:?} is not an address: write HOST:PORT, e.g. \"detector.example:7402\" or \"[2001:db8::1]:7402\""
)]
pub struct InvalidAddress {
    given: String,
}

impl DetectorAddress {
    /// The host name or IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name that the detector's certificate must be for.
    #[must_use]
    pub fn server_name(&self) -> &ServerName<'static> {
        &self.server_name
    }
}

impl Default for DetectorAddress {
    fn default() -> Self {
        let ip = IpAddr::from([127, 0, 0, 1]);
        Self {
            host: ip.to_string(),
            port: 7402,
            server_name: ServerName::IpAddress(ip.into()),
        }
    }
}

impl FromStr for DetectorAddress {
    type Err = InvalidAddress;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidAddress {
            given: given.chars().take(300).collect(),
        };
        let (host, port) = given.rsplit_once(':').ok_or_else(invalid)?;
        let port: u16 = port.parse().map_err(|_| invalid())?;
        if port == 0 {
            return Err(invalid());
        }
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = bracketed.unwrap_or(host);
        if bracketed.is_some() != host.contains(':') {
            return Err(invalid());
        }
        let server_name = ServerName::try_from(host.to_owned()).map_err(|_| invalid())?;
        Ok(Self {
            host: host.to_owned(),
            port,
            server_name,
        })
    }
}

impl fmt::Display for DetectorAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_they_are_written() {
        for text in [
            "127.0.0.1:7402",
            "detector.example:1",
            "[2001:db8::1]:65535",
            "localhost:7402",
        ] {
            let address: DetectorAddress = text.parse().expect(text);
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "host",
            "host:",
            ":7402",
            "host:0",
            "host:70000",
            "::1:7402",
            "[host]:7402",
            "a b:1",
            "[::1]",
        ] {
            assert!(text.parse::<DetectorAddress>().is_err(), "{text:?} was taken");
        }
    }
}
