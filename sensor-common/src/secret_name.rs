//! The hashes by which names of credentials are found in an environment and in arguments.

use crate::records::{PLACE_HEADER, PLACE_OPTION, PLACE_VARIABLE};

/// In the value of a name: it is a credential only where its value is a URL with a password.
pub const ONLY_WITH_PASSWORD: u32 = 1;

/// In the value of a name: it is no credential, but a variable by which a program loads code.
pub const LOADS_CODE: u32 = 2;

/// The bits of a hash that a record has.
pub const SECRET_NAME_MASK: u64 = !0xffff;

/// What stands for the last words of a variable's name, behind an underscore: `*_TOKEN`, `*_API_KEY`.
pub const PLACE_SUFFIX: u32 = 4;

/// A hash with nothing in it yet. Each place has its own, for a variable is no option.
#[must_use]
#[inline(always)]
pub const fn secret_name_seed(place: u32) -> u64 {
    0xcbf2_9ce4_8422_2325 ^ ((place as u64) << 32)
}

/// Takes in one more byte (FNV-1a). It need not resist an attacker: a match is confirmed in user space by the name itself.
#[must_use]
#[inline(always)]
pub const fn secret_name_step(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3)
}

/// The hash of a whole name.
#[must_use]
pub fn secret_name_hash(place: u32, name: &[u8]) -> u64 {
    name.iter().fold(secret_name_seed(place), |hash, byte| {
        secret_name_step(hash, *byte)
    })
}

/// The bit of a hash in the prefilter, by word and mask.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "what is above is masked away")]
#[inline(always)]
pub const fn secret_name_bit(hash: u64) -> (u32, u64) {
    let mixed = hash ^ (hash >> 29);
    (
        (mixed >> 6) as u32 & (crate::limits::SECRET_NAME_WORDS - 1),
        1 << (mixed & 63),
    )
}

/// The word of a place, as events have it.
#[must_use]
pub const fn place_word(place: u32) -> Option<&'static str> {
    match place {
        PLACE_VARIABLE => Some("environment"),
        PLACE_OPTION => Some("option"),
        PLACE_HEADER => Some("header"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_kept_apart() {
        let token = |place| secret_name_hash(place, b"TOKEN");
        assert_ne!(token(PLACE_VARIABLE), token(PLACE_SUFFIX));
        assert_ne!(token(PLACE_OPTION), token(PLACE_HEADER));
        assert_ne!(token(PLACE_VARIABLE), secret_name_hash(PLACE_VARIABLE, b"TOKENS"));
    }

    #[test]
    fn a_bit_lies_in_the_prefilter() {
        for name in [&b"A"[..], b"GITHUB_TOKEN", b""] {
            let (word, bit) = secret_name_bit(secret_name_hash(PLACE_VARIABLE, name));
            assert!(word < crate::limits::SECRET_NAME_WORDS);
            assert_eq!(bit.count_ones(), 1);
        }
    }
}
