//! Who is let in, and who is not.

mod common;

use std::path::Path;
use std::time::Duration;

use claviger_detector::clock::ManualClock;
use claviger_proto::v1::{ListFindingsRequest, WatchRequest};
use common::{LONG, connect, enrol, enrolling, findings, operator, start, start_at, status};
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::{Code, Status};

fn refused(result: Result<common::Sensor, Status>) -> Status {
    result.err().expect("is refused")
}

#[tokio::test]
async fn a_token_is_good_once_and_the_messages_say_why_not() {
    let root = tempfile::tempdir().expect("a directory");
    let clock = ManualClock::at(Timestamp::now());
    let detector = start_at(root.path(), clock.clone()).await;
    let address = detector.address();

    let token = detector.make_token(LONG).expect("makes");
    enrolling(&token.text, 1)
        .send(root.path(), address)
        .await
        .expect("enrols");
    let used = refused(enrolling(&token.text, 2).send(root.path(), address).await);
    assert_eq!(used.code(), Code::PermissionDenied);
    assert!(used.message().contains("was used at 20"), "{used:?}");
    assert!(
        !used.message().contains("token new"),
        "the sensor says what to do: {used:?}"
    );

    let token = detector.make_token(Duration::from_secs(60)).expect("makes");
    clock.set(Timestamp::now() + SignedDuration::from_mins(10));
    let expired = refused(enrolling(&token.text, 2).send(root.path(), address).await);
    assert_eq!(expired.code(), Code::PermissionDenied);
    assert!(expired.message().contains("expired at 20"), "{expired:?}");

    let token = detector.make_token(LONG).expect("makes");
    let mut other = enrolling(&token.text, 2);
    other.request.token_id = "0123".into();
    let unknown = refused(other.send(root.path(), address).await);
    assert_eq!(unknown.code(), Code::PermissionDenied);
    assert!(unknown.message().contains("unknown"), "{unknown:?}");

    let mut other = enrolling(&token.text, 2);
    other.request.signing_proof[3] ^= 1;
    let unproven = refused(other.send(root.path(), address).await);
    assert_eq!(unproven.code(), Code::InvalidArgument);
    enrolling(&token.text, 2)
        .send(root.path(), address)
        .await
        .expect("the token was not burnt by that");
    detector.stop().await;
}

#[tokio::test]
async fn the_role_in_the_certificate_decides() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let address = detector.address();
    let sensor = enrol(&detector, root.path(), 1).await;

    let code = |result: Result<common::Stream, Status>| result.err().map(|status| status.code());
    assert_eq!(
        code(sensor.try_stream(root.path(), address, None).await),
        Some(Code::Unauthenticated)
    );
    let operator = operator(root.path());
    let pushed = sensor.try_stream(root.path(), address, Some(&operator)).await;
    assert_eq!(code(pushed), Some(Code::PermissionDenied));

    for (identity, expected) in [
        (None, Code::Unauthenticated),
        (Some(&sensor.identity), Code::PermissionDenied),
    ] {
        let channel = connect(root.path(), address, identity).await.expect("connects");
        let mut client = claviger_proto::v1::findings_client::FindingsClient::new(channel);
        let listed = client.list(ListFindingsRequest::default()).await;
        assert_eq!(listed.expect_err("is refused").code(), expected);
        let watched = client.watch(WatchRequest::default()).await;
        assert_eq!(watched.expect_err("is refused").code(), expected);
    }
    findings(root.path(), address)
        .await
        .list(ListFindingsRequest::default())
        .await
        .expect("an operator may");
    detector.stop().await;
}

#[tokio::test]
async fn a_certificate_of_another_detector_is_no_certificate() {
    let (ours, theirs) = (
        tempfile::tempdir().expect("a directory"),
        tempfile::tempdir().expect("a directory"),
    );
    let detector = start(ours.path()).await;
    let other = start(theirs.path()).await;
    let stranger = enrol(&other, theirs.path(), 1).await;
    assert!(is_refused(ours.path(), detector.address(), &stranger).await);
    detector.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let root = tempfile::tempdir().expect("a directory");
    let clock = ManualClock::at(Timestamp::now());
    let detector = start_at(root.path(), clock.clone()).await;
    let mut sensor = enrol(&detector, root.path(), 1).await;
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    assert_eq!(stream.receipt(sensor.seal(vec![status()])).await, 1);
    drop(stream);
    clock.set(Timestamp::now() + SignedDuration::from_hours(24 * 91));
    assert!(is_refused(root.path(), detector.address(), &sensor).await);
    detector.stop().await;
}

