//! The whole way from `submit` to a receipt, against a collector over TLS on the loopback.

mod delivery;
mod trouble;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use claviger_proto::v1::{Actor, Batch, Event, EventKind};

use super::testing::{Authority, Collector, Manners};
use super::*;
use crate::clock::SystemClock;
use crate::config::{Config, WhenFull};
use crate::sign::{BootId, Identity, unused_chain};

const VALID: (i32, i32) = (2020, 2100);

fn quick() -> Timings {
    Timings {
        first_retry: Duration::from_millis(10),
        longest_retry: Duration::from_millis(50),
        spool_patience: Duration::ZERO,
        ..Timings::default()
    }
}

/// Of a sensor that is enrolled, with nothing sealed yet where there is none of it.
fn config(state_dir: &Path, address: SocketAddr) -> Config {
    let chain = Identity::chain_file(state_dir);
    if !chain.exists() {
        std::fs::create_dir_all(chain.parent().expect("below the state")).expect("made");
        std::fs::write(chain, unused_chain(&[1; 32])).expect("written");
    }
    let mut config = Config {
        state_dir: state_dir.to_owned(),
        ..Config::default()
    };
    config.detector.address = address.to_string().parse().expect("an address");
    config
}

fn boot(number: u8) -> BootId {
    BootId::from_bytes([number; 16])
}

fn open(config: &Config, identity: Identity) -> Outbox {
    let (outbox, lost) =
        Outbox::open_with(config, identity, boot(1), Arc::new(SystemClock), quick()).expect("opens");
    assert_eq!(lost, []);
    outbox
}

fn use_of_a_credential() -> Event {
    Event {
        kind: EventKind::CredentialAccess.into(),
        actor: Some(Actor::default().into()),
        ..Event::default()
    }
}

fn submit(outbox: &Outbox, events: usize) -> Submitted {
    outbox
        .submit(vec![use_of_a_credential(); events], vec![], SystemTime::now())
        .expect("kept")
}

async fn until_sent(outbox: &Outbox) {
    let state = outbox.watch();
    Collector::until("the last receipt", || {
        let state = state.borrow();
        state.connected && state.waiting_batches == 0
    })
    .await;
}

async fn until_error(outbox: &Outbox, expected: &str) {
    let mut state = outbox.watch();
    let said = |state: &ForwardState| {
        state
            .last_error
            .as_ref()
            .is_some_and(|error| error.contains(expected))
    };
    let came = tokio::time::timeout(Duration::from_secs(30), state.wait_for(said))
        .await
        .is_ok();
    assert!(
        came,
        "not {expected:?} but {:?}",
        outbox.status().forward.last_error
    );
}

/// Every sequence came, and in order where those that came twice are left out.
fn assert_whole(batches: &[Batch], last: u64) {
    let mut next = 1;
    for batch in batches {
        assert!(
            batch.first_sequence <= next,
            "a hole before {}",
            batch.first_sequence
        );
        next = next.max(batch.last_sequence + 1);
    }
    assert_eq!(next, last + 1);
}
