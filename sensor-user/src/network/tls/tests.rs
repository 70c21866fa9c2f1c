use std::sync::Arc;

use proptest::prelude::*;
use rustls::{ClientConfig, ClientConnection, RootCertStore, pki_types::ServerName as Name};

use super::*;

/// What a real client says first.
fn real(name: &'static str, alpn: &[&str]) -> Vec<u8> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|one| one.as_bytes().to_owned()).collect();
    let name = Name::try_from(name).expect("a name");
    let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).expect("written");
    bytes
}

fn read(bytes: &[u8]) -> Progress {
    HelloReader::default().take(bytes)
}

fn hello(progress: Progress) -> ClientHello {
    match progress {
        Progress::Hello(hello) => *hello,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_real_client_says_is_read() {
    let found = hello(read(&real("sts.eu-west-1.amazonaws.com", &["h2", "http/1.1"])));
    let name = found.server_name.as_ref().and_then(ServerName::host);
    assert_eq!(name, Some("sts.eu-west-1.amazonaws.com"));
    assert_eq!(found.alpn, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    assert_eq!(found.highest_version(), 0x0304);
    assert!(!found.incomplete && !found.encrypted && !found.resumes);
    assert!(ja4(&found, Transport::Tcp).starts_with("t13d"));
    assert!(ja4(&found, Transport::Quic).starts_with("q13d"));
    let to_address = hello(read(&real("127.0.0.1", &[])));
    assert_eq!(to_address.server_name, None);
    assert!(ja4(&to_address, Transport::Tcp).starts_with("t13i"));
}

/// What OpenSSL says, behind the byte that the fuzz target takes. The server's name stands before most else.
const OPENSSL: &[u8] = include_bytes!("../../../../tests/fuzz/seeds/client_hello/openssl");

#[test]
fn what_another_implementation_says_is_read() {
    let found = hello(read(&OPENSSL[1..]));
    let name = found.server_name.as_ref().and_then(ServerName::host);
    assert_eq!(name, Some("sts.amazonaws.com"));
    assert!(!found.incomplete);
    assert_eq!(found.alpn, [b"h2".to_vec(), b"http/1.1".to_vec()]);
}

/// The segments of the network, and the records of the client.
#[test]
fn a_hello_may_be_cut_anywhere() {
    let whole = real("login.microsoftonline.com", &["h2"]);
    let expected = read(&whole);
    for at in 0..whole.len() {
        let mut reader = HelloReader::default();
        assert_eq!(reader.take(&whole[..at]), Progress::More, "at {at}");
        assert_eq!(reader.take(&whole[at..]), expected, "at {at}");
        // Two records, the same message.
        let message = &whole[5..];
        let (one, other) = message.split_at(at.min(message.len()));
        let record = |content: &[u8]| {
            let length = u16::try_from(content.len()).expect("short").to_be_bytes();
            [&[22, 3, 1, length[0], length[1]], content].concat()
        };
        if !one.is_empty() && !other.is_empty() {
            assert_eq!(read(&[record(one), record(other)].concat()), expected, "at {at}");
        }
    }
    let mut by_byte = HelloReader::default();
    let last = whole
        .iter()
        .fold(Progress::More, |_, byte| by_byte.take(&[*byte]));
    assert_eq!(last, expected);
}

#[test]
fn of_a_hello_that_ends_early_what_came_is_told() {
    let whole = &OPENSSL[1..];
    let named = |at: usize| {
        let mut reader = HelloReader::default();
        reader.take(&whole[..at]);
        match reader.cut() {
            Progress::Hello(hello) => {
                assert!(hello.incomplete);
                hello.server_name
            }
            Progress::NoHello => None,
            Progress::More => panic!("nothing more comes"),
        }
    };
    assert_eq!(named(4), None);
    let name = Some(ServerName::Host("sts.amazonaws.com".to_owned()));
    assert_eq!(named(whole.len() - 1), name);
}

#[test]
fn what_is_no_hello_is_known_at_its_first_bytes() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x02",
        b"\x17\x03\x03\x00\x10",
        // A handshake that begins with another message.
        b"\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00",
        // A record that is longer than records can be.
        b"\x16\x03\x03\x40\x01\x01",
    ] {
        assert_eq!(read(bytes), Progress::NoHello, "{bytes:02x?}");
    }
    assert_eq!(read(b""), Progress::More);
    assert_eq!(read(b"\x16\x03"), Progress::More);
}

#[test]
fn what_servers_pass_over_hides_no_hello() {
    let plain = built(&[]);
    let hello = |bytes: &[u8]| matches!(read(bytes), Progress::Hello(_));
    assert!(hello(&plain));
    // A record with nothing in it, and a version in the header that says nothing.
    assert!(hello(&[&b"\x16\x03\x01\x00\x00"[..], &plain].concat()));
    let mut odd = plain;
    odd[2] = 0xff;
    assert!(hello(&odd));
}

/// A hello with these extensions, as a record.
fn built(extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let short = |length: usize| u16::try_from(length).expect("short").to_be_bytes();
    let mut all = Vec::new();
    for (kind, content) in extensions {
        all.extend(kind.to_be_bytes());
        all.extend(short(content.len()));
        all.extend(content);
    }
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
    body.extend(short(all.len()));
    body.extend(all);
    let mut message = vec![1, 0];
    message.extend(short(body.len()));
    message.extend(body);
    let mut records = Vec::new();
    for part in message.chunks(1 << 14) {
        records.extend([22, 3, 1]);
        records.extend(short(part.len()));
        records.extend(part);
    }
    records
}

#[test]
fn many_extensions_and_long_names_are_borne() {
    let many: Vec<_> = (1000..1300).map(|kind| (kind, vec![0; 4])).collect();
    let found = hello(read(&built(&many)));
    assert_eq!(found.extensions.len(), 300);
    assert!(ja4(&found, Transport::Tcp).starts_with("t12i0199"));

    let name = vec![b'a'; 60_000];
    let length = |more: usize| u16::try_from(name.len() + more).expect("short").to_be_bytes();
    let named = [&length(3)[..], &[0], &length(0), &name].concat();
    let mut reader = HelloReader::default();
    // Beyond what is kept it is cut, and the name, which is not whole, is none.
    let cut = hello(reader.take(&built(&[(0, named)])));
    assert!(cut.incomplete);
    assert_eq!(cut.server_name, None);
}

#[test]
fn a_length_that_lies_ends_the_hello_there() {
    let found = hello(read(&built(&[
        (16, vec![0, 9, 2, b'h', b'2']),
        (43, vec![2, 3, 4]),
    ])));
    assert!(found.incomplete);
    assert_eq!(found.extensions, [16]);
    assert!(found.alpn.is_empty() && found.versions.is_empty());
}

#[test]
fn an_encrypted_hello_and_a_resumption_are_said() {
    let found = hello(read(&built(&[(0xfe0d, vec![0]), (41, vec![0]), (35, vec![])])));
    assert!(found.encrypted && found.resumes);
    let fresh = hello(read(&built(&[(35, vec![])])));
    assert!(!fresh.encrypted && !fresh.resumes);
}

/// The example that the fingerprint's makers give.
#[test]
fn the_fingerprint_is_that_of_others() {
    let found = ClientHello {
        legacy_version: 0x0303,
        versions: vec![0x0a0a, 0x0304, 0x0303],
        cipher_suites: vec![
            0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
            0x009c, 0x009d, 0x002f, 0x0035,
        ],
        extensions: vec![
            0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012,
            0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0xcaca,
        ],
        signature_algorithms: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
        server_name: Some(ServerName::Host("example.org".to_owned())),
        alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        ..ClientHello::default()
    };
    assert_eq!(
        ja4(&found, Transport::Tcp),
        "t13d1516h2_8daaf6152771_e5627efa2ab1"
    );
    assert_eq!(
        ja4(&ClientHello::default(), Transport::Tcp),
        "t00i000000_000000000000_000000000000"
    );
    let odd = ClientHello {
        alpn: vec![vec![0xab, 0xcd]],
        ..ClientHello::default()
    };
    assert!(ja4(&odd, Transport::Tcp).starts_with("t00i0000ad_"));
}

proptest! {
    #[test]
    fn nothing_panics_and_pieces_do_not_matter(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..600),
        as_record in any::<bool>(),
        at in 0..600_usize,
    ) {
        if as_record {
            let length = u16::try_from(bytes.len()).expect("short").to_be_bytes();
            bytes.splice(0..0, [22, 3, 1, length[0], length[1], 1, 0, 0, 200, 3, 3]);
        }
        let whole = read(&bytes);
        let mut reader = HelloReader::default();
        let first = reader.take(&bytes[..at.min(bytes.len())]);
        if first == Progress::More {
            prop_assert_eq!(reader.take(&bytes[at.min(bytes.len())..]), whole);
        } else {
            prop_assert_eq!(first, whole);
        }
        if let Progress::Hello(hello) = reader.cut() {
            prop_assert_eq!(ja4(&hello, Transport::Tcp).len(), 36);
        }
    }
}