#[tokio::test]
async fn a_stream_ends_with_the_certificate_that_opened_it() {
    let root = tempfile::tempdir().expect("a directory");
    let clock = ManualClock::at(Timestamp::now() - SignedDuration::from_hours(24 * 90));
    let detector = start_at(root.path(), clock.clone()).await;
    let sensor = enrol(&detector, root.path(), 1).await;
    clock.set(not_after(&sensor.identity) - SignedDuration::from_secs(1));
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    let ended = stream.next().await.expect_err("ends");
    assert_eq!(ended.code(), Code::Unauthenticated, "{ended:?}");
    assert!(
        ended.message().contains("has expired; enrol it again"),
        "{ended:?}"
    );
    detector.stop().await;
}

fn not_after(identity: &common::Identity) -> Timestamp {
    claviger_detector::enrol::facts(&identity.chain[0])
        .expect("reads")
        .not_after
}

/// More than there may be handshakes at a time, all from one address.
#[tokio::test]
async fn strangers_that_stall_keep_nobody_out() {
    let root = tempfile::tempdir().expect("a directory");
    let mut config = common::config(root.path());
    config.max_connections = 4;
    let detector = claviger_detector::serve::start(&config).await.expect("starts");
    let mut stalled = Vec::new();
    for _ in 0..300 {
        let mut stream = tokio::net::TcpStream::connect(detector.address())
            .await
            .expect("connects");
        // The beginning of a ClientHello; the connection may have been dropped for a newer one.
        let _ = stream.write_all(&[22, 3, 1, 2, 0]).await;
        stalled.push(stream);
    }
    let mut sensor = enrol(&detector, root.path(), 1).await;
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    assert_eq!(stream.receipt(sensor.seal(vec![status()])).await, 1);
    findings(root.path(), detector.address())
        .await
        .list(ListFindingsRequest::default())
        .await
        .expect("an operator gets through");
    let mut byte = [0];
    let read = tokio::time::timeout(LONG, stalled[0].read(&mut byte)).await;
    assert!(
        matches!(read.expect("ends"), Ok(0) | Err(_)),
        "the oldest was dropped"
    );
    detector.stop().await;
}

/// More than there may be connections without a certificate, all with their handshake done.
#[tokio::test]
async fn strangers_that_stay_do_not_keep_others_from_enrolling() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let mut staying = Vec::new();
    for _ in 0..80 {
        staying.push(connect(root.path(), detector.address(), None).await);
    }
    enrol(&detector, root.path(), 1).await;
    detector.stop().await;
}

/// In TLS 1.3 a client learns that its certificate was refused only when it reads.
async fn is_refused(data_dir: &Path, address: std::net::SocketAddr, sensor: &common::Sensor) -> bool {
    let Ok(channel) = connect(data_dir, address, Some(&sensor.identity)).await else {
        return true;
    };
    let mut client = claviger_proto::v1::event_collector_client::EventCollectorClient::new(channel);
    let pushed = client.push(tokio_stream::pending()).await;
    matches!(
        pushed.map_err(|status| status.code()),
        Err(Code::Unknown | Code::Unavailable | Code::Cancelled)
    )
}

#[tokio::test]
async fn the_tokens_secret_and_no_private_key_is_in_database_or_log() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let token = detector.make_token(LONG).expect("makes");
    let mut sensor = enrolling(&token.text, 1)
        .send(root.path(), detector.address())
        .await
        .expect("enrols");
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    stream.receipt(sensor.seal(vec![status()])).await;
    drop(stream);
    detector.stop().await;

    let secret = token.text.split('.').nth(2).expect("has one").as_bytes().to_vec();
    let raw = enrolling(&token.text, 1).request.token_secret;
    let hexed = hex::encode(&raw).into_bytes();
    let signing = sensor.signing.to_bytes().to_vec();
    let files = files(root.path());
    assert!(
        files.iter().any(|path| path.ends_with("detector.db")),
        "{files:?}"
    );
    for path in files {
        let bytes = std::fs::read(&path).expect("reads");
        for needle in [&secret, &raw, &hexed, &signing] {
            let found = bytes
                .windows(needle.len())
                .any(|window| window == needle.as_slice());
            assert!(!found, "{}", path.display());
        }
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("lists") {
        let path = entry.expect("is there").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn one_directory_is_served_once() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let second = claviger_detector::serve::start(&common::config(root.path())).await;
    assert!(second.expect_err("is refused").to_string().contains("in use"));
    let mut config = common::config(tempfile::tempdir().expect("a directory").path());
    config.listen = detector.address();
    let second = claviger_detector::serve::start(&config).await;
    assert!(second.expect_err("is refused").to_string().contains("--listen"));
    detector.stop().await;
    start(root.path()).await.stop().await;
}
