//! What a file is by its content, where its name alone says too little.
//!
//! - [`recognise`] is pure and total. It says what a content is, never what is in it, and copies no secret.
//! - What cannot be read, or is too large to be read, is unknown: it counts as a credential until the opposite is known.
//! - A file is looked at once in each of its versions; [`Contents`] remembers up to 65,536 of them, then forgets all.

mod contents;
mod json;
mod keystore;
mod pem;
mod token;

use claviger_proto::catalogue::Content;

pub use contents::Contents;

/// What a content was found to be: for each test that the catalogue knows, yes, no or unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recognised {
    is: u8,
    may_be: u8,
}

impl Recognised {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        is: 0,
        may_be: u8::MAX,
    };

    /// Whether it is this, or may be for all that is known.
    #[must_use]
    pub fn may_be(self, one: Content) -> bool {
        (self.is | self.may_be) & bit(one) != 0
    }

    /// Whether it is this for sure.
    #[must_use]
    pub fn is(self, one: Content) -> bool {
        self.is & bit(one) != 0
    }

    /// What its beginning says of a content that is too large to be read. A token or a service account's key is never so large.
    #[must_use]
    pub fn too_large(beginning: &[u8]) -> Self {
        let mut recognised = Self {
            is: 0,
            may_be: bit(Content::PrivateKey),
        };
        recognised.set(Content::Keystore, keystore::is_one(beginning));
        recognised
    }

    fn set(&mut self, one: Content, is_it: bool) {
        if is_it {
            self.is |= bit(one);
        }
    }
}

fn bit(one: Content) -> u8 {
    match one {
        Content::GoogleServiceAccount => 1,
        Content::Jwt => 2,
        Content::Keystore => 4,
        Content::PrivateKey => 8,
    }
}

/// Says what a whole content is.
#[must_use]
pub fn recognise(content: &[u8]) -> Recognised {
    let mut recognised = Recognised::default();
    recognised.set(Content::GoogleServiceAccount, json::is_service_account(content));
    recognised.set(Content::Jwt, token::is_jwt(content));
    recognised.set(Content::Keystore, keystore::is_one(content));
    recognised.set(Content::PrivateKey, pem::has_private_key(content));
    recognised
}

#[cfg(test)]
mod tests;
