//! The sensor's readers of ClientHellos and of QUIC's Initials beside Wireshark's, on what clients in use send.

use std::{
    collections::HashMap,
    fs,
    net::UdpSocket,
    process::{Command, Stdio},
    time::Duration,
};

use claviger_sensor::network::{
    quic::Initials,
    tls::{ClientHello, Progress, Transport, ja4},
};

use crate::{
    capture::{self, Carrier, Flow},
    network::Network,
    parsers::{ours, sent},
};

/// What is asked of tshark, in order; the last where its version (4.2 and later) knows it.
const FIELDS: [&str; 8] = [
    "tls.handshake.extensions_server_name",
    "tls.handshake.extensions_alpn_str",
    "tls.handshake.extensions.supported_version",
    "tls.handshake.ciphersuite",
    "tls.handshake.extension.type",
    "tls.handshake.sig_hash_alg",
    "quic.version",
    "tls.handshake.ja4",
];

/// What was sent over TCP, in segments as they are on most links.
fn over_tcp(command: &str) -> (Carrier, Vec<Vec<u8>>) {
    let bytes = sent(command);
    (Carrier::Tcp, bytes.chunks(1448).map(<[u8]>::to_vec).collect())
}

/// The datagrams that a command prints.
fn printed(script: &str, arguments: &[&str]) -> (Carrier, Vec<Vec<u8>>) {
    let output = Command::new(Network::client("python"))
        .args(["-B", &Network::of_clients(script)])
        .args(arguments)
        .output()
        .expect("python");
    let text = String::from_utf8(output.stdout).expect("hexadecimal");
    let datagrams = text.lines().map(|line| hex::decode(line).expect("hexadecimal"));
    (Carrier::Udp, datagrams.collect())
}

/// The datagrams that a command sends to a port of this host, up to the end of its hello.
fn over_udp(command: &str) -> (Carrier, Vec<Vec<u8>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a time");
    let port = socket.local_addr().expect("bound").port();
    let mut client = Command::new("sh")
        .args(["-c", &command.replace("PORT", &port.to_string())])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("sh");
    let mut reader = Initials::default();
    let mut datagrams = Vec::new();
    let mut bytes = [0; 65_536];
    loop {
        let length = socket.recv(&mut bytes).expect("it speaks");
        datagrams.push(bytes[..length].to_vec());
        if reader.take(&bytes[..length]) != Progress::More {
            break;
        }
    }
    let _killed = client.kill();
    client.wait().expect("it ends");
    (Carrier::Udp, datagrams)
}

/// What the sensor reads.
fn read(flow: &Flow) -> (ClientHello, Transport) {
    if let Carrier::Tcp = flow.carrier {
        return (ours(&flow.packets.concat()), Transport::Tcp);
    }
    let mut reader = Initials::default();
    let mut said = flow.packets.iter().map(|datagram| reader.take(datagram));
    match said.find(|progress| *progress != Progress::More) {
        Some(Progress::Hello(hello)) => (*hello, Transport::Quic),
        other => panic!("{other:?}"),
    }
}

/// What tshark reads, by the client's port.
fn theirs(flows: &[Flow]) -> HashMap<u16, Vec<String>> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("sent.pcap");
    fs::write(&path, capture::file(flows)).expect("written");
    let known = Command::new("tshark")
        .args(["-G", "fields"])
        .output()
        .expect("tshark");
    let known = String::from_utf8_lossy(&known.stdout).into_owned();
    let mut command = Command::new("tshark");
    command.arg("-r").arg(&path);
    command.args([
        "-Y",
        "tls.handshake.type == 1",
        "-T",
        "fields",
        "-E",
        "aggregator=,",
    ]);
    for field in ["tcp.srcport", "udp.srcport"].into_iter().chain(FIELDS) {
        if known.contains(&format!("\t{field}\t")) {
            command.args(["-e", field]);
        }
    }
    let output = command.output().expect("tshark");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .map(|line| {
            let mut ports: Vec<_> = line.split('\t').map(str::to_owned).collect();
            let fields = ports.split_off(2);
            // Of the other carrier it is empty.
            (ports.concat().parse().expect("a port"), fields)
        })
        .collect()
}

