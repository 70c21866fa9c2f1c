use std::sync::Arc;

use proptest::prelude::*;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::quic::{ClientConnection, Keys, Version};
use rustls::{ClientConfig, RootCertStore, Side, SupportedCipherSuite, pki_types::ServerName as Name};

use super::*;
use crate::network::tls::{Progress, ServerName};

const ID: &[u8] = b"\x83\x94\xc8\xf0\x3e\x51\x57\x08";

/// The handshake that a real client begins with.
fn handshake() -> Vec<u8> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h3".to_vec()];
    let name = Name::try_from("oauth2.googleapis.com").expect("a name");
    let mut client =
        ClientConnection::new(Arc::new(config), Version::V1, name, vec![0; 8]).expect("a client");
    let mut bytes = Vec::new();
    client.write_hs(&mut bytes);
    bytes
}

fn varint(number: usize) -> [u8; 2] {
    u16::try_from(number | 0x4000).expect("short").to_be_bytes()
}

fn frame(offset: usize, bytes: &[u8]) -> Vec<u8> {
    [&[6][..], &varint(offset), &varint(bytes.len()), bytes].concat()
}

/// An Initial that goes to `to`, under the keys of `of`.
fn initial(version: Version, of: &[u8], to: &[u8], number: u8, frames: &[u8]) -> Vec<u8> {
    let SupportedCipherSuite::Tls13(suite) = TLS13_AES_128_GCM_SHA256 else {
        panic!("it is one of TLS 1.3")
    };
    let keys = Keys::initial(version, suite, suite.quic.expect("of QUIC too"), of, Side::Client);
    let (first, bytes) = match version {
        Version::V2 => (0xd0, 0x6b33_43cf_u32),
        _ => (0xc0, 1),
    };
    let mut payload = frames.to_owned();
    payload.resize(payload.len().max(64), 0);
    let mut packet = vec![first];
    packet.extend(bytes.to_be_bytes());
    packet.push(u8::try_from(to.len()).expect("short"));
    packet.extend(to);
    packet.extend([0, 0]);
    packet.extend(varint(1 + payload.len() + 16));
    let number_at = packet.len();
    packet.push(number);
    let tag = keys
        .local
        .packet
        .encrypt_in_place(u64::from(number), &packet, &mut payload)
        .expect("encrypted");
    packet.extend(payload);
    packet.extend(tag.as_ref());
    let sample = packet[number_at + 4..][..16].to_owned();
    let (header, behind) = packet.split_at_mut(number_at);
    keys.local
        .header
        .encrypt_in_place(&sample, &mut header[0], &mut behind[..1])
        .expect("protected");
    packet
}

fn name(progress: &Progress) -> Option<&str> {
    match progress {
        Progress::Hello(hello) => hello.server_name.as_ref().and_then(ServerName::host),
        Progress::More | Progress::NoHello => None,
    }
}

#[test]
fn a_hello_is_read_in_both_versions() {
    let handshake = handshake();
    for version in [Version::V1, Version::V2] {
        let packet = initial(version, ID, ID, 0, &frame(0, &handshake));
        let progress = Initials::default().take(&packet);
        assert_eq!(name(&progress), Some("oauth2.googleapis.com"), "{version:?}");
    }
}

/// Of aioquic, in both versions.
#[test]
fn what_another_implementation_sends_is_read() {
    for datagram in [
        &include_bytes!("../../../../tests/fuzz/seeds/quic_initials/aioquic-v1")[2..],
        &include_bytes!("../../../../tests/fuzz/seeds/quic_initials/aioquic-v2")[2..],
    ] {
        let progress = Initials::default().take(datagram);
        assert_eq!(name(&progress), Some("oauth2.googleapis.com"), "{progress:?}");
    }
}

