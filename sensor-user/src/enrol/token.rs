//! Join tokens: `clv1.ID.SECRET.PIN`.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claviger_proto::envelope::Sha256Digest;
use thiserror::Error;
use zeroize::Zeroizing;

/// A join token. Its `Debug` form shows no secret.
pub struct JoinToken {
    id: String,
    secret: Zeroizing<[u8; 32]>,
    pin: Sha256Digest,
}

/// Why a text is no join token. What was given is not repeated: it may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this is not a join token ({0}): copy all of what `claviger-detector token new` printed")]
pub struct InvalidToken(&'static str);

impl JoinToken {
    /// The token's id, which is not secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The SHA-256 of the certificate of the authority that made it.
    #[must_use]
    pub fn pin(&self) -> &Sha256Digest {
        &self.pin
    }

    pub(super) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }
}

impl FromStr for JoinToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let parts: [&str; 4] = text
            .trim()
            .splitn(5, '.')
            .collect::<Vec<_>>()
            .try_into()
            .map_err(|_| InvalidToken("it does not have four parts"))?;
        let [version, id, secret, pin] = parts;
        if version != "clv1" {
            return Err(InvalidToken("it does not begin with clv1"));
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if id.is_empty() || id.len() > 64 || !id.chars().all(is_word) {
            return Err(InvalidToken("its id is malformed"));
        }
        // Decoded in place: a vector on the way would leave a copy behind.
        let mut room = Zeroizing::new([0; 33]);
        let written = URL_SAFE_NO_PAD.decode_slice(secret, room.as_mut_slice());
        if written != Ok(32) {
            return Err(InvalidToken("its secret is malformed"));
        }
        let mut token_secret = Zeroizing::new([0; 32]);
        token_secret.copy_from_slice(&room[..32]);
        let mut token_pin = [0; 32];
        hex::decode_to_slice(pin, &mut token_pin)
            .map_err(|_| InvalidToken("its fingerprint is malformed"))?;
        Ok(Self {
            id: id.to_owned(),
            secret: token_secret,
            pin: token_pin,
        })
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken")
            .field("id", &self.id)
            .field("pin", &hex::encode(self.pin))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod unit {
    use proptest::prelude::*;

    use super::*;

    fn text(id: &str, secret: &[u8], pin: &[u8]) -> String {
        format!(
            "clv1.{id}.{}.{}",
            URL_SAFE_NO_PAD.encode(secret),
            hex::encode(pin)
        )
    }

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let token: JoinToken = format!(" {}\n", text("a1", &[0xa5; 32], &[3; 32]))
            .parse()
            .expect("a token");
        assert_eq!(
            (token.id(), token.secret(), token.pin()),
            ("a1", &[0xa5; 32], &[3; 32])
        );
        let debug = format!("{token:?}");
        assert!(
            !debug.contains(&URL_SAFE_NO_PAD.encode([0xa5; 32])) && !debug.contains("165"),
            "{debug}"
        );
    }

    #[test]
    fn what_is_no_token_is_refused_without_repeating_it() {
        for wrong in [
            String::new(),
            "clv1.a.b".into(),
            "clv2.a.b.c".into(),
            text("", &[1; 32], &[1; 32]),
            text("a b", &[1; 32], &[1; 32]),
            text("a", &[1; 31], &[1; 32]),
            text("a", &[1; 33], &[1; 32]),
            text("a", &[1; 200], &[1; 32]),
            text("a", &[1; 32], &[1; 31]),
            format!("{}.x", text("a", &[1; 32], &[1; 32])),
        ] {
            let why = wrong.parse::<JoinToken>().expect_err("refused").to_string();
            assert!(why.contains("claviger-detector token new"), "{why}");
            assert!(!why.contains("AQEBAQ"), "{why}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(clv1\\.)?.{0,100}") {
            let _ = text.parse::<JoinToken>();
        }
    }
}
