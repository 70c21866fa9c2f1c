//! What a certificate's holder may be.

use std::fmt;

use crate::verify::SensorId;

/// What the holder of a certificate of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads findings, on this machine.
    Operator,
    /// Sends evidence.
    Sensor(SensorId),
}

const SENSOR: &str = "claviger://sensor/";
const OPERATOR: &str = "claviger://operator/local";

impl Role {
    /// The role that a URI names; nothing for any other URI.
    #[must_use]
    pub fn parse(uri: &str) -> Option<Self> {
        if uri == OPERATOR {
            return Some(Self::Operator);
        }
        let role = Self::Sensor(uri.strip_prefix(SENSOR)?.parse().ok()?);
        // One spelling only: what is compared elsewhere is compared as text.
        (role.to_string() == uri).then_some(role)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str(OPERATOR),
            Self::Sensor(id) => write!(f, "{SENSOR}{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_as_written_and_in_one_spelling_only() {
        let id = "01234567-89ab-4def-8123-456789abcdef";
        let sensor = Role::Sensor(id.parse().expect("an id"));
        for role in [Role::Operator, sensor] {
            assert_eq!(Role::parse(&role.to_string()), Some(role));
        }
        for other in [
            "claviger://operator/",
            "claviger://sensor/",
            "claviger://sensor/x",
            "https://operator/local",
        ] {
            assert_eq!(Role::parse(other), None);
        }
        assert_eq!(Role::parse(&format!("{SENSOR}{}", id.to_uppercase())), None);
    }
}