#[test]
fn pieces_come_in_any_order_and_over_several_datagrams() {
    let handshake = handshake();
    let (one, two) = handshake.split_at(100);
    let (two, three) = two.split_at(50);
    let packets = [
        initial(Version::V1, ID, ID, 2, &frame(150, three)),
        initial(
            Version::V1,
            ID,
            ID,
            1,
            &[frame(100, two), frame(90, &handshake[90..120])].concat(),
        ),
        // The server has answered: it goes to the id of the server's, with an acknowledgement before it.
        initial(
            Version::V1,
            ID,
            b"other",
            3,
            &[vec![2, 0, 0, 0, 0], frame(0, one)].concat(),
        ),
    ];
    let mut initials = Initials::default();
    assert_eq!(initials.take(&packets[0]), Progress::More);
    assert_eq!(initials.take(&packets[1]), Progress::More);
    assert_eq!(name(&initials.take(&packets[2])), Some("oauth2.googleapis.com"));
}

/// It asks to begin anew, with another id, whose keys then hold.
#[test]
fn behind_a_retry_the_keys_are_others() {
    let handshake = handshake();
    let mut initials = Initials::default();
    let first = initial(Version::V1, ID, ID, 0, &frame(0, &handshake[..50]));
    assert_eq!(initials.take(&first), Progress::More);
    let again = initial(Version::V1, b"retried", b"retried", 1, &frame(0, &handshake));
    assert_eq!(name(&initials.take(&again)), Some("oauth2.googleapis.com"));
}

#[test]
fn packets_of_one_datagram_are_each_looked_at() {
    let handshake = handshake();
    let mut datagram = initial(Version::V1, ID, ID, 0, &frame(0, &handshake[..50]));
    // A 0-RTT packet between them.
    datagram.extend([0xd0, 0, 0, 0, 1, 0, 0, 3, 1, 2, 3]);
    datagram.extend(initial(Version::V1, ID, ID, 1, &frame(50, &handshake[50..])));
    assert_eq!(
        name(&Initials::default().take(&datagram)),
        Some("oauth2.googleapis.com")
    );
}

#[test]
fn between_datagrams_that_are_sent_at_once_there_may_be_filler() {
    let handshake = handshake();
    let (first, rest) = handshake.split_at(100);
    let mut both = initial(Version::V1, ID, ID, 0, &frame(0, first));
    both.resize(1_200, 0);
    both.extend(initial(Version::V1, ID, ID, 1, &frame(100, rest)));
    assert_eq!(
        name(&Initials::default().take(&both)),
        Some("oauth2.googleapis.com")
    );
}

#[test]
fn what_cannot_be_read_is_no_hello() {
    let good = initial(Version::V1, ID, ID, 0, &frame(0, &handshake()));
    let mut wrong_version = good.clone();
    wrong_version[1..5].copy_from_slice(&[0xfa, 0xce, 0xb0, 0x0c]);
    let mut damaged = good.clone();
    *damaged.last_mut().expect("long") ^= 1;
    for datagram in [
        &[][..],
        &[0x40; 50],
        &[0xc0, 0, 0, 0, 0],
        &wrong_version,
        &damaged,
    ] {
        assert_eq!(Initials::default().take(datagram), Progress::NoHello);
    }
    for at in 0..good.len() {
        assert_eq!(
            Initials::default().take(&good[..at]),
            Progress::NoHello,
            "cut at {at}"
        );
    }
    // The keys of the first one stay.
    let handshake = handshake();
    let mut initials = Initials::default();
    initials.take(&initial(Version::V1, ID, ID, 0, &frame(0, &handshake[..50])));
    initials.take(&damaged);
    let rest = initial(Version::V1, ID, b"x", 1, &frame(50, &handshake[50..]));
    assert_eq!(name(&initials.take(&rest)), Some("oauth2.googleapis.com"));
}

proptest! {
    #[test]
    fn nothing_panics(datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..4), frames in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut initials = Initials::default();
        for datagram in &datagrams {
            initials.take(datagram);
        }
        initials.take(&initial(Version::V1, ID, ID, 0, &frames));
    }
}
