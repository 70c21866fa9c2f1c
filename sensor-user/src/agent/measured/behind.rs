//! The way behind the agent: signing, spool, detector.

use std::time::SystemTime;

use claviger_proto::v1::EventKind;

use super::{
    by_reason,
    definitions::{FIXED, bytes, counter, gauge, seconds},
};
use crate::{
    agent::{EvidenceStatus, events::gap_reasons},
    forward::{MAX_IN_FLIGHT, MAX_IN_FLIGHT_BYTES},
    metrics::{Definition, Label, Snapshot},
};

/// The kinds of events in the words of the contract.
pub(super) const KINDS: [(EventKind, &str); 13] = [
    (EventKind::CredentialAccess, "credential_access"),
    (EventKind::ProcessSecretAccess, "process_secret_access"),
    (EventKind::TokenEndpointCall, "token_endpoint_call"),
    (
        EventKind::IdentityProviderConnection,
        "identity_provider_connection",
    ),
    (EventKind::AgentSocketConnect, "agent_socket_connect"),
    (EventKind::KernelKeyAccess, "kernel_key_access"),
    (EventKind::EnvironmentCredential, "environment_credential"),
    (EventKind::CredentialDiscovery, "credential_discovery"),
    (EventKind::CredentialChange, "credential_change"),
    (EventKind::SensorTamper, "sensor_tamper"),
    (EventKind::SensorStatus, "sensor_status"),
    (EventKind::Gap, "gap"),
    (EventKind::Amendment, "amendment"),
];

static EVENTS: Definition = counter(
    "claviger_sensor_events_sealed",
    &[Label {
        name: "kind",
        values: || KINDS.map(|(_, word)| word).to_vec(),
    }],
    "Events that were signed and are on the disk, amendments and gaps included.",
    "`sensor_tamper`: somebody is at the sensor. `gap`: see `claviger_sensor_gaps_sealed_total`.",
);

static GAPS: Definition = counter(
    "claviger_sensor_gaps_sealed",
    &[Label {
        name: "reason",
        values: gap_reasons,
    }],
    "Gaps among them, by the first of their reasons: something was not seen, or not kept.",
    "Each says in the evidence what is missing, how many, or from when to when. The metric of the reason's own says what to do.",
);

static BATCHES: Definition = counter(
    "claviger_sensor_batches_sealed",
    &[],
    "Batches that were signed and are on the disk.",
    "Nothing.",
);

static SPOOL: Definition = bytes(
    "claviger_sensor_spool",
    "Bytes of the spool on the disk.",
    "It grows while the detector is away. At its bound events are lost, as `spool.when_full` says.",
);

static SPOOL_BOUND: Definition = bytes(
    "claviger_sensor_spool_bound",
    "Bytes that the spool may take: `spool.max_bytes`.",
    FIXED,
);

static WAITING: Definition = gauge(
    "claviger_sensor_spool_waiting_batches",
    &[],
    "Batches in the spool that the detector has not acknowledged.",
    "See `claviger_sensor_connected`, and `last_error` of `claviger-sensor status --json`.",
);

static OLDEST: Definition = seconds(
    "claviger_sensor_spool_oldest_age",
    &[],
    "How long ago the oldest batch was sealed that the detector has not acknowledged; 0 where none waits.",
    "Above a minute: findings come so much later. The detector is away, or too slow.",
);

static CONNECTED: Definition = gauge(
    "claviger_sensor_connected",
    &[],
    "1 while a stream to the detector is open.",
    "0: `last_error` of `claviger-sensor status --json` says why. Nothing is lost until the spool is full.",
);

static CONNECTIONS: Definition = counter(
    "claviger_sensor_connections",
    &[],
    "Streams that the detector has taken.",
    "Again and again: something on the way ends them. See the log of the sensor and of the detector.",
);

static SENT: Definition = counter(
    "claviger_sensor_batches_sent",
    &[],
    "Batches handed to a stream. What a stream that broke did not get through is handed to the next and counted again.",
    "Far more than `claviger_sensor_batches_sealed_total`: streams break before their receipts come.",
);

static RECEIPTS: Definition = counter(
    "claviger_sensor_receipts",
    &[],
    "Receipts: the detector has these batches on its disk. One may stand for several.",
    "None, while batches are sent: the detector's disk, or its database, is in trouble.",
);

