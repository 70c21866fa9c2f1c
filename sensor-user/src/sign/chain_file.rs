//! The file `chain` beside the identity, as far as enrolment fills it: that it was enrolled, and with which key. The rest is the spool's, which writes
//! down in it where the chain stands (`spool/anchor.rs`).
//!
//! ```text
//! 2048  the enrolment: "CLVENROL" version:u32 crc32c:u32 signing_public_key:32        the checksum covers the key
//! ```
//! So that one that was emptied or damaged is not taken for one of which nothing was ever sealed, and a signing key that was exchanged is noticed.

const MAGIC: [u8; 8] = *b"CLVENROL";
const VERSION: u32 = 1;
const PLACE: usize = 2048;
/// Where in the file the enrolment stands, in bytes.
pub const ENROLMENT_AT: u64 = PLACE as u64;
/// How many bytes it has.
pub const ENROLMENT_LEN: usize = 8 + 4 + 4 + 32;
/// The length of the file, in bytes: a full disk has room for all that is written to it later.
const FILE_LEN: usize = 8192;

/// The enrolment's bytes.
#[must_use]
pub fn enrolment(signing_public_key: &[u8; 32]) -> [u8; ENROLMENT_LEN] {
    let mut bytes = [0; ENROLMENT_LEN];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&crc32c::crc32c(signing_public_key).to_le_bytes());
    bytes[16..].copy_from_slice(signing_public_key);
    bytes
}

/// The public key with which the sensor was enrolled; nothing where these bytes do not tell one.
#[must_use]
pub fn enrolled_key(bytes: &[u8]) -> Option<[u8; 32]> {
    let key = bytes.get(16..ENROLMENT_LEN)?.try_into().ok()?;
    (*bytes.get(..ENROLMENT_LEN)? == enrolment(&key)).then_some(key)
}

/// The whole file, as enrolment makes it.
#[must_use]
pub fn unused_chain(signing_public_key: &[u8; 32]) -> Vec<u8> {
    let mut file = vec![0; FILE_LEN];
    file[PLACE..PLACE + ENROLMENT_LEN].copy_from_slice(&enrolment(signing_public_key));
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_read_as_it_was_written_and_every_changed_byte_is_noticed() {
        let file = unused_chain(&[7; 32]);
        let mut bytes = file[PLACE..PLACE + ENROLMENT_LEN].to_vec();
        assert_eq!(enrolled_key(&bytes), Some([7; 32]));
        for at in 0..ENROLMENT_LEN {
            bytes[at] ^= 1;
            assert_eq!(enrolled_key(&bytes), None, "{at}");
            bytes[at] ^= 1;
        }
        assert_eq!(enrolled_key(&bytes[1..]), None);
        assert_eq!(enrolled_key(&[]), None);
    }
}
