//! What went wrong, so that a person knows what to do.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};

use crate::config::DetectorAddress;

/// The TLS error behind an error, however deep.
pub(super) fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        // An io::Error's source is its inner error's source: the inner error itself has to be asked for.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

/// A TLS error for a person.
pub(super) fn of_tls(error: &rustls::Error, address: &DetectorAddress) -> String {
    const CLOCK: &str = "restart the detector to renew it, or set this host's clock where that is wrong";
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            format!("the detector's certificate has expired by this host's clock: {CLOCK}")
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => format!("the detector's certificate is not valid yet by this host's clock: {CLOCK}"),
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its certificate is not from the authority that this sensor was enrolled with: check the address, or enrol again"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!(
            "its certificate is not for {:?}: add that name to the detector's server_names, or use one that is there",
            address.host()
        ),
        // What the verifier of enrolments says where no certificate has the pin.
        rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure) => {
            "this is not the detector that made the token: check the address, or get a token from this one".to_owned()
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateExpired) => {
            "the detector says that this sensor's certificate has expired: enrol again, or set the clock that is wrong".to_owned()
        }
        rustls::Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::UnknownCA,
        ) => "the detector does not take this sensor's certificate: enrol again".to_owned(),
        other => other.to_string(),
    }
}

/// A failed connect for a person.
pub(super) fn of_connect(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there; is the detector running?",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "there is no way to that host",
        io::ErrorKind::TimedOut => "it does not answer",
        _ => "check the address and the network",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tls_error_is_found_however_deep() {
        let tls = rustls::Error::AlertReceived(AlertDescription::CertificateExpired);
        let inner = io::Error::other(tls.clone());
        let outer = io::Error::other(inner);
        assert_eq!(tls_error(&outer), Some(&tls));
        assert_eq!(tls_error(&io::Error::other("else")), None);
    }

    #[test]
    fn every_certificate_error_says_what_to_do() {
        let address = DetectorAddress::default();
        for (error, expected) in [
            (CertificateError::Expired, "set this host's clock"),
            (CertificateError::NotValidYet, "not valid yet"),
            (CertificateError::UnknownIssuer, "enrol again"),
            (CertificateError::NotValidForName, "\"127.0.0.1\""),
        ] {
            let said = of_tls(&rustls::Error::InvalidCertificate(error), &address);
            assert!(said.contains(expected), "{said}");
        }
    }
}
