//! The sensor's reader of ClientHellos beside another one, on what clients in use send.

use std::{
    io::Read as _,
    net::TcpListener,
    process::{Command, Stdio},
    time::Duration,
};

use claviger_sensor::network::tls::{ClientHello, HelloReader, Progress};
use tls_parser::{
    TlsExtension, TlsMessage, TlsMessageHandshake, parse_tls_client_hello_extensions, parse_tls_plaintext,
};

const NAME: &str = "sts.amazonaws.com";

/// The first message that a command sends to a port of this host, which is closed then.
pub(crate) fn sent(command: &str) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let mut client = Command::new("sh")
        .args(["-c", &command.replace("PORT", &port.to_string())])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh");
    let (mut stream, _) = listener.accept().expect("it connects");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a time");
    let mut bytes = Vec::new();
    let mut piece = [0; 4_096];
    let mut reader = HelloReader::default();
    loop {
        let length = stream.read(&mut piece).expect("it speaks");
        bytes.extend_from_slice(&piece[..length]);
        if length == 0 || reader.take(&piece[..length]) != Progress::More {
            break;
        }
    }
    drop(stream);
    client.wait().expect("it ends");
    bytes
}

pub(crate) fn ours(bytes: &[u8]) -> ClientHello {
    match HelloReader::default().take(bytes) {
        Progress::Hello(hello) => *hello,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_read_the_same_of_clients_in_use() {
    for command in [
        format!("openssl s_client -connect 127.0.0.1:PORT -servername {NAME} -tls1_2 -alpn h2,http/1.1"),
        format!("openssl s_client -connect 127.0.0.1:PORT -servername {NAME} -tls1_3"),
        "openssl s_client -connect 127.0.0.1:PORT -noservername".to_owned(),
        format!("curl -s --max-time 5 --connect-to {NAME}:443:127.0.0.1:PORT https://{NAME}/"),
        format!(
            "python3 -c 'import socket, ssl; ssl.create_default_context().wrap_socket(socket.create_connection((\"127.0.0.1\", PORT)), server_hostname=\"{NAME}\")'"
        ),
    ] {
        let bytes = sent(&command);
        let hello = ours(&bytes);
        let (_, record) = parse_tls_plaintext(&bytes).unwrap_or_else(|error| panic!("{command}: {error:?}"));
        let [
            TlsMessage::Handshake(TlsMessageHandshake::ClientHello(theirs)),
            ..,
        ] = &record.msg[..]
        else {
            panic!("{command}: {record:?}");
        };
        let ciphers: Vec<u16> = theirs.ciphers.iter().map(|cipher| cipher.0).collect();
        assert_eq!(hello.cipher_suites, ciphers, "{command}");
        assert_eq!(hello.legacy_version, theirs.version.0, "{command}");
        let (_, extensions) =
            parse_tls_client_hello_extensions(theirs.ext.unwrap_or_default()).expect("extensions");
        assert_eq!(hello.extensions.len(), extensions.len(), "{command}");
        let (mut name, mut alpn, mut versions) = (None, Vec::new(), Vec::new());
        for extension in &extensions {
            match extension {
                TlsExtension::SNI(names) => name = names.first().map(|(_, name)| name.to_vec()),
                TlsExtension::ALPN(protocols) => alpn = protocols.iter().map(|one| one.to_vec()).collect(),
                TlsExtension::SupportedVersions(offered) => {
                    versions = offered.iter().map(|version| version.0).collect();
                }
                _ => {}
            }
        }
        let host = hello.server_name.as_ref().and_then(|name| name.host());
        assert_eq!(host.map(str::as_bytes), name.as_deref(), "{command}");
        assert_eq!(hello.alpn, alpn, "{command}");
        assert_eq!(hello.versions, versions, "{command}");
        assert!(!hello.incomplete, "{command}");
    }
}
