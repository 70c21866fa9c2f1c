//! What became of the records in the agent.

use super::{
    by_reason,
    definitions::{counter, gauge},
};
use crate::{
    agent::{
        Status, balance,
        reasons::{Dropped, LostHere},
    },
    metrics::{Definition, Label, Snapshot},
    spool::LossReason,
};

static RECEIVED: Definition = counter(
    "claviger_sensor_received",
    &[],
    "Uses that came out of the kernel: delivered + waiting + dropped + lost.",
    "It rises with what happens on the host.",
);

static DELIVERED: Definition = counter(
    "claviger_sensor_delivered",
    &[],
    "Uses handed on to be signed and kept. What was lost behind that is in `claviger_sensor_lost_behind_total`.",
    "Nothing; it belongs to `claviger_sensor_received_total`.",
);

static WAITING: Definition = gauge(
    "claviger_sensor_waiting",
    &[],
    "Uses that wait to be attributed, for `batch.max_delay_ms` at most.",
    "In the thousands: more happens at once than can be looked at. Events go out without their identities, which amendments bring later.",
);

static NOT_EVENTS: Definition = counter(
    "claviger_sensor_dropped",
    &[Label {
        name: "reason",
        values: || Dropped::WORDS.to_vec(),
    }],
    "Records that became no event, and that are no loss of anything: what was seen is no use of a credential, or was told already.",
    "Nothing is lost. Very many: something works in a directory of credentials with files that are none.",
);

static LOST_HERE: Definition = counter(
    "claviger_sensor_lost",
    &[Label {
        name: "reason",
        values: || LostHere::WORDS.to_vec(),
    }],
    "Uses that were lost in the agent. Every one is in a signed gap.",
    "`undecodable`: both halves do not fit together, report it. `refused_not_followed`: opens were refused by paths that are no credential's, and where \
     these led is not known: of one user they were too many at once, their processes had ended, or what lies on the way was changed meanwhile. \
     `path_changed`, `path_not_followed`: only the path of an open was seen (io_uring, with tracepoints alone), and where it led is not known, for what lies on the way \
     was changed since, or the process had ended; somebody may do that on purpose; or files were changed or mounted over in another tree, by a path that the sensor's own have, and which is not known. `open_not_run`: the same of opens that wait to be run, of one user too many at once. \
     `path_read_late`: a file was renamed, linked or removed by a path that was not \
     in memory yet, or by io_uring from a directory that the process has exchanged meanwhile (with tracepoints alone); now and then that is by chance, and often by somebody who hides what he does. `unknown_label`, `unknown_repeat`: a use could not be named any more. \
     `tree_not_looked_into`: a container, or a service that sees another tree than the host's, ended before it was looked into for credentials, or was looked into more than \
     half a second after its first program had started: what it read until then may not be told; some are usual where many start at once. \
     `copy_not_looked_at`: more files were written by readers of credentials than can be looked at. \
     `too_many_moved`, `too_many_moves`, `not_scanned`: directories with credentials were moved, more than are followed.",
);

static LOST_BEHIND: Definition = counter(
    "claviger_sensor_lost_behind",
    &[Label {
        name: "reason",
        values: || LossReason::ALL.map(LossReason::word).to_vec(),
    }],
    "Events that were lost behind the agent: before they could be kept, or out of the spool. Every one is in a signed gap.",
    "`spool_full`: the detector was away for longer than `spool.max_bytes` lasts. `disk_full`, `spool_io`: see to the disk. `rejected`: the detector refused \
     a batch; its log says why. `spool_corrupted`, `spool_removed`, `spool_segment_missing`: somebody was at the spool's files.",
);

static REPEATS_TOLD: Definition = counter(
    "claviger_sensor_repeats_told",
    &[],
    "Repeats of uses that were told, in events with their count.",
    "Nothing.",
);

static REPEATS_DROPPED: Definition = counter(
    "claviger_sensor_repeats_dropped",
    &[],
    "Repeats of what turned out to be no use.",
    "Nothing.",
);

static FORGOTTEN: Definition = counter(
    "claviger_sensor_forgotten_answers",
    &[],
    "Identities that were found too late even for an amendment: the use is told without them.",
    "Reading credential files takes very long, as on a network file system that hangs.",
);

static UNBALANCED: Definition = gauge(
    "claviger_sensor_accounts_unbalanced",
    &[Label {
        name: "account",
        values: balance::accounts,
    }],
    "By how much an account does not add up: a probe's in the kernel (on each CPU), that of the ring, that of the agent. 0 where it holds.",
    "Anything but 0 is a fault of the sensor: uses may be missing that no loss was told for. A gap tells it too; report it with the log.",
);

pub(super) static METRICS: [&Definition; 10] = [
    &RECEIVED,
    &DELIVERED,
    &WAITING,
    &NOT_EVENTS,
    &LOST_HERE,
    &LOST_BEHIND,
    &REPEATS_TOLD,
    &REPEATS_DROPPED,
    &FORGOTTEN,
    &UNBALANCED,
];

pub(super) fn measure(snapshot: &mut Snapshot, status: &Status) {
    let accounts = &status.accounts;
    snapshot.set(&RECEIVED, [], accounts.received);
    snapshot.set(&DELIVERED, [], accounts.delivered);
    snapshot.set(&WAITING, [], accounts.waiting);
    by_reason(snapshot, &NOT_EVENTS, &accounts.dropped);
    by_reason(snapshot, &LOST_HERE, &accounts.lost);
    by_reason(snapshot, &LOST_BEHIND, &accounts.lost_behind);
    snapshot.set(&REPEATS_TOLD, [], accounts.repeats_told);
    snapshot.set(&REPEATS_DROPPED, [], accounts.repeats_dropped);
    snapshot.set(&FORGOTTEN, [], accounts.forgotten_answers);
    for account in balance::accounts() {
        let difference = status.unbalanced.get(account).copied().unwrap_or(0);
        snapshot.set(&UNBALANCED, [account], difference);
    }
}
