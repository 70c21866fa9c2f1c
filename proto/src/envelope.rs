//! The DSSE envelope: what exactly is signed, and how keys and batches are named.
//!
//! Both ends must compute the same bytes, so it stands with the contract. Signing is the sensor's, checking is the detector's.

use sha2::{Digest as _, Sha256};

/// The payload type of every envelope of this version.
pub const PAYLOAD_TYPE: &str = "application/vnd.claviger.batch.v1+protobuf";

/// A SHA-256 digest.
pub type Sha256Digest = [u8; 32];

/// What stands before a sensor's first batch.
pub const CHAIN_START: Sha256Digest = [0; 32];

/// DSSE's pre-authentication encoding (secure-systems-lab/dsse, protocol v1.0.2): the bytes that a signature covers.
#[must_use]
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + payload_type.len() + 48);
    out.extend_from_slice(b"DSSEv1 ");
    out.extend_from_slice(payload_type.len().to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(payload_type.as_bytes());
    out.push(b' ');
    out.extend_from_slice(payload.len().to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(payload);
    out
}

/// The hash by which a batch is chained and acknowledged: SHA-256 of its payload bytes.
#[must_use]
pub fn batch_digest(payload: &[u8]) -> Sha256Digest {
    Sha256::digest(payload).into()
}

/// The name of a signing key: lower-case hex of the SHA-256 of its public half.
#[must_use]
pub fn key_id(public_key: &[u8; 32]) -> String {
    hex::encode(Sha256::digest(public_key))
}

/// What the signing key signs at enrolment to prove that the caller holds it.
#[must_use]
pub fn enrolment_proof_message(token_id: &str, certificate_request: &[u8]) -> Vec<u8> {
    let mut out = b"claviger enrol v1\0".to_vec();
    out.extend_from_slice(token_id.as_bytes());
    out.push(0);
    out.extend_from_slice(&Sha256::digest(certificate_request));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pre_authentication_encoding_is_the_one_of_the_specification() {
        // The example of the DSSE protocol description.
        let got = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(got, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn key_id_is_the_hash_of_the_public_half() {
        // SHA-256 of 32 zero bytes.
        assert_eq!(
            key_id(&[0; 32]),
            "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925"
        );
    }
}
