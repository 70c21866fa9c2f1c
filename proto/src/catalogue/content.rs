//! What the content of a file can be, where its name alone says too little. The tests themselves are the sensor's.

/// A test of content, by the word that a catalogue uses for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// The key file of a Google Cloud service account.
    GoogleServiceAccount,
    /// A JSON web token.
    Jwt,
    /// A PKCS #12 or Java keystore.
    Keystore,
    /// A private key in PEM form, also an encrypted one.
    PrivateKey,
}

impl Content {
    /// The word for it, e.g. `private_key`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::GoogleServiceAccount => "google_service_account",
            Self::Jwt => "jwt",
            Self::Keystore => "keystore",
            Self::PrivateKey => "private_key",
        }
    }
}
