use proptest::prelude::*;

use super::*;

fn requests(pieces: &[&[u8]]) -> Vec<Request> {
    let mut stream = Messages::default();
    pieces
        .iter()
        .flat_map(|piece| stream.take::<Request>(piece))
        .collect()
}

fn lines(requests: &[Request]) -> Vec<String> {
    requests
        .iter()
        .map(|request| format!("{} {}", request.method, request.target))
        .collect()
}

const TOKEN: &[u8] = b"PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\nX-aws-ec2-metadata-token-ttl-seconds: 21600\r\ncontent-length: 0\r\n\r\n";
const ROLE: &[u8] = b"GET /latest/meta-data/iam/security-credentials/web HTTP/1.1\r\nHost: 169.254.169.254:80\r\nX-aws-ec2-metadata-token: AQAE-secret\r\n\r\n";

#[test]
fn requests_one_after_the_other_are_each_read() {
    let all = [TOKEN, ROLE, ROLE].concat();
    let expected = [
        "PUT /latest/api/token",
        "GET /latest/meta-data/iam/security-credentials/web",
        "GET /latest/meta-data/iam/security-credentials/web",
    ];
    let found = requests(&[&all]);
    assert_eq!(lines(&found), expected);
    assert_eq!(found[0].marks, [Mark::AwsTokenLifetime]);
    assert_eq!(found[1].marks, [Mark::AwsToken]);
    assert_eq!(found[1].host.as_deref(), Some("169.254.169.254"));
    for at in 0..all.len() {
        let (one, other) = all.split_at(at);
        assert_eq!(lines(&requests(&[one, other])), expected, "cut at {at}");
    }
    let bytes: Vec<&[u8]> = all.chunks(1).collect();
    assert_eq!(lines(&requests(&bytes)), expected);
}

#[test]
fn no_secret_is_shown() {
    let found = requests(&[b"GET /x?token=hunter2 HTTP/1.1\r\nAuthorization: Bearer hunter2\r\n\r\n"]);
    let shown = format!("{found:?}");
    assert!(
        !shown.contains("hunter2") && shown.contains("Authorization"),
        "{shown}"
    );
}

#[test]
fn bodies_are_passed_over() {
    let all = [
        &b"POST /v1/auth/x/login HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET /no HTTP/1.1\r\n"[..],
        b"POST /two HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5;x=y\r\nGET /\r\n3\r\nabc\r\n0\r\nTrailer: x\r\n\r\n",
        ROLE,
    ]
    .concat();
    let expected = [
        "POST /v1/auth/x/login",
        "POST /two",
        "GET /latest/meta-data/iam/security-credentials/web",
    ];
    for at in 0..all.len() {
        let (one, other) = all.split_at(at);
        assert_eq!(lines(&requests(&[one, other])), expected, "cut at {at}");
    }
}

#[test]
fn what_follows_the_request_for_a_tunnel_is_read_too() {
    let found = requests(&[
        b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ]);
    assert_eq!(lines(&found), ["CONNECT sts.amazonaws.com:443", "GET /"]);
}

#[test]
fn what_was_not_seen_is_counted_and_the_next_request_is_found() {
    let mut stream = Messages::default();
    // Of a body it does no harm.
    assert_eq!(
        stream
            .take::<Request>(b"POST /one HTTP/1.1\r\nContent-Length: 10\r\n\r\n")
            .len(),
        1
    );
    stream.miss(10);
    assert_eq!(lines(&stream.take(ROLE)).len(), 1);
    assert_eq!(stream.unread(), 0);
    stream.miss(3);
    assert_eq!(stream.unread(), 1);
    assert!(stream.take::<Request>(b"rest of something\r\n").is_empty());
    assert_eq!(lines(&stream.take(ROLE)).len(), 1);
}

#[test]
fn a_head_of_a_megabyte_is_told_by_its_first_line() {
    let mut stream = Messages::default();
    let mut found = stream.take::<Request>(b"GET / HTTP/1.1\r\nX: ");
    for _ in 0..1024 {
        found.extend(stream.take::<Request>(&[b'a'; 1024]));
    }
    assert_eq!(lines(&found), ["GET /"]);
    assert_eq!(stream.unread(), 1);
    assert_eq!(lines(&stream.take(TOKEN)).len(), 1);
}

#[test]
fn what_contradicts_itself_is_told_by_its_first_line_and_what_has_none_is_counted() {
    for bytes in [
        &b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
    ] {
        assert_eq!(lines(&requests(&[bytes])), ["GET /"]);
    }
    for bytes in [&b"\x16\x03\x01"[..], b"\xff\r\n\r\n"] {
        let mut stream = Messages::default();
        assert!(stream.take::<Request>(bytes).is_empty());
        assert_eq!(stream.unread(), 1, "{bytes:?}");
    }
}

#[test]
fn answers_are_read_with_their_bodies_between() {
    let mut stream = Messages::default();
    let found: Vec<Response> = stream.take(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nnoHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nHTTP/1.0 404 Not Found\r\n\r\nHTTP/1.1 500 x\r\n\r\n",
    );
    let statuses: Vec<u16> = found.iter().map(|response| response.status).collect();
    assert_eq!(statuses, [100, 401, 200, 404]);
}

proptest! {
    #[test]
    fn nothing_panics(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 0..8)) {
        let mut stream = Messages::default();
        let mut answers = Messages::default();
        for piece in &pieces {
            let sent = [TOKEN, piece].concat();
            stream.take::<Request>(&sent);
            answers.take::<Response>(piece);
        }
    }
}

#[test]
fn what_a_lenient_server_takes_is_read() {
    let many: String = (0..300).map(|number| format!("h{number}: v\r\n")).collect();
    let long = format!("GET /latest HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(20_000));
    for head in [
        "GET /latest HTTP/1.1\r\nA : b\r\n\r\n".to_owned(),
        "GET /latest HTTP/1.1\r\nA: b\r\n folded\r\n\r\n".to_owned(),
        "GET /latest HTTP/1.2\r\n\r\n".to_owned(),
        "GET /latest HTTP/2.0\r\n\r\n".to_owned(),
        "GET /latest\r\n\r\n".to_owned(),
        "GET\t/latest HTTP/1.1\r\n\r\n".to_owned(),
        "GET  /latest HTTP/1.1\r\n\r\n".to_owned(),
        format!("GET /latest HTTP/1.1\r\n{many}\r\n"),
        long,
    ] {
        let found = requests(&[head.as_bytes(), b"GET /next HTTP/1.1\r\n\r\n"]);
        assert_eq!(lines(&found), ["GET /latest", "GET /next"], "{head:.60}");
    }
    let marked =
        requests(&[b"GET /latest HTTP/9\r\nX-Aws-Ec2-Metadata-Token : t\r\nHost: a.example:80\r\n\r\n"]);
    assert_eq!(marked[0].marks, [Mark::AwsToken]);
    assert_eq!(marked[0].host.as_deref(), Some("a.example"));
}

#[test]
fn a_request_where_a_body_should_go_on_is_one() {
    let found = requests(&[
        b"GET /one HTTP/1.1\r\nContent-Length: 500\r\n\r\n",
        b"GET /two HTTP/1.1\r\n\r\n",
    ]);
    assert_eq!(lines(&found), ["GET /one", "GET /two"]);
}

#[test]
fn a_method_that_is_none_is_not_told() {
    let found = requests(&[b"SECRET / HTTP/1.1\r\n\r\n"]);
    assert_eq!(found[0].known_method(), "other");
    assert_eq!(requests(&[b"PUT / HTTP/1.1\r\n\r\n"])[0].known_method(), "PUT");
}
