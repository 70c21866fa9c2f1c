//! OpenSSH's form of a private key (PROTOCOL.key in OpenSSH): `openssh-key-v1\0`, then strings with a 32-bit length in front: cipher, key
//! derivation and its options, the number of keys, each public key, and last the private part, which is not looked at.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use claviger_proto::v1::Identity;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::credential::public::{self, attribute};

const MAGIC: &[u8] = b"openssh-key-v1\0";
/// Base64 letters that are decoded, at most: the public part stands first and is no longer than this for any key in use (an RSA key of
/// 16,384 bits has 2,100 bytes), so most of a private part never gets decoded.
const MAX_LETTERS: usize = 8 * 1024;

/// The public half of a key, from what stands between the two lines of its PEM frame.
pub(super) fn identity(body: &str) -> Result<Identity, &'static str> {
    const BROKEN: &str = "the key is broken off or malformed";
    let mut letters = Zeroizing::new(Vec::with_capacity(MAX_LETTERS));
    letters.extend(
        body.bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .take(MAX_LETTERS),
    );
    // A body that was cut here, or whose end is damaged, is no concern: the public part stands at the beginning.
    let whole = letters.len() / 4 * 4;
    let mut bytes = Zeroizing::new([0; MAX_LETTERS / 4 * 3]);
    let decoded = STANDARD
        .decode_slice(&letters[..whole], &mut *bytes)
        .map_err(|_| BROKEN)?;
    let mut rest = bytes[..decoded].strip_prefix(MAGIC).ok_or(BROKEN)?;
    let cipher = string(&mut rest).ok_or(BROKEN)?;
    let _key_derivation = string(&mut rest).ok_or(BROKEN)?;
    let _its_options = string(&mut rest).ok_or(BROKEN)?;
    if number(&mut rest).ok_or(BROKEN)? != 1 {
        return Err("more than one key in one file");
    }
    let public_key = string(&mut rest).ok_or(BROKEN)?;
    let mut inner = public_key;
    let key_type = string(&mut inner).and_then(name).ok_or(BROKEN)?;
    let cipher = name(cipher).ok_or(BROKEN)?;

    let fingerprint = format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(public_key)));
    let mut identity = public::identity(
        "ssh_key_fingerprint",
        &fingerprint,
        "public_part",
        "of the private key file",
    );
    attribute(&mut identity, "key_type", Some(key_type));
    attribute(
        &mut identity,
        "encrypted",
        Some(if cipher == "none" { "false" } else { "true" }),
    );
    Ok(identity)
}

/// A name as SSH has them: printable, without spaces, at most 64 letters (RFC 4251).
fn name(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(text)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_be_bytes(*number))
}

fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (string, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(string)
}
