//! Join tokens: `clv1.ID.SECRET.PIN`, where SECRET is base64url without padding and PIN the SHA-256 of the authority's certificate.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Authority, EnrolError};
use crate::store::db::{Database, TokenRow};

/// How long a token lives unless told otherwise.
pub const DEFAULT_TTL: Duration = Duration::from_secs(3_600);

/// A token that was just made. Its text is to be had here and never again.
pub struct MadeToken {
    /// Its id; not secret.
    pub id: String,
    /// The whole token, secret and all.
    pub text: Zeroizing<String>,
    /// When it ends.
    pub expires: Timestamp,
}

impl fmt::Debug for MadeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MadeToken")
            .field("id", &self.id)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// Its time is over.
    Expired,
    /// Somebody enrolled with it.
    Used,
    /// It waits to be used.
    Waiting,
}

impl TokenState {
    /// What became of it by `now`.
    #[must_use]
    pub fn of(token: &TokenRow, now: Timestamp) -> Self {
        match token.used {
            Some(_) => Self::Used,
            None if now >= token.expires => Self::Expired,
            None => Self::Waiting,
        }
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Used => "used",
            Self::Waiting => "waiting",
        }
    }
}

/// Makes a token that can be used once, until `ttl` from now.
pub fn make_token(
    database: &mut Database,
    authority: &Authority,
    ttl: Duration,
    now: Timestamp,
) -> Result<MadeToken, EnrolError> {
    let mut id = [0; 8];
    getrandom::fill(&mut id).map_err(EnrolError::Random)?;
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut_slice()).map_err(EnrolError::Random)?;
    let id = hex::encode(id);
    let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::MAX);
    let expires = now.saturating_add(ttl).unwrap_or(Timestamp::MAX);
    let secret_sha256 = Sha256::digest(secret.as_slice()).into();
    let row = TokenRow {
        id: id.clone(),
        secret_sha256,
        created: now,
        expires,
        used: None,
        used_by: None,
    };
    let write = database.write()?;
    write.add_token(&row)?;
    write.commit()?;
    let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret.as_slice()));
    let pin = hex::encode(authority.fingerprint());
    let text = Zeroizing::new(format!("clv1.{id}.{}.{pin}", *encoded));
    Ok(MadeToken { id, text, expires })
}

/// Whether somebody who shows this secret may use the token. A wrong secret is not told from an unknown id.
pub(super) fn check(token: Option<TokenRow>, secret: &[u8], now: Timestamp) -> Result<(), EnrolError> {
    let shown: [u8; 32] = Sha256::digest(secret).into();
    let token = token
        .filter(|token| bool::from(token.secret_sha256.ct_eq(&shown)))
        .ok_or(EnrolError::TokenUnknown)?;
    match token.used {
        Some(at) => Err(EnrolError::TokenUsed { at }),
        None if now >= token.expires => Err(EnrolError::TokenExpired { at: token.expires }),
        None => Ok(()),
    }
}
