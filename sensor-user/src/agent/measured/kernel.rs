//! The kernel half: probes, what they saw, what became of it, and how full its maps and its ring are.

use claviger_sensor_common::{PROBES, Probe};

use super::{
    Beside,
    definitions::{FIXED, bytes, counter, gauge, seconds},
};
use crate::{
    agent::Status,
    kernel::{MAPS, kernel_losses},
    metrics::{Definition, Label, Snapshot},
};

const PROBE: Label = Label {
    name: "probe",
    values: || PROBES.into_iter().map(Probe::word).collect(),
};

const MAP: Label = Label {
    name: "map",
    values: || MAPS.into_iter().map(|(_, word, _)| word).collect(),
};

/// What a hook is attached by: the part of its name before the first slash.
const BY: Label = Label {
    name: "by",
    values: || vec!["lsm", "fentry", "fexit", "tp_btf", "tracepoint", "iter"],
};

static WATCHING: Definition = gauge(
    "claviger_sensor_probe_watching",
    &[PROBE],
    "1 where a hook of the probe is in use and was seen to work, 0 where not.",
    "0: what this probe is for goes unseen on this host. `claviger-sensor check` says why.",
);

static HOOK: Definition = gauge(
    "claviger_sensor_probe_hook",
    &[PROBE, BY],
    "1 for the kind of hook by which the probe sees: LSM, fentry, a tracepoint.",
    "Another one than on other hosts of the same kernel: `claviger-sensor check` says why the better one is not in use, and what this one cannot see.",
);

static BLIND: Definition = gauge(
    "claviger_sensor_probe_blind",
    &[PROBE],
    "1 where the last self-test was not seen by the probe.",
    "1: somebody has detached or disabled its hook, or the sensor has a fault. Uses go unseen; restart the sensor, and look for who did it.",
);

static SEEN_AGO: Definition = seconds(
    "claviger_sensor_probe_seen_age",
    &[PROBE],
    "How long ago the probe was seen to see, by a self-test or at the start. Only where a self-test can tell.",
    "Above three times `probes.self_test_interval_ms`: nothing vouches for the probe. See `claviger_sensor_probe_blind` and the log.",
);

static SEEN: Definition = counter(
    "claviger_sensor_kernel_seen",
    &[PROBE],
    "Observations of the probe that were to be reported, runs that the kernel itself left out included: submitted + all lost.",
    "It rises with what happens on the host. Far above what is usual: a program goes through credentials, or starts others without end.",
);

static SUBMITTED: Definition = counter(
    "claviger_sensor_kernel_submitted",
    &[PROBE],
    "Records of the probe that were handed to the ring.",
    "Nothing; it belongs to `claviger_sensor_kernel_seen_total`.",
);

static LOST: Definition = counter(
    "claviger_sensor_kernel_lost",
    &[
        PROBE,
        Label {
            name: "reason",
            values: kernel_losses,
        },
    ],
    "Observations of the probe that were lost in the kernel. Every one is in a signed gap.",
    "`ring_full`: the agent was too slow or stood still, or somebody floods it; find out which program by the events around the gap. `unreadable`: memory \
     could not be read; report it. `recursion_miss`: the kernel left runs out. The others: more at once than the bound of a map, which stands in the gap.",
);

static REPEATED: Definition = counter(
    "claviger_sensor_kernel_repeated",
    &[PROBE],
    "Uses that repeat one that was reported, counted by the kernel half in its place.",
    "Nothing: they are told as counts.",
);

static MAP_ENTRIES: Definition = gauge(
    "claviger_sensor_map_entries",
    &[MAP],
    "Entries of a map of the kernel half. Counted every ten seconds at most.",
    "Near its bound: what happens there stands in `sensor-common/src/limits.rs`; for labels it is that a further credential is not watched.",
);

static MAP_BOUND: Definition = gauge(
    "claviger_sensor_map_entries_bound",
    &[MAP],
    "Entries that the map can hold.",
    FIXED,
);

static RING: Definition = bytes(
    "claviger_sensor_ring",
    "Bytes in the ring between the kernel half and the agent that are not read yet.",
    "For long above a half: the agent does not keep up, and changes of files are left out first. More CPU for the sensor, or find who floods it.",
);

static RING_BOUND: Definition = bytes(
    "claviger_sensor_ring_bound",
    "Bytes that the ring can hold.",
    FIXED,
);

static RING_RECORDS: Definition = counter(
    "claviger_sensor_ring_records",
    &[],
    "Records of all probes that the agent has taken from the ring.",
    "Nothing; once the ring is empty it is the sum of `claviger_sensor_kernel_submitted_total`.",
);

pub(super) static METRICS: [&Definition; 13] = [
    &WATCHING,
    &HOOK,
    &BLIND,
    &SEEN_AGO,
    &SEEN,
    &SUBMITTED,
    &LOST,
    &REPEATED,
    &MAP_ENTRIES,
    &MAP_BOUND,
    &RING,
    &RING_BOUND,
    &RING_RECORDS,
];

pub(super) fn measure(snapshot: &mut Snapshot, status: &Status, beside: &Beside<'_>) {
    snapshot.begin(&LOST);
    for report in &status.probes {
        let probe = report.probe.as_str();
        snapshot.set(&WATCHING, [probe], report.hook.is_some());
        if let Some(hook) = &report.hook {
            let by = hook.split('/').next().unwrap_or_default();
            snapshot.set(&HOOK, [probe, by], true);
        }
        snapshot.set(&SEEN, [probe], report.seen);
        snapshot.set(&SUBMITTED, [probe], report.submitted);
        snapshot.set(&REPEATED, [probe], report.repeated);
        for (reason, count) in &report.lost {
            snapshot.set(&LOST, [probe, reason], *count);
        }
    }
    if let Some(test) = &status.self_test {
        for (probe, seconds) in &test.seen_ago_s {
            snapshot.set(&SEEN_AGO, [probe], *seconds);
            snapshot.set(&BLIND, [probe], test.blind.contains_key(probe));
        }
    }
    for map in beside.maps {
        snapshot.set(&MAP_ENTRIES, [map.map], map.entries);
        snapshot.set(&MAP_BOUND, [map.map], map.bound);
    }
    snapshot.set(&RING, [], beside.ring_bytes);
    snapshot.set(&RING_BOUND, [], beside.ring_bound_bytes);
    snapshot.set(&RING_RECORDS, [], beside.ring_records);
}
