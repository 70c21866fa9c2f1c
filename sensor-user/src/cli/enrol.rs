//! `enrol`: from a join token to an identity.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use zeroize::Zeroizing;

use super::output::say;
use super::program::{ConfigFile, runtime};
use crate::clock::utc;
use crate::config::{Config, DetectorAddress};
use crate::enrol::{InvalidToken, JoinToken, join};
use crate::sign::{Identity, IdentityError, Untrusted};

const TOKEN_VARIABLE: &str = "CLAVIGER_JOIN_TOKEN";
const PATIENCE: Duration = Duration::from_secs(10);
/// A token is some 150 bytes.
const MAX_TOKEN_BYTES: u64 = 4 << 10;

/// Become known to a detector with a join token that `claviger-detector token new` printed there.
///
/// Makes the keys of this sensor on this host, has the detector certify them, and keeps them below the state directory. The token
/// names the detector's authority, so another detector cannot take its place.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The token comes from --token, --token-file or the environment variable CLAVIGER_JOIN_TOKEN. A token on the command \
                  line can be seen by every user of this host while the command runs; it can be used once.\n\n\
                  Exit status: 0 enrolled; 1 enrolled already; 2 no token, or not a token; 69 the detector is not there or is another \
                  one; 77 the detector refuses the token, or the state directory may not be written."
)]
pub(super) struct Enrol {
    #[command(flatten)]
    config: ConfigFile,
    /// The detector's address [default: the configuration's]
    #[arg(long, value_name = "HOST:PORT")]
    detector: Option<DetectorAddress>,
    /// The join token
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    token: Option<Secret>,
    /// A file with the join token; - is standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Where the identity is kept [default: the configuration's]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Replace the identity that this sensor has; what the old one has not sent yet is lost, and counted
    #[arg(long)]
    force: bool,
    /// Print one JSON object: {"sensor_id", "certificate_not_after"}
    #[arg(long)]
    json: bool,
}

/// Text that no `Debug` form shows.
#[derive(Clone)]
struct Secret(Zeroizing<String>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

/// There is no token.
#[derive(Debug, thiserror::Error)]
#[error(
    "no join token: run `claviger-detector token new` where the detector is, and pass what it prints by --token-file - or \
     CLAVIGER_JOIN_TOKEN"
)]
pub(super) struct NoToken;

/// The join token cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the join token from {}", path.display())]
pub(super) struct TokenNotRead {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Enrol {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = Config::load(self.config.config.as_deref())?;
        let state_dir = self.state_dir.as_ref().unwrap_or(&config.state_dir);
        let address = self.detector.as_ref().unwrap_or(&config.detector.address);
        let token = self.token()?;
        // Before the token is used up.
        Identity::make_room(state_dir, self.force)?;
        let identity = runtime()?.block_on(join(address, &token, &config.effective_host_name(), PATIENCE))?;
        identity.store(state_dir, self.force)?;

        let not_after = identity.validity().not_after;
        if self.json {
            let sensor_id = identity.sensor_id().to_string();
            say!(
                "{}",
                json!({ "sensor_id": sensor_id, "certificate_not_after": not_after })
            );
        } else {
            say!(
                "enrolled with {address} as sensor {}; the certificate is valid until {}",
                identity.sensor_id(),
                utc(not_after)
            );
        }
        Ok(ExitCode::SUCCESS)
    }

    fn token(&self) -> anyhow::Result<JoinToken> {
        let text = match (&self.token, &self.token_file) {
            (Some(Secret(text)), _) => text.clone(),
            (None, Some(path)) => read_token(path)?,
            (None, None) => Zeroizing::new(env::var(TOKEN_VARIABLE).map_err(|_| NoToken)?),
        };
        Ok(text.parse::<JoinToken>()?)
    }
}

fn read_token(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let not_read = |source| TokenNotRead {
        path: path.to_owned(),
        source,
    };
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(not_read)?)
    };
    // Sized at once: a growing string would leave copies of the secret behind.
    let mut text = Zeroizing::new(String::with_capacity(
        usize::try_from(MAX_TOKEN_BYTES).unwrap_or(0) + 1,
    ));
    source
        .take(MAX_TOKEN_BYTES)
        .read_to_string(&mut text)
        .map_err(not_read)?;
    Ok(text)
}

/// The status that an error of this command ends the program with; nothing where it is none of them.
pub(super) fn status_of(error: &(dyn std::error::Error + 'static)) -> Option<u8> {
    use super::exit::{CONFIG, FAILED, NOT_PERMITTED, SOFTWARE, UNAVAILABLE, USAGE};
    use crate::enrol::EnrolError;
    if error.is::<NoToken>() || error.is::<InvalidToken>() {
        return Some(USAGE);
    }
    if let Some(TokenNotRead { source, .. }) = error.downcast_ref::<TokenNotRead>() {
        let is_forbidden = source.kind() == io::ErrorKind::PermissionDenied;
        return Some(if is_forbidden { NOT_PERMITTED } else { USAGE });
    }
    if error.is::<Untrusted>() {
        return Some(CONFIG);
    }
    if let Some(enrolment) = error.downcast_ref::<EnrolError>() {
        return Some(match enrolment {
            EnrolError::Refused { .. } => NOT_PERMITTED,
            EnrolError::BadAnswer { .. } | EnrolError::Failed { .. } | EnrolError::Unreachable(_) => {
                UNAVAILABLE
            }
            EnrolError::Keys(_) | EnrolError::Random(_) | EnrolError::Tls(_) => SOFTWARE,
        });
    }
    match error.downcast_ref::<IdentityError>()? {
        IdentityError::AlreadyEnrolled { .. } => Some(FAILED),
        IdentityError::AnotherKey { .. }
        | IdentityError::Certificate { .. }
        | IdentityError::Malformed { .. }
        | IdentityError::NotEnrolled { .. }
        | IdentityError::TooOpen { .. }
        | IdentityError::Untrusted(_) => Some(CONFIG),
        // What the system said decides.
        IdentityError::Io { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn a_token_that_cannot_be_read_is_wrong_usage() {
        let directory = tempfile::tempdir().expect("made");
        for path in [directory.path().to_owned(), directory.path().join("missing")] {
            let error = read_token(&path).expect_err("no token");
            let status = error.chain().find_map(status_of);
            assert_eq!(status, Some(super::super::exit::USAGE), "{error:#}");
        }
    }

    #[test]
    fn an_identity_that_cannot_be_used_is_wrong_configuration() {
        let status = |dir: &Path| {
            let error = Identity::load(dir).expect_err("refused");
            (status_of(&error), error.to_string())
        };
        let directory = tempfile::tempdir().expect("made");
        let identity = directory.path().join("identity");
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&identity)
            .expect("made");
        let (missing, why) = status(directory.path());
        assert_eq!(missing, Some(super::super::exit::CONFIG), "{why}");
        assert!(why.contains("sensor_id: it is missing"), "{why}");
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o777)).expect("set");
        let (open, why) = status(directory.path());
        assert_eq!(open, Some(super::super::exit::CONFIG), "{why}");
        assert!(why.contains("chmod go-w "), "{why}");
    }
}
