use std::net::SocketAddr;
use std::sync::Arc;

use claviger_sensor_common::TaskSnapshot;
use zerocopy::FromZeros as _;

use super::*;
use crate::{decode::Task, network::http::Mark};

/// What OpenSSL sends first.
const HELLO: &[u8] = include_bytes!("../../../../tests/fuzz/seeds/client_hello/openssl");
const TOKEN: &[u8] =
    b"PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\ncontent-length: 0\r\n\r\n";
const ROLE: &[u8] =
    b"GET /latest/meta-data/iam/security-credentials/web HTTP/1.1\r\nHost: 169.254.169.254\r\nX-aws-ec2-metadata-token: hunter2\r\n\r\n";

fn packet(cookie: u64, offset: u32, bytes: &[u8]) -> Packet {
    let to: SocketAddr = "169.254.169.254:80".parse().expect("an address");
    Packet {
        time_boot_ns: 1,
        task: Arc::new(Task::from(&TaskSnapshot::new_zeroed())),
        is_sender: false,
        socket: Socket {
            cookie,
            asked: to,
            directed: to,
            transport: Transport::Tcp,
        },
        peer: to,
        is_received: false,
        offset,
        left: 0,
        urgent: None,
        bytes: bytes.to_vec(),
    }
}

fn received(cookie: u64, offset: u32, bytes: &[u8]) -> Packet {
    Packet {
        is_received: true,
        ..packet(cookie, offset, bytes)
    }
}

fn targets(said: &[Said]) -> Vec<String> {
    let target = |said: &Said| match said {
        Said::Asked(asked) => asked.request.target.clone(),
        Said::Unreadable => "?".to_owned(),
        Said::AnswersMissed => "??".to_owned(),
        Said::Answered(status) => status.to_string(),
        Said::Hello { hello, .. } => format!("{:?}", hello.server_name),
        Said::Named(answer) => answer.name.clone(),
    };
    said.iter().map(target).collect()
}

/// The hello without the byte that the seed begins with.
fn hello() -> &'static [u8] {
    &HELLO[1..]
}

#[test]
fn each_request_of_a_kept_connection_is_told_and_how_it_was_answered() {
    let mut connections = Connections::default();
    let asked = connections.take(&packet(1, 0, TOKEN));
    assert_eq!(targets(&asked), ["/latest/api/token"]);
    let Said::Asked(Asked { request, through }) = &asked[0] else {
        panic!("{asked:?}");
    };
    assert_eq!(
        (&request.marks[..], through),
        (&[Mark::AwsTokenLifetime][..], &None)
    );
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd";
    assert_eq!(connections.take(&received(1, 0, answer)), [Said::Answered(200)]);
    let next = u32::try_from(TOKEN.len()).expect("short");
    let both = [ROLE, ROLE].concat();
    assert_eq!(connections.take(&packet(1, next, &both)).len(), 2);
    // Sent once more.
    assert_eq!(connections.take(&packet(1, next, &both)), []);
    assert_eq!(connections.lost(), 0);
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    for at in 1..TOKEN.len() {
        let mut connections = Connections::default();
        let (one, other) = TOKEN.split_at(at);
        let mut said = connections.take(&packet(1, 0, one));
        said.extend(connections.take(&packet(1, u32::try_from(at).expect("short"), other)));
        assert_eq!(targets(&said), ["/latest/api/token"], "cut at {at}");
    }
    for at in 1..hello().len() {
        let mut connections = Connections::default();
        let (one, other) = hello().split_at(at);
        let mut said = connections.take(&packet(1, 0, one));
        said.extend(connections.take(&packet(1, u32::try_from(at).expect("short"), other)));
        assert_eq!(said.len(), 1, "cut at {at}");
        assert!(connections.is_empty(), "nothing more is to be learned");
    }
}

#[test]
fn what_is_missing_is_counted_and_what_came_before_is_told() {
    let mut connections = Connections::default();
    let (one, other) = hello().split_at(hello().len() - 20);
    assert_eq!(connections.take(&packet(1, 0, one)), []);
    let far = u32::try_from(hello().len()).expect("short");
    let said = connections.take(&packet(1, far, other));
    let [Said::Hello { hello, .. }] = &said[..] else {
        panic!("{said:?}");
    };
    assert!(hello.incomplete);
    assert_eq!(connections.lost(), 1);
}

