//! What stands in a certificate, and how ours are shaped.

use std::net::IpAddr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, SanType, SerialNumber};
use rcgen::{KeyUsagePurpose, date_time_ymd};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{EnrolError, Role};

/// Certificates begin a day before they are made, for hosts whose clock is behind.
const BACKDATED: SignedDuration = SignedDuration::from_hours(24);

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// What its holder may be; nothing where it names no role, or several.
    pub role: Option<Role>,
    /// Beginning.
    pub not_before: Timestamp,
    /// End.
    pub not_after: Timestamp,
    /// DNS names and addresses, as text.
    pub names: Vec<String>,
    /// The public key with its algorithm, DER.
    pub public_key: Vec<u8>,
}

/// What a certificate says; nothing where it cannot be read.
#[must_use]
pub fn facts(der: &[u8]) -> Option<CertificateFacts> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let validity = certificate.validity();
    let alternatives = certificate.subject_alternative_name().ok()?;
    let (mut roles, mut names) = (Vec::new(), Vec::new());
    for name in alternatives
        .iter()
        .flat_map(|extension| &extension.value.general_names)
    {
        match name {
            GeneralName::URI(uri) => roles.extend(Role::parse(uri)),
            GeneralName::DNSName(name) => names.push((*name).to_owned()),
            GeneralName::IPAddress(bytes) => names.extend(address(bytes).map(|address| address.to_string())),
            _ => {}
        }
    }
    let role = match roles.as_slice() {
        [role] => Some(*role),
        _ => None,
    };
    Some(CertificateFacts {
        role,
        not_before: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
        not_after: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
        names,
        public_key: certificate.public_key().raw.to_vec(),
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from).ok();
    let v6 = || <[u8; 16]>::try_from(bytes).map(IpAddr::from).ok();
    v4().or_else(v6)
}

/// A certificate to be: valid from a day before `now` for `days` from now.
pub(super) fn parameters(
    common_name: &str,
    now: Timestamp,
    days: u16,
) -> Result<CertificateParams, EnrolError> {
    let mut parameters = CertificateParams::default();
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(EnrolError::Random)?;
    // A serial number is positive and has no leading zero byte.
    serial[0] = serial[0] & 0x7f | 0x40;
    parameters.serial_number = Some(SerialNumber::from_slice(&serial));
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    parameters.distinguished_name = name;
    let since_1970 = |time: Timestamp| Duration::from_secs(u64::try_from(time.as_second()).unwrap_or(0));
    let end = now.saturating_add(SignedDuration::from_hours(24 * i64::from(days)));
    let begin = now.saturating_sub(BACKDATED);
    parameters.not_before = date_time_ymd(1970, 1, 1) + since_1970(begin.unwrap_or(now));
    parameters.not_after = date_time_ymd(1970, 1, 1) + since_1970(end.unwrap_or(now));
    parameters.use_authority_key_identifier_extension = true;
    Ok(parameters)
}

/// Makes it a TLS client's certificate with that role.
pub(super) fn for_client(parameters: &mut CertificateParams, role: Role) -> Result<(), EnrolError> {
    let uri = role.to_string().try_into();
    let uri = uri.map_err(|source| EnrolError::Certificate {
        what: "client certificate",
        source,
    })?;
    parameters.subject_alt_names = vec![SanType::URI(uri)];
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(())
}

/// Makes it a TLS server's certificate for those names and addresses.
pub(super) fn for_server(parameters: &mut CertificateParams, names: &[String]) -> Result<(), EnrolError> {
    parameters.subject_alt_names = names
        .iter()
        .map(|name| match name.parse::<IpAddr>() {
            Ok(address) => Ok(SanType::IpAddress(address)),
            Err(_) => name.as_str().try_into().map(SanType::DnsName),
        })
        .collect::<Result<_, rcgen::Error>>()
        .map_err(|source| EnrolError::Certificate {
            what: "server certificate",
            source,
        })?;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(())
}
