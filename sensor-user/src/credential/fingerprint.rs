//! Whether two contents are the same, without keeping either.
//!
//! A fingerprint is made with a key that is drawn anew by each run and never leaves it, so it tells nothing to who finds one; it is in memory
//! only. White space at both ends does not count: what shells and editors add or take there makes no other credential.

use std::ops::RangeInclusive;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Contents that are shorter prove nothing by being the same.
const MIN_BYTES: usize = 16;

/// Makes fingerprints.
pub struct Fingerprints {
    key: Zeroizing<[u8; 32]>,
}

/// Stands for a content within this run.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// The first half of a SHA-256.
    digest: [u8; 16],
    length: usize,
}

impl Fingerprints {
    /// With a key of its own. Nothing where the system has no random numbers: nothing can be compared then.
    #[must_use]
    pub fn new() -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice()).ok()?;
        Some(Self { key })
    }

    /// The fingerprint of a content; nothing of one that is too short.
    #[must_use]
    pub fn of(&self, content: &[u8]) -> Option<Fingerprint> {
        let content = content.trim_ascii();
        if content.len() < MIN_BYTES {
            return None;
        }
        let digest: [u8; 32] = Sha256::new()
            .chain_update(self.key.as_slice())
            .chain_update(content)
            .finalize()
            .into();
        Some(Fingerprint {
            digest: *digest.first_chunk()?,
            length: content.len(),
        })
    }
}

impl Fingerprint {
    /// How long the content is, without what lies around it.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// How long a content can be that a file of this size holds, before it is read: what lies around a content is a few bytes.
    #[must_use]
    pub fn lengths_in(bytes: u64) -> RangeInclusive<usize> {
        const AROUND: usize = 64;
        let most = usize::try_from(bytes).unwrap_or(usize::MAX);
        most.saturating_sub(AROUND)..=most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_is_known_whatever_space_lies_around_it() {
        let fingerprints = Fingerprints::new().expect("random numbers");
        let of = |content: &str| fingerprints.of(content.as_bytes());
        let secret = "a decoy of thirty-two characters";
        assert!(of(secret).is_some());
        assert!(of(secret) == of(&format!("\n{secret}\r\n")));
        assert!(of(secret) != of(&format!("{secret}!")));
        let known = of(secret).expect("long enough");
        assert_eq!(known.length(), 32);
        let fits = |bytes| Fingerprint::lengths_in(bytes).contains(&known.length());
        assert!(fits(32) && fits(33));
        assert!(!fits(31) && !fits(1 << 20) && !fits(u64::MAX));
    }

    #[test]
    fn short_contents_prove_nothing_and_no_two_runs_agree() {
        let fingerprints = Fingerprints::new().expect("random numbers");
        assert!(fingerprints.of(b"  {}  \n").is_none());
        let another = Fingerprints::new().expect("random numbers");
        let content = b"a decoy of thirty-two characters";
        assert!(fingerprints.of(content) != another.of(content));
    }
}