#[test]
fn a_hello_behind_a_proxy_is_told_with_the_host_that_it_was_asked_for() {
    let mut connections = Connections::default();
    let connect = b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nHost: sts.amazonaws.com:443\r\n\r\n";
    assert_eq!(connections.take(&packet(1, 0, connect)), []);
    let behind = u32::try_from(connect.len()).expect("short");
    let said = connections.take(&packet(1, behind, hello()));
    let [Said::Hello { through_proxy_to, .. }] = &said[..] else {
        panic!("{said:?}");
    };
    assert_eq!(through_proxy_to, &Some(Some("sts.amazonaws.com".to_owned())));
    // What follows is within TLS, and taken as far as the beginning goes.
    let behind = behind + u32::try_from(hello().len()).expect("short");
    assert_eq!(
        connections.take(&packet(1, behind, b"\x14\x03\x03\x00\x01\x01")),
        []
    );
    assert_eq!(connections.lost(), 0);
}

#[test]
fn what_is_asked_behind_a_proxy_s_consent_is_asked_there() {
    let mut connections = Connections::default();
    let connect = b"CONNECT 169.254.169.254:80 HTTP/1.1\r\n\r\n";
    // At once, as a client does that does not wait, and behind it.
    let said = connections.take(&packet(1, 0, &[&connect[..], ROLE].concat()));
    let [Said::Asked(Asked { through, .. })] = &said[..] else {
        panic!("{said:?}");
    };
    assert_eq!(through.as_deref(), Some("169.254.169.254:80"));
    let behind = u32::try_from(connect.len() + ROLE.len()).expect("short");
    let said = connections.take(&packet(1, behind, TOKEN));
    let [Said::Asked(Asked { through, .. })] = &said[..] else {
        panic!("{said:?}");
    };
    assert_eq!(through.as_deref(), Some("169.254.169.254:80"));
}

#[test]
fn what_cannot_be_read_is_told_as_that() {
    let mut connections = Connections::default();
    let said = connections.take(&packet(1, 0, b"\xff\xfe /latest\r\n\r\n"));
    assert_eq!(targets(&said), ["?"]);
}

#[test]
fn answers_that_may_have_been_missed_are_told() {
    let mut connections = Connections::default();
    connections.take(&packet(1, 0, ROLE));
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let said = connections.take(&received(1, 0, chunked));
    assert_eq!(targets(&said), ["200"]);
    // Where the next one begins is not known behind what was not seen.
    let said = connections.take(&received(1, 1000, b"400\r\n"));
    assert_eq!(targets(&said), ["??"]);
    let said = connections.take(&received(1, 9000, b"more"));
    assert_eq!(targets(&said), Vec::<String>::new(), "it is told once");
    let said = connections.take(&received(
        1,
        10_000,
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    ));
    assert_eq!(targets(&said), ["404"]);
}

#[test]
fn what_is_missing_of_a_request_is_told() {
    let mut connections = Connections::default();
    let (begins, _) = ROLE.split_at(30);
    assert_eq!(
        targets(&connections.take(&packet(1, 0, begins))),
        Vec::<String>::new()
    );
    let said = connections.take(&packet(1, 1000, b"rest"));
    assert_eq!(targets(&said), ["?"]);
}

#[test]
fn a_request_that_a_proxy_is_to_make_is_told_as_it_was_made() {
    let mut connections = Connections::default();
    let said = connections.take(&packet(
        1,
        0,
        b"GET http://169.254.169.254/latest/user-data HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n",
    ));
    assert_eq!(targets(&said), ["http://169.254.169.254/latest/user-data"]);
}

#[test]
fn a_socket_that_is_connected_anew_begins_anew() {
    let mut connections = Connections::default();
    let (one, _) = TOKEN.split_at(10);
    connections.take(&packet(1, 0, one));
    let mut elsewhere = packet(1, 0, ROLE);
    elsewhere.socket.asked = "169.254.170.2:80".parse().expect("an address");
    elsewhere.socket.directed = elsewhere.socket.asked;
    assert_eq!(connections.take(&elsewhere).len(), 1);
}

#[test]
fn the_quietest_is_forgotten_for_another_one() {
    let mut connections = Connections::default();
    let (one, other) = TOKEN.split_at(10);
    let all = u64::try_from(CONNECTIONS_MAX).expect("few");
    for cookie in 0..=all {
        connections.take(&packet(cookie, 0, one));
    }
    assert_eq!(connections.len(), CONNECTIONS_MAX);
    assert_eq!(connections.lost(), 1);
    assert_eq!(connections.take(&packet(all, 10, other)).len(), 1);
    assert_eq!(
        targets(&connections.take(&packet(0, 10, other))),
        Vec::<String>::new()
    );
}

#[test]
fn what_only_looks_like_a_tunnel_hides_no_request_behind_it() {
    let mut connections = Connections::default();
    let head = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 25\r\n\r\n";
    let mut offset = 0;
    let mut told = Vec::new();
    for piece in [&head[..], b"CONNECT x:1 HTTP/1.1\r\n\r\n", b"\x16", ROLE, ROLE] {
        told.extend(targets(&connections.take(&packet(1, offset, piece))));
        offset += u32::try_from(piece.len()).expect("short");
    }
    assert_eq!(told, ["/x", role(), role()]);
}

