//! Access key ids: what is one, and which account it is of.
//!
//! Since 2019 an id holds its account number: the ten bytes in base 32 behind the four letters of the sort begin with one set bit, then 40
//! bits of account number. (Published by A. Steele in 2020 and T. Be'ery in 2023.) In older ids that bit is not set.

use claviger_proto::v1::Identity;

use crate::credential::public;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A well-formed access key id as an identity: 20 capital letters and digits. AWS itself keeps to the digits of base 32, documentation and
/// servers that speak its language do not. Anything else is refused: somebody may have put the secret there.
pub(super) fn identity(id: &str, source: &str, value: &str) -> Option<Identity> {
    let id = id.trim_matches(['"', '\'']);
    let sort = id.get(..4).filter(|sort| ["AKIA", "ASIA"].contains(sort))?;
    if id.len() != 20
        || !id
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    {
        return None;
    }
    let mut identity = public::identity("aws_access_key_id", id, source, value);
    public::attribute(&mut identity, "account", account(id).as_deref());
    public::attribute(
        &mut identity,
        "temporary",
        Some(if sort == "ASIA" { "true" } else { "false" }),
    );
    Some(identity)
}

/// The account number in an access key id.
fn account(id: &str) -> Option<String> {
    // Nine letters are 45 bits: the marking bit, 40 bits of account number, 4 bits of something else.
    let bits = id.bytes().skip(4).take(9).try_fold(0_u64, |bits, byte| {
        let digit = ALPHABET.iter().position(|letter| *letter == byte)?;
        Some(bits << 5 | u64::try_from(digit).ok()?)
    })?;
    let number = (bits >> 4) & ((1 << 40) - 1);
    let is_marked = bits >> 44 == 1;
    (is_marked && number < 1_000_000_000_000).then(|| format!("{number:012}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_read_from_the_id() {
        // Two published examples and an id in the old form.
        for (id, expected) in [
            ("ASIAQNZGKIQY56JQ7WML", Some("029608264753")),
            ("ASIAY34FZKBOKMUTVV7A", Some("609629065308")),
            ("AKIAIOSFODNN7EXAMPLE", None),
        ] {
            assert_eq!(account(id).as_deref(), expected, "{id}");
        }
    }

    #[test]
    fn only_a_key_id_is_taken() {
        for id in [
            "wJalrXUtnFEMI/K7MDENG",
            "AKIA",
            "AKIAIOSFODNN7EXAMPL",
            "AKIAIOSFODNN7EXAMPLEX",
            "AROAIOSFODNN7EXAMPLE",
            "ÄÖÜ",
        ] {
            assert_eq!(identity(id, "profile", "default"), None, "{id}");
        }
        let identity = identity("AKIAIOSFODNN7EXAMPLE", "profile", "default").expect("a key id");
        assert_eq!(
            (identity.kind.as_str(), identity.id.as_str()),
            ("aws_access_key_id", "AKIAIOSFODNN7EXAMPLE")
        );
        assert_eq!(identity.attributes["temporary"], "false");
    }
}
