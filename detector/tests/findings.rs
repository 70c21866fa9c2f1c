//! What operators get.

mod common;

use claviger_proto::v1::watch_response::Item;
use claviger_proto::v1::{ListFindingsRequest, Severity, WatchRequest};
use common::{LONG, enrol, findings, read_by_cat, start, status};

async fn next(stream: &mut tonic::Streaming<claviger_proto::v1::WatchResponse>) -> Item {
    let message = tokio::time::timeout(LONG, stream.message()).await.expect("comes");
    message
        .expect("goes on")
        .expect("is not over")
        .item
        .expect("is something")
}

#[tokio::test]
async fn a_watcher_sees_events_then_findings_then_how_far_detection_is() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let mut sensor = enrol(&detector, root.path(), 1).await;
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    stream.receipt(sensor.seal(vec![status()])).await;

    let mut client = findings(root.path(), detector.address()).await;
    let mut watch = client
        .watch(WatchRequest::default())
        .await
        .expect("watches")
        .into_inner();
    let mut only = client
        .watch(WatchRequest { findings_only: true })
        .await
        .expect("watches")
        .into_inner();
    let Item::Processed(before) = next(&mut watch).await else {
        panic!("says first how far detection was")
    };
    assert_eq!(
        (before.sensor_id.as_str(), before.sequence),
        (sensor.id.as_str(), 1)
    );
    next(&mut only).await;

    stream.receipt(sensor.seal(vec![status(), read_by_cat(9)])).await;
    for sequence in [2, 3] {
        let Item::Event(event) = next(&mut watch).await else {
            panic!("an event comes first")
        };
        assert_eq!(event.id.expect("has one").sequence, sequence);
    }
    let Item::Finding(finding) = next(&mut watch).await else {
        panic!("then what was found")
    };
    assert_eq!(
        (finding.detection.as_str(), finding.severity()),
        ("unusual_reader", Severity::Medium)
    );
    assert_eq!(finding.evidence[0].sequence, 3);
    assert!(finding.time.is_some() && finding.elapsed_us > 0);
    assert!(
        finding
            .summary
            .contains("/usr/bin/cat (pid 9), started by sh (77) under systemd (1)"),
        "{}",
        finding.summary
    );
    let Item::Processed(id) = next(&mut watch).await else {
        panic!("then that it is done")
    };
    assert_eq!(id.sequence, 3);
    assert_eq!(next(&mut only).await, Item::Finding(finding));
    assert!(matches!(next(&mut only).await, Item::Processed(_)));

    let stopping = tokio::spawn(detector.stop());
    let ended = tokio::time::timeout(LONG, watch.message()).await.expect("ends");
    assert_eq!(
        ended.expect_err("with a word").message(),
        "the detector is stopping"
    );
    stopping.await.expect("stops");
}

#[tokio::test]
async fn findings_come_in_pages_newest_first() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let mut sensor = enrol(&detector, root.path(), 1).await;
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    stream
        .receipt(sensor.seal((1..=7).map(read_by_cat).collect()))
        .await;
    let mut client = findings(root.path(), detector.address()).await;
    let (mut pages, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListFindingsRequest {
            page_size: 3,
            page_token,
        };
        let page = client.list(request).await.expect("lists").into_inner();
        pages.push(
            page.findings
                .iter()
                .map(|finding| finding.evidence[0].sequence)
                .collect::<Vec<_>>(),
        );
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(pages, [vec![7, 6, 5], vec![4, 3, 2], vec![1]]);
    let wrong = ListFindingsRequest {
        page_size: 0,
        page_token: "x".into(),
    };
    assert_eq!(
        client.list(wrong).await.expect_err("is refused").code(),
        tonic::Code::InvalidArgument
    );
    drop(stream);
    detector.stop().await;
}

#[tokio::test]
async fn health_can_be_asked_without_a_certificate() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let channel = common::connect(root.path(), detector.address(), None)
        .await
        .expect("connects");
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel);
    let request = tonic_health::pb::HealthCheckRequest {
        service: "claviger.v1.EventCollector".into(),
    };
    let answer = health.check(request).await.expect("answers").into_inner();
    assert_eq!(
        answer.status(),
        tonic_health::pb::health_check_response::ServingStatus::Serving
    );
    detector.stop().await;
}
