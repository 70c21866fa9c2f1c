//! The detector's own certificates: the server's, and the operator's for whoever can read the data directory.

use jiff::Timestamp;
use rcgen::{KeyPair, PublicKeyData as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::authority::Issued;
use super::certificate::{CertificateFacts, facts};
use super::{Authority, EnrolError, Role};
use crate::store::DataDir;

const OWN_CERTIFICATE_DAYS: u16 = 365;

/// A certificate with its key, as TLS wants them.
#[derive(Debug)]
pub struct TlsIdentity {
    /// The certificate, then its authority's.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: PrivateKeyDer<'static>,
}

/// What the server shows. Made anew where it is missing, for other names, or has less than a third of its life left.
pub fn server_identity(
    directory: &DataDir,
    authority: &Authority,
    names: &[String],
    now: Timestamp,
) -> Result<TlsIdentity, EnrolError> {
    let mut wanted = names.to_vec();
    wanted.sort_unstable();
    let fits = |facts: &CertificateFacts| {
        let mut names = facts.names.clone();
        names.sort_unstable();
        names == wanted
    };
    let issue = |key: &KeyPair| authority.issue_server(key, &wanted, now, OWN_CERTIFICATE_DAYS);
    keep(
        directory,
        authority,
        ["server.pem", "server.key"],
        now,
        fits,
        issue,
    )
}

/// What `claviger-detector watch` shows. Made anew where it is missing, or has less than a third of its life left.
pub fn operator_identity(
    directory: &DataDir,
    authority: &Authority,
    now: Timestamp,
) -> Result<TlsIdentity, EnrolError> {
    let fits = |facts: &CertificateFacts| facts.role == Some(Role::Operator);
    let issue = |key: &KeyPair| authority.issue_client(key, Role::Operator, now, OWN_CERTIFICATE_DAYS);
    keep(
        directory,
        authority,
        ["operator.pem", "operator.key"],
        now,
        fits,
        issue,
    )
}

fn keep(
    directory: &DataDir,
    authority: &Authority,
    names @ [pem_name, key_name]: [&'static str; 2],
    now: Timestamp,
    fits: impl Fn(&CertificateFacts) -> bool,
    issue: impl Fn(&KeyPair) -> Result<Issued, EnrolError>,
) -> Result<TlsIdentity, EnrolError> {
    let _held = directory.lock_authority()?;
    if let Some((facts, identity)) = TlsIdentity::load(directory, names)?
        && fits(&facts)
        && is_fresh(&facts, now)
        && identity.chain.get(1) == Some(authority.certificate())
    {
        return Ok(identity);
    }
    let failed = |source| EnrolError::Certificate { what: "key", source };
    let key = KeyPair::generate().map_err(failed)?;
    let issued = issue(&key)?;
    directory.write(key_name, Zeroizing::new(key.serialize_pem()).as_bytes())?;
    let chain = [issued.pem, pem(authority.certificate())].concat();
    directory.write(pem_name, chain.as_bytes())?;
    tracing::info!(name = pem_name, not_after = %issued.facts.not_after, "certificate made");
    let key = PrivateKeyDer::from_pem_slice(Zeroizing::new(key.serialize_pem()).as_bytes());
    let key = key.map_err(|_| EnrolError::Authority {
        name: key_name,
        what: "not a private key",
    })?;
    Ok(TlsIdentity {
        chain: vec![issued.der, authority.certificate().clone()],
        key,
    })
}

impl TlsIdentity {
    /// What [`operator_identity`] left in the directory; nothing where it is not there or not whole.
    pub fn operator(directory: &DataDir) -> Result<Option<Self>, EnrolError> {
        Ok(Self::load(directory, ["operator.pem", "operator.key"])?.map(|(_, identity)| identity))
    }

    /// Nothing where a file is missing, unreadable as PEM, or the two do not belong together (a crash between their writes).
    fn load(
        directory: &DataDir,
        [pem, key]: [&str; 2],
    ) -> Result<Option<(CertificateFacts, Self)>, EnrolError> {
        let (Some(pem), Some(key)) = (directory.read(pem)?, directory.read(key)?.map(Zeroizing::new)) else {
            return Ok(None);
        };
        let parse = || {
            let chain = CertificateDer::pem_slice_iter(&pem)
                .collect::<Result<Vec<_>, _>>()
                .ok()?;
            let facts = facts(chain.first()?)?;
            let pair = KeyPair::from_pem(std::str::from_utf8(&key).ok()?).ok()?;
            let key = PrivateKeyDer::from_pem_slice(&key).ok()?;
            (facts.public_key == pair.subject_public_key_info()).then_some((facts, Self { chain, key }))
        };
        Ok(parse())
    }
}

fn is_fresh(facts: &CertificateFacts, now: Timestamp) -> bool {
    let life = facts.not_after.duration_since(facts.not_before);
    let left = facts.not_after.duration_since(now);
    facts.not_before <= now && left.as_secs() >= life.as_secs() / 3
}

fn pem(der: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem + "-----END CERTIFICATE-----\n"
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn certificates_are_kept_until_two_thirds_of_their_life_are_over_or_names_change() {
        let root = tempfile::tempdir().expect("a directory");
        let directory = DataDir::create(root.path()).expect("creates");
        let now = Timestamp::now();
        let authority = Authority::open(&directory, now).expect("opens");
        let server = |names: &[&str], day: i64| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let now = now + SignedDuration::from_hours(24 * day);
            server_identity(&directory, &authority, &names, now)
                .expect("is made")
                .chain[0]
                .clone()
        };
        let first = server(&["localhost", "127.0.0.1", "::1"], 0);
        let said = facts(&first).expect("reads");
        assert_eq!(said.role, None, "a server's certificate is no client's");
        assert!(said.names.contains(&"::1".to_owned()));
        assert_eq!(server(&["127.0.0.1", "::1", "localhost"], 200), first);
        let renewed = server(&["localhost", "127.0.0.1", "::1"], 250);
        assert_ne!(renewed, first);
        assert_ne!(
            server(&["localhost", "detector.example", "127.0.0.1", "::1"], 250),
            renewed
        );
    }

    #[test]
    fn half_a_pair_is_replaced() {
        let root = tempfile::tempdir().expect("a directory");
        let directory = DataDir::create(root.path()).expect("creates");
        let now = Timestamp::now();
        let authority = Authority::open(&directory, now).expect("opens");
        let operator = || {
            operator_identity(&directory, &authority, now)
                .expect("is made")
                .chain[0]
                .clone()
        };
        let first = operator();
        assert_eq!(operator(), first);
        let other = KeyPair::generate().expect("generates").serialize_pem();
        directory.write("operator.key", other.as_bytes()).expect("writes");
        assert!(TlsIdentity::operator(&directory).expect("reads").is_none());
        assert_ne!(operator(), first);
        assert_eq!(facts(&operator()).expect("reads").role, Some(Role::Operator));
    }
}
