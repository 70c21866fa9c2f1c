//! From when to when a certificate holds.

use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use thiserror::Error;
use x509_parser::parse_x509_certificate;

use crate::clock::{unix_milliseconds, utc};

/// From when to when a certificate holds, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First second.
    pub not_before: i64,
    /// Last second.
    pub not_after: i64,
}

/// Why a certificate does not hold now.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValidityError {
    /// It ended.
    #[error(
        "this sensor's certificate expired on {}: enrol again with a new token \
         (this host's clock says {}; if that is wrong, set the clock)",
        utc(*not_after), utc(*now)
    )]
    Expired {
        /// Its last second.
        not_after: i64,
        /// This host's time.
        now: i64,
    },
    /// It has not begun.
    #[error(
        "this sensor's certificate is not valid before {}, and this host's clock says {}: set the clock",
        utc(*not_before), utc(*now)
    )]
    NotYetValid {
        /// Its first second.
        not_before: i64,
        /// This host's time.
        now: i64,
    },
    /// It could not be read.
    #[error("this sensor's certificate cannot be read")]
    Unreadable,
}

impl Validity {
    /// Reads it from a certificate.
    ///
    /// # Errors
    /// Where that is no certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, ValidityError> {
        let (_, parsed) = parse_x509_certificate(certificate).map_err(|_| ValidityError::Unreadable)?;
        let validity = parsed.validity();
        Ok(Self {
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }

    /// Whether it holds at this time.
    ///
    /// # Errors
    /// Where it does not; the error says when it does.
    pub fn check(&self, now: SystemTime) -> Result<(), ValidityError> {
        let now = unix_milliseconds(now).div_euclid(1000);
        if now > self.not_after {
            return Err(ValidityError::Expired {
                not_after: self.not_after,
                now,
            });
        }
        if now < self.not_before {
            return Err(ValidityError::NotYetValid {
                not_before: self.not_before,
                now,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_certificate_holds_from_its_first_to_its_last_second() {
        let validity = Validity {
            not_before: 1_000,
            not_after: 2_000,
        };
        assert_eq!(validity.check(at(1_000)), Ok(()));
        assert_eq!(validity.check(at(2_000)), Ok(()));
        let early = validity.check(at(999)).expect_err("too early");
        assert!(
            early
                .to_string()
                .contains("not valid before 1970-01-01T00:16:40Z"),
            "{early}"
        );
        let late = validity.check(at(2_001)).expect_err("too late");
        assert!(
            late.to_string().contains("expired on 1970-01-01T00:33:20Z"),
            "{late}"
        );
        assert!(
            late.to_string().contains("clock says 1970-01-01T00:33:21Z"),
            "{late}"
        );
    }

    #[test]
    fn what_is_no_certificate_is_said_to_be_none() {
        for bytes in [&b""[..], b"x", &[0x30, 0x82, 0xff, 0xff]] {
            assert_eq!(
                Validity::of(&CertificateDer::from(bytes)),
                Err(ValidityError::Unreadable)
            );
        }
    }
}
