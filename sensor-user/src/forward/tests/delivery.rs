use tokio::net::TcpListener;

use super::*;
use crate::spool::LossReason;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_submitted_arrives_signed_and_in_order() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let collector = Collector::start(authority.server(VALID, true), Manners::default()).await;
    let outbox = open(&config(dir.path(), collector.address), authority.sensor(VALID));
    for events in 1..=20 {
        submit(&outbox, events);
    }
    until_sent(&outbox).await;
    let received = collector.received();
    assert_eq!(received.len(), 20);
    assert_whole(&received, 210);
    let status = outbox.status();
    assert_eq!((status.last_sequence, status.spool.waiting_batches), (210, 0));
    assert_eq!(status.forward.acknowledged_sequence, 210);
    assert_eq!(status.forward.acknowledged_boot_id, Some(boot(1).to_string()));
    assert!(status.forward.connected && status.forward.last_error.is_none());
    // One that comes later goes at once.
    submit(&outbox, 1);
    until_sent(&outbox).await;
    assert_eq!(collector.streams(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_window_waits_for_its_receipts() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let collector = Collector::start(
        authority.server(VALID, true),
        Manners {
            mute: true,
            ..Manners::default()
        },
    )
    .await;
    let outbox = open(&config(dir.path(), collector.address), authority.sensor(VALID));
    for _ in 0..MAX_IN_FLIGHT + 40 {
        submit(&outbox, 1);
    }
    Collector::until("a full window", || collector.received().len() == MAX_IN_FLIGHT).await;
    outbox.flush_and_stop(Duration::ZERO).await;
    drop(outbox);
    // A later run sends all of them, whatever came before.
    collector.behave(Manners {
        receipt_every: Some(8),
        ..Manners::default()
    });
    let outbox = open(&config(dir.path(), collector.address), authority.sensor(VALID));
    until_sent(&outbox).await;
    assert_whole(&collector.received()[MAX_IN_FLIGHT..], MAX_IN_FLIGHT as u64 + 40);
    assert!(collector.received().len() >= 2 * MAX_IN_FLIGHT + 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_that_come_twice_do_no_harm() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let manners = Manners {
        extra_receipts: 2,
        ..Manners::default()
    };
    let collector = Collector::start(authority.server(VALID, true), manners).await;
    let outbox = open(&config(dir.path(), collector.address), authority.sensor(VALID));
    for _ in 0..30 {
        submit(&outbox, 2);
    }
    until_sent(&outbox).await;
    assert_eq!(collector.received().len(), 30);
    assert_eq!(outbox.take_lost(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_batch_is_counted_and_the_others_go_on() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let manners = Manners {
        reject: Some(3),
        ..Manners::default()
    };
    let collector = Collector::start(authority.server(VALID, true), manners).await;
    let outbox = open(&config(dir.path(), collector.address), authority.sensor(VALID));
    for _ in 0..5 {
        submit(&outbox, 2);
    }
    until_sent(&outbox).await;
    let lost = outbox.take_lost();
    assert_eq!(lost.len(), 1);
    assert_eq!(
        (lost[0].reason, lost[0].batches, lost[0].events),
        (LossReason::Rejected, 1, 2)
    );
    let range = lost[0].range.expect("known");
    assert_eq!((range.first_sequence, range.last_sequence), (3, 4));
    assert_eq!(outbox.status().forward.rejected_batches, 1);
    assert_eq!(collector.received().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_sends_what_waits() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let collector = Collector::start(authority.server(VALID, true), Manners::default()).await;
    let outbox = open(&config(dir.path(), collector.address), authority.sensor(VALID));
    for _ in 0..100 {
        submit(&outbox, 1);
    }
    outbox.flush_and_stop(Duration::from_secs(20)).await;
    assert_eq!(outbox.status().spool.waiting_batches, 0);
    assert_whole(&collector.received(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_without_a_detector_keeps_what_waits() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let collector = Collector::start(
        authority.server(VALID, true),
        Manners {
            mute: true,
            ..Manners::default()
        },
    )
    .await;
    let config = config(dir.path(), collector.address);
    let outbox = open(&config, authority.sensor(VALID));
    submit(&outbox, 3);
    outbox.flush_and_stop(Duration::from_millis(200)).await;
    assert_eq!(outbox.status().spool.waiting_batches, 1);
    drop(outbox);
    collector.behave(Manners::default());
    let outbox = open(&config, authority.sensor(VALID));
    until_sent(&outbox).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_earlier_run_is_known_also_where_its_spool_is_gone() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let collector = Collector::start(authority.server(VALID, true), Manners::default()).await;
    let config = config(dir.path(), collector.address);
    let outbox = open(&config, authority.sensor(VALID));
    assert!(!outbox.ran_before(), "the first start");
    submit(&outbox, 3);
    outbox.flush_and_stop(Duration::from_secs(20)).await;
    drop(outbox);
    let again = || {
        let clock = Arc::new(SystemClock);
        let opened = Outbox::open_with(&config, authority.sensor(VALID), boot(1), clock, quick());
        opened.expect("opens").0.ran_before()
    };
    assert!(again(), "its spool is there");
    std::fs::remove_dir_all(dir.path().join("spool")).expect("removed");
    assert!(again(), "its anchor is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fits_into_no_batch_is_split_or_counted() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let collector = Collector::start(authority.server(VALID, true), Manners::default()).await;
    let outbox = open(&config(dir.path(), collector.address), authority.sensor(VALID));
    let sized = |bytes: usize| {
        let mut event = use_of_a_credential();
        event.credential.get_or_insert_default().path = "x".repeat(bytes);
        event
    };
    let events = vec![sized(1 << 20), sized(5 << 20), sized(2 << 20), sized(2 << 20)];
    let submitted = outbox
        .submit(events, vec![], SystemTime::now())
        .expect("most are kept");
    assert_eq!(
        (submitted.first, submitted.last, submitted.lost_events),
        (1, 3, 1)
    );
    assert_eq!(submitted.kept, [0..1, 2..3, 3..4]);
    let lost = outbox.take_lost();
    assert_eq!(
        (lost[0].reason, lost[0].events, lost[0].range),
        (LossReason::TooLarge, 1, None)
    );
    until_sent(&outbox).await;
    assert_whole(&collector.received(), 3);
    assert!(matches!(
        outbox.submit(vec![], vec![], SystemTime::now()),
        Err(OutboxError::Empty)
    ));
    let alone = outbox.submit(vec![sized(5 << 20)], vec![], SystemTime::now());
    assert!(matches!(alone, Err(OutboxError::TooLarge { events: 1 })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_refuses_and_says_so() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let collector = Collector::start(
        authority.server(VALID, true),
        Manners {
            mute: true,
            ..Manners::default()
        },
    )
    .await;
    let mut config = config(dir.path(), collector.address);
    config.spool.max_bytes = 128 << 10;
    config.spool.segment_bytes = 64 << 10;
    config.spool.when_full = WhenFull::DropNewest;
    let outbox = open(&config, authority.sensor(VALID));
    let mut kept = 0;
    let why = loop {
        match outbox.submit(vec![use_of_a_credential(); 100], vec![], SystemTime::now()) {
            Ok(_) => kept += 100,
            Err(why) => break why,
        }
    };
    assert!(matches!(why, OutboxError::NotKept { events: 100, .. }), "{why}");
    assert_eq!(outbox.status().last_sequence, kept);
    let lost = outbox.take_lost();
    assert_eq!(
        (lost[0].reason, lost[0].events, lost[0].range),
        (LossReason::SpoolFull, 100, None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_identity_left_is_counted_once() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let collector = Collector::start(
        authority.server(VALID, true),
        Manners {
            mute: true,
            ..Manners::default()
        },
    )
    .await;
    let config = config(dir.path(), collector.address);
    let outbox = open(&config, authority.sensor(VALID));
    submit(&outbox, 3);
    outbox.flush_and_stop(Duration::from_millis(10)).await;
    drop(outbox);
    let other = dir.path().join("spool").join(boot(9).to_string());
    std::fs::rename(dir.path().join("spool").join(boot(7).to_string()), &other).expect("renamed");
    // As enrolment does it.
    std::fs::write(Identity::chain_file(dir.path()), unused_chain(&[1; 32])).expect("written");
    let clock = Arc::new(SystemClock);
    let (outbox, lost) =
        Outbox::open_with(&config, authority.sensor(VALID), boot(1), clock, quick()).expect("opens");
    assert_eq!(lost.len(), 1);
    assert_eq!(
        (lost[0].reason, lost[0].batches, lost[0].events),
        (LossReason::IdentityReplaced, 1, 3)
    );
    assert!(!other.exists());
    assert_eq!(outbox.take_lost(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_is_emptied_while_stopped_is_told() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bound");
    let config = config(dir.path(), listener.local_addr().expect("bound"));
    drop(listener);
    let outbox = open(&config, authority.sensor(VALID));
    let sensor_id = outbox.sensor_id().to_string();
    for _ in 0..21 {
        submit(&outbox, 3);
    }
    outbox.flush_and_stop(Duration::ZERO).await;
    drop(outbox);
    let spool = dir.path().join("spool").join(sensor_id);
    std::fs::remove_file(spool.join("00000000000000000001.seg")).expect("removed");
    let (outbox, lost) = Outbox::open_with(
        &config,
        authority.sensor(VALID),
        boot(1),
        Arc::new(SystemClock),
        quick(),
    )
    .expect("opens");
    assert_eq!((lost.len(), lost[0].reason.word()), (1, "spool_segment_missing"));
    assert_eq!(lost[0].gap().last_lost_sequence, 63);
    assert_eq!(submit(&outbox, 1).first, 64, "a sequence came again");
}

/// As an attacker does it who wants its last hour gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_is_removed_is_told_and_the_detector_goes_on_taking() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("made"));
    let collector = Collector::start(authority.server(VALID, true), Manners::default()).await;
    let config = config(dir.path(), collector.address);
    let outbox = open(&config, authority.sensor(VALID));
    submit(&outbox, 3);
    until_sent(&outbox).await;
    std::fs::remove_dir_all(dir.path().join("spool")).expect("removed");
    assert_eq!(submit(&outbox, 2).first, 4);
    until_sent(&outbox).await;
    assert_eq!(
        outbox
            .take_lost()
            .iter()
            .map(|lost| lost.reason.word())
            .collect::<Vec<_>>(),
        ["spool_removed"]
    );
    submit(&outbox, 1);
    until_sent(&outbox).await;
    outbox.flush_and_stop(Duration::from_secs(5)).await;
    drop(outbox);
    std::fs::remove_dir_all(dir.path().join("spool")).expect("removed");
    let clock = Arc::new(SystemClock);
    let (outbox, lost) =
        Outbox::open_with(&config, authority.sensor(VALID), boot(1), clock, quick()).expect("opens");
    assert_eq!(
        lost.iter()
            .map(|lost| (lost.reason.word(), lost.events))
            .collect::<Vec<_>>(),
        [("spool_removed", 0)]
    );
    assert_eq!(submit(&outbox, 1).first, 7, "a sequence came again");
    until_sent(&outbox).await;
    assert_whole(&collector.received(), 7);
}
