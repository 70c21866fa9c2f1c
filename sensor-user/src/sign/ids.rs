//! The ids of the evidence: sensor and boot, both UUIDs.

use std::fmt;
use std::fs;
use std::io;
use std::str::FromStr;

use thiserror::Error;

/// Where the kernel tells which boot this is.
const BOOT_ID_PATH: &str = "/proc/sys/kernel/random/boot_id";

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a UUID in its usual text form")]
pub struct InvalidId;

macro_rules! uuid {
    ($(#[$doc:meta])+ $name:ident) => {
        $(#[$doc])+
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// From its 16 bytes.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Its 16 bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse(text).map(Self).ok_or(InvalidId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let hex = hex::encode(self.0);
                write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

uuid! {
    /// A sensor, as the detector named it at enrolment.
    SensorId
}

uuid! {
    /// One boot of the kernel.
    BootId
}

impl BootId {
    /// The boot that is running.
    ///
    /// # Errors
    /// Where /proc does not tell.
    pub fn current() -> io::Result<Self> {
        let text = fs::read_to_string(BOOT_ID_PATH)?;
        text.trim()
            .parse()
            .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))
    }
}

fn parse(text: &str) -> Option<[u8; 16]> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 || [8, 13, 18, 23].iter().any(|&dash| bytes[dash] != b'-') {
        return None;
    }
    let digits: Vec<u8> = bytes.iter().copied().filter(|&byte| byte != b'-').collect();
    let mut out = [0; 16];
    hex::decode_to_slice(digits, &mut out).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn this_boot_has_an_id() {
        let boot = BootId::current().expect("readable");
        assert_eq!(boot, BootId::current().expect("readable"));
        assert_eq!(boot.to_string().parse(), Ok(boot));
    }

    #[test]
    fn what_is_no_uuid_is_refused() {
        for text in [
            "",
            "x",
            "00000000-0000-0000-0000-00000000000",
            "00000000-0000-0000-0000-00000000000g",
            "ü",
        ] {
            assert_eq!(text.parse::<SensorId>(), Err(InvalidId), "{text:?}");
        }
        let undashed = "0".repeat(36);
        assert_eq!(undashed.parse::<SensorId>(), Err(InvalidId));
        assert_eq!(
            "0000000--000-0000-0000-000000000000".parse::<SensorId>(),
            Err(InvalidId)
        );
    }

    proptest! {
        #[test]
        fn text_and_bytes_agree(bytes: [u8; 16]) {
            let id = SensorId::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = text.parse::<BootId>();
        }
    }
}