#[test]
fn what_is_forgotten_between_two_requests_is_no_loss() {
    let mut connections = Connections::default();
    let all = u64::try_from(CONNECTIONS_MAX).expect("few");
    for cookie in 0..=all {
        assert_eq!(targets(&connections.take(&packet(cookie, 0, ROLE))), [role()]);
    }
    assert_eq!(connections.len(), CONNECTIONS_MAX);
    assert_eq!((connections.lost(), connections.missed()), (0, 0));
    // The first one goes on, and what was said between is not known.
    let behind = u32::try_from(ROLE.len()).expect("short") + 1;
    assert_eq!(targets(&connections.take(&packet(0, behind, ROLE))), [role()]);
    assert_eq!((connections.lost(), connections.missed()), (1, 1));
}

#[test]
fn what_is_forgotten_for_another_is_missing_of_none_but_itself() {
    let mut connections = Connections::default();
    let all = u64::try_from(CONNECTIONS_MAX).expect("few");
    for cookie in 0..=all {
        connections.take(&packet(cookie, 0, &TOKEN[..10]));
    }
    assert_eq!((connections.lost(), connections.missed()), (1, 0));
}

#[test]
fn one_that_was_forgotten_is_found_again_where_a_request_begins() {
    let mut connections = Connections::default();
    assert_eq!(targets(&connections.take(&packet(1, 4_711, ROLE))), [role()]);
    assert_eq!(connections.lost(), 1, "what came before");
    let mut connections = Connections::default();
    assert_eq!(connections.take(&packet(1, 4_711, b"a body")), []);
    let behind = 4_711 + 6;
    assert_eq!(targets(&connections.take(&packet(1, behind, ROLE))), [role()]);
}

fn role() -> &'static str {
    "/latest/meta-data/iam/security-credentials/web"
}

#[test]
fn an_urgent_byte_is_none_of_the_stream() {
    let mut connections = Connections::default();
    let mut odd = packet(1, 0, &[&hello()[..20], b"X", &hello()[20..]].concat());
    odd.urgent = Some(20);
    let [Said::Hello { hello, .. }] = &connections.take(&odd)[..] else {
        panic!("no hello");
    };
    assert!(!hello.incomplete);
}

/// What aioquic sends first, behind the two bytes that the seed begins with.
const QUIC: &[u8] = include_bytes!("../../../../tests/fuzz/seeds/quic_initials/aioquic-v1");

fn datagram(offset: u32, bytes: &[u8], left: usize) -> Packet {
    let mut datagram = packet(1, offset, bytes);
    datagram.socket.transport = Transport::Udp;
    datagram.left = u32::try_from(left).expect("short");
    datagram
}

#[test]
fn a_datagram_may_come_in_parts_and_is_told_once() {
    let mut connections = Connections::default();
    let (begins, rest) = QUIC[2..].split_at(700);
    let none = Vec::<String>::new();
    assert_eq!(targets(&connections.take(&datagram(0, begins, rest.len()))), none);
    let said = connections.take(&datagram(700, rest, 0));
    assert!(matches!(said[..], [Said::Hello { .. }]), "{said:?}");
    // Nobody has answered.
    assert_eq!(targets(&connections.take(&datagram(0, &QUIC[2..], 0))), none);
    // On a socket that is directed elsewhere it is another one.
    let mut other = datagram(0, &QUIC[2..], 0);
    other.socket.directed = "192.0.2.1:443".parse().expect("an address");
    let said = connections.take(&other);
    assert!(matches!(said[..], [Said::Hello { .. }]), "{said:?}");
}

#[test]
fn datagrams_of_which_nothing_is_to_come_take_no_room() {
    let mut connections = Connections::default();
    let mut datagram = packet(1, 0, b"no answer of a resolver");
    datagram.socket.transport = Transport::Udp;
    datagram.is_received = true;
    connections.take(&datagram);
    assert!(connections.is_empty());
}

proptest::proptest! {
    #[test]
    fn any_packets_are_taken(packets in proptest::collection::vec(
        (0..3u64, proptest::bool::ANY, 0..600u32, proptest::collection::vec(proptest::num::u8::ANY, 0..60)), 0..40)
    ) {
        let mut connections = Connections::default();
        for (cookie, is_received, offset, bytes) in packets {
            let mut packet = packet(cookie, offset, &bytes);
            packet.is_received = is_received;
            if cookie == 2 {
                packet.socket.transport = Transport::Udp;
            }
            connections.take(&packet);
        }
        proptest::prop_assert!(connections.len() <= 3);
    }
}
