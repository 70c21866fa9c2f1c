use tokio::net::TcpListener;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_that_is_away_gets_all_when_it_comes() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    // A port that nothing listens on: it was free a moment ago.
    let address = TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("bound")
        .local_addr()
        .expect("bound");
    let outbox = open(&config(dir.path(), address), authority.sensor(VALID));
    for _ in 0..10 {
        submit(&outbox, 1);
    }
    until_error(&outbox, "is the detector running?").await;
    assert!(!outbox.status().forward.connected);
    let listener = TcpListener::bind(address).await.expect("bound again");
    let collector = Collector::on(listener, authority.server(VALID, true), Manners::default());
    until_sent(&outbox).await;
    assert_whole(&collector.received(), 10);
    assert_eq!(outbox.status().forward.last_error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_loses_nothing() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let manners = Manners {
        break_after: Some(7),
        ..Manners::default()
    };
    let collector = Collector::start(authority.server(VALID, true), manners).await;
    let outbox = open(&config(dir.path(), collector.address), authority.sensor(VALID));
    for _ in 0..50 {
        submit(&outbox, 1);
    }
    // Each connection gets six receipts through at most.
    Collector::until("some reconnects", || collector.connections() >= 4).await;
    collector.behave(Manners::default());
    until_sent(&outbox).await;
    assert_whole(&collector.received(), 50);
    assert_eq!(outbox.take_lost(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_that_went_and_came_back_is_found_again() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let first = Collector::start(authority.server(VALID, true), Manners::default()).await;
    let address = first.address;
    let outbox = open(&config(dir.path(), address), authority.sensor(VALID));
    submit(&outbox, 1);
    until_sent(&outbox).await;
    drop(first);
    // Until then the first may still take what is sent.
    Collector::until("the loss of the connection", || {
        !outbox.watch().borrow().connected
    })
    .await;
    submit(&outbox, 1);
    // The kernel keeps the port for what is left of the old connection only as long as it takes.
    let mut listener = None;
    for _ in 0..1_500 {
        listener = TcpListener::bind(address).await.ok();
        if listener.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let second = Collector::on(
        listener.expect("bound"),
        authority.server(VALID, true),
        Manners::default(),
    );
    until_sent(&outbox).await;
    assert_eq!(second.received().len(), 1);
    assert_eq!(second.received()[0].first_sequence, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_detector_certificate_is_named() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let collector = Collector::start(authority.server((2001, 2002), true), Manners::default()).await;
    let outbox = open(&config(dir.path(), collector.address), authority.sensor(VALID));
    submit(&outbox, 1);
    until_error(
        &outbox,
        "the detector's certificate has expired by this host's clock",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_sensor_certificate_is_named() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let collector = Collector::start(authority.server(VALID, true), Manners::default()).await;
    let outbox = open(
        &config(dir.path(), collector.address),
        authority.sensor((2001, 2002)),
    );
    submit(&outbox, 1);
    until_error(&outbox, "this sensor's certificate").await;
    // However a later connection ends, the reason stays the one that helps.
    let before = collector.connections();
    Collector::until("more tries", || collector.connections() >= before + 10).await;
    let error = outbox.status().forward.last_error;
    assert!(
        error
            .as_ref()
            .is_some_and(|error| error.contains("this sensor's certificate")),
        "{error:?}"
    );
    assert!(collector.received().is_empty());
    assert_eq!(outbox.status().spool.waiting_batches, 1);
    assert_eq!(outbox.status().forward.certificate_not_after, 1_009_843_200);
}

#[test]
fn what_ends_a_connection_is_not_put_into_the_detectors_mouth() {
    let address = crate::config::DetectorAddress::default();
    let ours = tonic::Status::from_error(Box::new(std::io::Error::other("cut")));
    let why = ForwardError::from_status(&address, &ours);
    assert!(matches!(why, ForwardError::Closed { .. }), "{why}");
    let theirs = tonic::Status::unavailable("its disk is full");
    let why = ForwardError::from_status(&address, &theirs);
    assert!(
        why.to_string()
            .contains("cannot take events now: its disk is full"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_authority_is_not_trusted() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let collector = Collector::start(Authority::new().server(VALID, false), Manners::default()).await;
    let outbox = open(&config(dir.path(), collector.address), authority.sensor(VALID));
    submit(&outbox, 1);
    until_error(
        &outbox,
        "not from the authority that this sensor was enrolled with",
    )
    .await;
    assert!(collector.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_passed_on() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let manners = Manners {
        refuse: Some("revoked".into()),
        ..Manners::default()
    };
    let collector = Collector::start(authority.server(VALID, true), manners).await;
    let outbox = open(&config(dir.path(), collector.address), authority.sensor(VALID));
    submit(&outbox, 1);
    until_error(&outbox, "refuses this sensor (revoked): enrol it again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detector_that_answers_nothing_is_given_up() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let collector = Collector::start(
        authority.server(VALID, true),
        Manners {
            mute: true,
            ..Manners::default()
        },
    )
    .await;
    let timings = Timings {
        answer_limit: Duration::from_millis(100),
        ..quick()
    };
    let config = config(dir.path(), collector.address);
    let clock = Arc::new(SystemClock);
    let (outbox, _) =
        Outbox::open_with(&config, authority.sensor(VALID), boot(1), clock, timings).expect("opens");
    submit(&outbox, 1);
    until_error(&outbox, "did not answer for").await;
    collector.behave(Manners::default());
    until_sent(&outbox).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_difference_of_the_clocks_is_measured() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let manners = Manners {
        clock_ahead_s: 3_600,
        ..Manners::default()
    };
    let collector = Collector::start(authority.server(VALID, true), manners).await;
    let outbox = open(&config(dir.path(), collector.address), authority.sensor(VALID));
    submit(&outbox, 1);
    until_sent(&outbox).await;
    let offset_ms = outbox.status().forward.clock_offset_ms.expect("measured");
    assert!((-3_600_000..-3_500_000).contains(&offset_ms), "{offset_ms}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_outbox_at_a_time() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let collector = Collector::start(authority.server(VALID, true), Manners::default()).await;
    let config = config(dir.path(), collector.address);
    let _outbox = open(&config, authority.sensor(VALID));
    let clock = Arc::new(SystemClock);
    let second = Outbox::open_with(&config, authority.sensor(VALID), boot(1), clock, quick());
    assert!(matches!(
        second,
        Err(OutboxError::Spool(crate::spool::SpoolError::InUse { .. }))
    ));
}
