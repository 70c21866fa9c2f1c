use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use super::{
    super::{Definition, Snapshot, Type},
    *,
};

static SEEN: Definition = Definition {
    name: "claviger_sensor_seen",
    kind: Type::Counter,
    unit: None,
    labels: &[],
    help: "Seen.",
    advice: "None.",
};

/// A listener with something to tell, and its address.
fn listening() -> (SocketAddr, Published) {
    let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("bound");
    let address = listener.listener.local_addr().expect("bound");
    let published = Published::default();
    let mut snapshot = Snapshot::default();
    snapshot.set(&SEEN, [], 42_u64);
    published.publish(snapshot);
    listener.serve(published.clone()).expect("serves");
    (address, published)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connects");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a bound");
    stream
}

/// What comes back; an end by a reset is an end too.
fn said(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8(bytes).expect("UTF-8")
}

fn ask(address: SocketAddr, head: &str) -> String {
    let mut stream = connect(address);
    stream
        .write_all(format!("{head}\r\nHost: x\r\n\r\n").as_bytes())
        .expect("sent");
    said(stream)
}

#[test]
fn only_the_metrics_are_served() {
    let (address, _published) = listening();
    let answer = ask(address, "GET /metrics HTTP/1.1");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{answer}"
    );
    assert!(answer.contains("\nclaviger_sensor_seen_total 42\n"), "{answer}");
    assert!(
        answer.contains("\nclaviger_sensor_metrics_connections 1\n"),
        "{answer}"
    );
    assert!(answer.ends_with("\n# EOF\n"), "{answer}");

    let head = ask(address, "HEAD /metrics?x=1 HTTP/1.1");
    assert!(
        head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    for other in ["/", "/metrics/", "/debug", "http://x/y"] {
        let answer = ask(address, &format!("GET {other} HTTP/1.1"));
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    }
    for method in ["POST", "DELETE", "SURPRISE"] {
        let answer = ask(address, &format!("{method} /metrics HTTP/1.1"));
        assert!(
            answer.starts_with("HTTP/1.1 405") && answer.contains("allow: GET, HEAD"),
            "{answer}"
        );
    }
}

#[test]
fn before_the_first_snapshot_it_says_so() {
    let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("bound");
    let address = listener.listener.local_addr().expect("bound");
    listener.serve(Published::default()).expect("serves");
    assert!(ask(address, "GET /metrics HTTP/1.1").starts_with("HTTP/1.1 503"));
}

#[test]
fn a_taken_address_is_said_with_its_field() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = taken.local_addr().expect("bound");
    let error = Listener::bind(address).expect_err("it is taken");
    assert!(
        error
            .to_string()
            .starts_with(&format!("metrics.listen: cannot listen at {address}")),
        "{error}"
    );
}

#[test]
fn garbage_is_answered_or_closed_and_nothing_else_happens() {
    let (address, _published) = listening();
    let long = format!("GET /metrics HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    let fields = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1_000));
    let garbage: [&[u8]; 5] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0\0\0\0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        long.as_bytes(),
        fields.as_bytes(),
    ];
    for bytes in garbage {
        let mut stream = connect(address);
        // It may be closed before all is sent.
        let _closed = stream.write_all(bytes);
        let _closed = stream.shutdown(std::net::Shutdown::Write);
        let answer = said(stream);
        assert!(!answer.contains("claviger_sensor_seen"), "{answer}");
    }
    assert!(ask(address, "GET /metrics HTTP/1.1").contains("claviger_sensor_seen_total 42"));
}

#[test]
fn who_is_slow_is_closed_and_who_is_too_much_is_refused() {
    let (address, _published) = listening();
    let slow: Vec<TcpStream> = (0..CONNECTIONS_MAX)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(b"GET /metr").expect("sent");
            stream
        })
        .collect();
    // Accepted in their order, so this one meets a full house: it is closed without a word.
    let mut refused = connect(address);
    let _closed = refused.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(said(refused), "");
    // Those that say nothing more are closed when the time for a head is over, and what they had is given back.
    for stream in slow {
        assert!(!said(stream).contains("claviger_sensor_seen"));
    }
    let answer = loop {
        let answer = ask(address, "GET /metrics HTTP/1.1");
        if !answer.is_empty() {
            break answer;
        }
    };
    assert!(
        answer.contains("claviger_sensor_metrics_connections_refused_total")
            && answer.contains("seen_total 42"),
        "{answer}"
    );
}