/// Numbers as tshark writes them.
fn numbers(field: &str) -> Vec<u16> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(text) => u16::from_str_radix(text, 16).expect("a number"),
        None => text.parse().expect("a number"),
    };
    field
        .split(',')
        .filter(|text| !text.is_empty())
        .map(number)
        .collect()
}

#[test]
fn both_read_the_same_of_tls_and_quic() {
    if !Network::has_clients() {
        return;
    }
    let python = Network::client("python");
    let browser = |browser: &str, over: &str| {
        let script = Network::of_clients("browser.py");
        format!("exec {python} -B {script} {browser} {over} localhost:PORT")
    };
    let protocols: Vec<_> = (0..40)
        .map(|number| format!("decoy-protocol-{number:03}"))
        .collect();
    let name = "sts.amazonaws.com";
    let flows = [
        over_tcp(&format!(
            "openssl s_client -connect 127.0.0.1:PORT -servername {name} -alpn h2,http/1.1"
        )),
        over_tcp("openssl s_client -connect 127.0.0.1:PORT -noservername -tls1_2"),
        over_tcp(&browser("chrome131", "tcp")),
        over_tcp(&browser("firefox135", "tcp")),
        printed("quic_hello.py", &[name, "VERSION_1", "h3"]),
        printed("quic_hello.py", &[name, "VERSION_2", "h3"]),
        printed("quic_hello.py", &[name, "VERSION_1", &protocols.join(",")]),
        over_udp(&browser("chrome131", "quic")),
    ];
    let flows: Vec<_> = (40_001..)
        .zip(flows)
        .map(|(port, (carrier, packets))| Flow {
            carrier,
            port,
            packets,
        })
        .collect();
    let long = flows.iter().filter(|flow| flow.packets.len() > 1).count();
    assert_eq!(long, 4, "browsers and many protocols take more than one packet");
    let theirs = theirs(&flows);
    for flow in &flows {
        let (hello, transport) = read(flow);
        let port = flow.port;
        let [
            name,
            alpn,
            versions,
            suites,
            extensions,
            algorithms,
            quic,
            of_ja4 @ ..,
        ] = &theirs
            .get(&port)
            .unwrap_or_else(|| panic!("{port}: it read none"))[..]
        else {
            panic!("{port}: {theirs:?}");
        };
        let host = hello.server_name.as_ref().and_then(|name| name.host());
        assert_eq!(host.unwrap_or_default(), name, "{port}");
        let offered: Vec<_> = hello
            .alpn
            .iter()
            .map(|one| String::from_utf8_lossy(one))
            .collect();
        assert_eq!(offered.join(","), *alpn, "{port}");
        assert_eq!(hello.versions, numbers(versions), "{port}");
        assert_eq!(hello.cipher_suites, numbers(suites), "{port}");
        assert_eq!(hello.extensions, numbers(extensions), "{port}");
        // Theirs are those for delegated credentials too.
        let theirs = numbers(algorithms);
        let mut in_row = theirs.windows(hello.signature_algorithms.len());
        assert!(
            in_row.any(|row| row == hello.signature_algorithms),
            "{port}: {theirs:?} {hello:?}"
        );
        assert!(!hello.incomplete, "{port}");
        assert_eq!(transport == Transport::Quic, !quic.is_empty(), "{port}");
        if let [of_ja4] = of_ja4 {
            assert_eq!(ja4(&hello, transport), *of_ja4, "{port}");
        }
    }
    let version = |port| theirs[&port][6].split(',').next().expect("one").to_owned();
    assert_eq!([version(40_005), version(40_006)], ["0x00000001", "0x6b3343cf"]);
}