static REJECTED: Definition = counter(
    "claviger_sensor_batches_rejected",
    &[],
    "Batches that the detector refused for good. Their events are in gaps.",
    "The log of either end says why: another identity, a clock that is wrong, a fault.",
);

static IN_FLIGHT: Definition = gauge(
    "claviger_sensor_in_flight_batches",
    &[],
    "Batches that were sent and have no answer yet.",
    "For long at its bound: the detector does not keep up.",
);

static IN_FLIGHT_BOUND: Definition = gauge(
    "claviger_sensor_in_flight_batches_bound",
    &[],
    "Batches without an answer at which no further one is sent.",
    FIXED,
);

static IN_FLIGHT_BYTES: Definition = bytes(
    "claviger_sensor_in_flight",
    "Bytes of the batches that were sent and have no answer yet.",
    "For long at its bound: the detector does not keep up.",
);

static IN_FLIGHT_BYTES_BOUND: Definition = bytes(
    "claviger_sensor_in_flight_bound",
    "Bytes without an answer at which no further batch is sent.",
    FIXED,
);

static CLOCK: Definition = seconds(
    "claviger_sensor_clock_offset",
    &[],
    "How far this host's clock is ahead of the detector's, in seconds; below 0 where it is behind. Only once the detector has said its time.",
    "More than some seconds either way: times of events are wrong by so much. See to the clock of this host, or of the detector.",
);

static CERTIFICATE: Definition = seconds(
    "claviger_sensor_certificate_not_after_time",
    &[],
    "When this sensor's certificate ends, in seconds since 1970.",
    "Less than a week away: enrol the sensor anew, or nothing gets to the detector any more.",
);

pub(super) static METRICS: [&Definition; 18] = [
    &EVENTS,
    &GAPS,
    &BATCHES,
    &SPOOL,
    &SPOOL_BOUND,
    &WAITING,
    &OLDEST,
    &CONNECTED,
    &CONNECTIONS,
    &SENT,
    &RECEIPTS,
    &REJECTED,
    &IN_FLIGHT,
    &IN_FLIGHT_BOUND,
    &IN_FLIGHT_BYTES,
    &IN_FLIGHT_BYTES_BOUND,
    &CLOCK,
    &CERTIFICATE,
];

#[expect(
    clippy::cast_precision_loss,
    reason = "times in seconds and milliseconds of this age are exact"
)]
pub(super) fn measure(snapshot: &mut Snapshot, evidence: &EvidenceStatus, now: SystemTime) {
    let outbox = &evidence.outbox;
    let forward = &outbox.forward;
    by_reason(snapshot, &EVENTS, &evidence.sealed);
    by_reason(snapshot, &GAPS, &evidence.gaps);
    snapshot.set(&BATCHES, [], outbox.sealed_batches);
    snapshot.set(&SPOOL, [], outbox.spool.bytes);
    snapshot.set(&SPOOL_BOUND, [], outbox.spool_max_bytes);
    snapshot.set(&WAITING, [], outbox.spool.waiting_batches);
    let oldest = outbox.spool.oldest_sealed_at;
    let age = oldest.and_then(|sealed| now.duration_since(sealed).ok());
    snapshot.set(&OLDEST, [], age.unwrap_or_default().as_secs_f64());
    snapshot.set(&CONNECTED, [], forward.connected);
    snapshot.set(&CONNECTIONS, [], forward.connections);
    snapshot.set(&SENT, [], forward.sent_batches);
    snapshot.set(&RECEIPTS, [], forward.receipts);
    snapshot.set(&REJECTED, [], forward.rejected_batches);
    snapshot.set(&IN_FLIGHT, [], forward.in_flight_batches);
    snapshot.set(&IN_FLIGHT_BOUND, [], MAX_IN_FLIGHT);
    snapshot.set(&IN_FLIGHT_BYTES, [], forward.in_flight_bytes);
    snapshot.set(&IN_FLIGHT_BYTES_BOUND, [], MAX_IN_FLIGHT_BYTES);
    if let Some(offset_ms) = forward.clock_offset_ms {
        snapshot.set(&CLOCK, [], offset_ms as f64 / 1_000.0);
    }
    snapshot.set(&CERTIFICATE, [], forward.certificate_not_after as f64);
}
