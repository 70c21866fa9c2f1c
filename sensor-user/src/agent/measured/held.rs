//! What the agent holds at a time, with the bounds.

use claviger_sensor_common::{READERS_MAX, REPEATS_MAX};

use super::definitions::{FIXED, counter, gauge};
use crate::{
    agent::{
        LATE_MAX, PEERS_MAX, PENDING_MAX, QUEUE_MAX,
        copies::WAITING_MAX as COPIES_WAITING_MAX,
        elsewhere::MET_MAX,
        keeper::UNDER_WAY_MAX,
        known::KNOWN_MAX,
        labels::LABELS_MAX,
        pipeline::{BY_PATH_MAX, FOLLOWING_MAX, JUST_FOUND_MAX},
        placing::{GIVEN_UP, GivenUp, WAITING_MAX as PROGRAMS_SOUGHT_MAX},
        roots::ROOTS_MAX,
        sink::UNTOLD_MAX,
    },
    attribute::{CGROUPS_MAX, ENDED_MAX, FRUITLESS_MAX, LIVE_MAX},
    metrics::{Definition, Label, Snapshot},
    spool::UNTOLD_LOSSES_MAX,
};

/// What is held, with its bound.
const PLACES: [(&str, usize); 21] = [
    ("pending_events", PENDING_MAX),
    ("batches_to_keep", UNDER_WAY_MAX),
    ("late_answers", LATE_MAX),
    ("processes", LIVE_MAX + ENDED_MAX),
    ("processes_ended", ENDED_MAX),
    ("processes_fruitless", FRUITLESS_MAX),
    ("cgroups", CGROUPS_MAX),
    ("repeats", REPEATS_MAX as usize),
    ("writers", READERS_MAX as usize),
    ("told_by_path", BY_PATH_MAX),
    ("just_found", JUST_FOUND_MAX),
    ("followed", FOLLOWING_MAX),
    ("peers", PEERS_MAX),
    ("questions", QUEUE_MAX),
    ("answers", QUEUE_MAX),
    ("roots_met", MET_MAX),
    ("copies_waiting", COPIES_WAITING_MAX),
    ("public_parts", KNOWN_MAX),
    ("labels", LABELS_MAX),
    ("roots", ROOTS_MAX),
    ("programs_sought", PROGRAMS_SOUGHT_MAX),
];

/// The same behind the agent.
const PLACES_BEHIND: [(&str, usize); 2] = [("untold_gaps", UNTOLD_MAX), ("untold_losses", UNTOLD_LOSSES_MAX)];

const PLACE: Label = Label {
    name: "place",
    values: || {
        let all = PLACES.into_iter().chain(PLACES_BEHIND);
        all.map(|(place, _)| place).collect()
    },
};

static ENTRIES: Definition = gauge(
    "claviger_sensor_entries",
    &[PLACE],
    "How many entries a queue or a table of the agent has.",
    "Near its bound: what happens there is said where the place is in the code. Only `batches_to_keep`, `pending_events`, `questions` and `copies_waiting` cost \
     something: records that wait in the ring because the disk is slow, events without identities, and copies that are not looked at, which is counted as lost.",
);

static BOUND: Definition = gauge(
    "claviger_sensor_entries_bound",
    &[PLACE],
    "How many entries it can have.",
    FIXED,
);

static NOT_KEPT: Definition = counter(
    "claviger_sensor_processes_not_kept",
    &[],
    "Processes that were not kept because the table was full. They are looked up in /proc when they matter, and unknown where they have ended.",
    "Very many processes run; actors and ancestors may be said as unknown.",
);

static PLACES_GIVEN_UP: Definition = counter(
    "claviger_sensor_program_places_given_up",
    &[Label {
        name: "reason",
        values: || GIVEN_UP.to_vec(),
    }],
    "Looks at where a program lies that were given up: as many were under way as there may be (`too_many`), the file system did not answer \
     (`does_not_answer`), or an event went out before (`too_late`, one for each such event). The event says so, and the detector does not believe that it \
     is a usual reader.",
    "Programs on slow or hanging file systems are told as unusual readers. `does_not_answer`: `status` names the file system.",
);

pub(super) static METRICS: [&Definition; 4] = [&ENTRIES, &BOUND, &NOT_KEPT, &PLACES_GIVEN_UP];

/// What is held, each in its place of [`PLACES`].
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::agent) struct Held {
    pub pending_events: usize,
    pub batches_to_keep: usize,
    pub late_answers: usize,
    pub processes: usize,
    pub processes_ended: usize,
    pub processes_fruitless: usize,
    pub processes_not_kept: u64,
    pub cgroups: usize,
    pub repeats: usize,
    pub writers: usize,
    pub told_by_path: usize,
    pub just_found: usize,
    pub followed: usize,
    pub peers: usize,
    pub questions: usize,
    pub answers: usize,
    pub roots_met: usize,
    pub copies_waiting: usize,
    pub public_parts: usize,
    pub labels: usize,
    pub roots: usize,
    pub programs_sought: usize,
    pub program_places_given_up: GivenUp,
    /// Gaps that could not be kept yet, and losses that no gap tells yet; nothing where there is no spool.
    pub behind: Option<[usize; 2]>,
}

pub(super) fn measure(snapshot: &mut Snapshot, held: &Held) {
    let entries = [
        held.pending_events,
        held.batches_to_keep,
        held.late_answers,
        held.processes,
        held.processes_ended,
        held.processes_fruitless,
        held.cgroups,
        held.repeats,
        held.writers,
        held.told_by_path,
        held.just_found,
        held.followed,
        held.peers,
        held.questions,
        held.answers,
        held.roots_met,
        held.copies_waiting,
        held.public_parts,
        held.labels,
        held.roots,
        held.programs_sought,
    ];
    let behind = held
        .behind
        .into_iter()
        .flat_map(|entries| PLACES_BEHIND.into_iter().zip(entries));
    for ((place, bound), entries) in PLACES.into_iter().zip(entries).chain(behind) {
        snapshot.set(&ENTRIES, [place], entries);
        snapshot.set(&BOUND, [place], bound);
    }
    snapshot.set(&NOT_KEPT, [], held.processes_not_kept);
    let GivenUp {
        too_many,
        does_not_answer,
        too_late,
    } = held.program_places_given_up;
    for (reason, count) in GIVEN_UP.into_iter().zip([too_many, does_not_answer, too_late]) {
        snapshot.set(&PLACES_GIVEN_UP, [reason], count);
    }
}
