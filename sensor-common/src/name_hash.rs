//! The hash by which names in labelled directories are found.

/// Bytes of a name that are hashed; the same buffer in both halves.
pub const NAME_HASH_BYTES: usize = 64;

/// Hash of a name of at most 63 bytes that stands at the beginning of a buffer of zeros. Longer names are never watched by name.
///
/// It goes over the whole buffer by words, so that the verifier meets no loop whose length depends on the name. It need not resist an
/// attacker: a match is confirmed in user space by the name itself.
#[must_use]
#[inline(always)]
pub fn name_hash(padded: &[u64; NAME_HASH_BYTES / 8]) -> u64 {
    let mut hash: u64 = 0x9e37_79b9_7f4a_7c15;
    for word in padded {
        hash = (hash ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash ^= hash >> 32;
    }
    hash
}

/// The buffer that [`name_hash`] takes; nothing for a name that is too long.
#[must_use]
pub fn padded_name(name: &[u8]) -> Option<[u64; NAME_HASH_BYTES / 8]> {
    if name.len() >= NAME_HASH_BYTES {
        return None;
    }
    let mut words = [0; NAME_HASH_BYTES / 8];
    for (word, bytes) in words.iter_mut().zip(name.chunks(8)) {
        let mut padded = [0; 8];
        for (to, from) in padded.iter_mut().zip(bytes) {
            *to = *from;
        }
        *word = u64::from_ne_bytes(padded);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::{NAME_HASH_BYTES, name_hash, padded_name};

    #[test]
    fn names_of_one_file_system_directory_hash_apart() {
        let names = [
            "credentials",
            "config",
            "shadow",
            "shadow-",
            "gshadow",
            "token",
            "id_rsa",
            "a",
            "b",
            "",
        ];
        let hashes: [u64; 10] = names.map(|name| name_hash(&padded_name(name.as_bytes()).expect("short")));
        for (at, hash) in hashes.iter().enumerate() {
            assert!(!hashes[at + 1..].contains(hash), "{}", names[at]);
        }
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused() {
        assert!(padded_name(&[b'a'; NAME_HASH_BYTES - 1]).is_some());
        assert!(padded_name(&[b'a'; NAME_HASH_BYTES]).is_none());
    }
}
