//! What the worker is asked, and what it answers.

use std::{os::fd::OwnedFd, path::PathBuf, sync::Arc};

use claviger_proto::catalogue::{Catalogue, Entry};
use claviger_sensor_common::ObjectKey;

use super::{copies::Suspect, follow::Tree, hands::Changed, seen_from::SeenFrom, self_test::Tested};
use crate::{
    attribute::Answering,
    credential::{Home, Parsed, ScanResult},
    decode::{ProcessKey, SecretPart, Target},
};

/// How many there are, after a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ScanCounts {
    /// Credential files labelled.
    pub files: u64,
    /// Directories labelled.
    pub directories: u64,
    /// What could not be labelled: the table or a map was full, or the hook did not answer.
    pub not_labelled: u64,
    /// What the scan left out for its bounds.
    pub left_out: u64,
    /// The first of these places, and why each was.
    pub left_out_at: Vec<LeftOutAt>,
    /// Roots beside the host's that were looked into: of containers, and of services that see another tree.
    pub roots: u64,
    /// Files that are known by their history only, copies and credentials that have left their places, and written down for the next start.
    pub remembered: u64,
    /// Such files that find no room there.
    pub not_remembered: u64,
}

/// A place that was not looked into.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LeftOutAt {
    /// A word for the reason: `homes`, `names`, `depth`, `found`, `served_elsewhere`, `unreadable` or `foreign_links`.
    pub why: String,
    /// Where, as seen by the sensor.
    pub path: String,
}

/// A question: whose identities does this object hold?
pub(super) struct Question {
    /// Names the answer.
    pub token: u64,
    /// Of which file.
    pub object: ObjectKey,
    /// Of which entry of the catalogue it is.
    pub entry: Arc<Entry>,
    /// Paths, and from where they are seen, that may lead to it.
    pub paths: Vec<(SeenFrom, PathBuf)>,
}

/// A question: where does this path lead?
#[derive(Debug)]
pub(super) struct Following {
    /// Names the answer.
    pub number: u64,
    /// For a thread of this process.
    pub process: ProcessKey,
    /// Which.
    pub tid: u32,
    /// Which tree it saw when it gave the path.
    pub tree: Tree,
    /// By which user.
    pub user: Option<u32>,
    /// When the path was given.
    pub submitted_ns: u64,
    /// Since when it may have been used.
    pub time_boot_ns: u64,
    /// Whether it was used.
    pub run: Run,
    /// Whether it is sure at which directory the path began.
    pub is_base_sure: bool,
    /// Whether the path is shown from the sensor's root, for it begins outside of the thread's.
    pub is_from_outside: bool,
    /// The path as it was given, absolute.
    pub path: PathBuf,
    /// The same by its names alone.
    pub words: PathBuf,
}

/// A question: who answers at this socket?
#[derive(Debug)]
pub(super) struct Listening {
    /// Names the answer.
    pub number: u64,
    /// Its path, or its name in the abstract namespace behind an `@`.
    pub name: Vec<u8>,
    /// Who has connected to it.
    pub client: ProcessKey,
    /// Who called `listen`.
    pub maker: Option<u32>,
}

/// Whether an open has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// When it was told.
    Done,
    /// Not when it was told; the kernel half says when.
    ToCome,
    /// Not when it was told, and nobody sees it.
    Unseen,
}

/// Where a path leads.
pub(super) enum Reached {
    /// To a credential.
    Credential {
        /// What it is.
        entry: Arc<Entry>,
        /// Which file.
        object: ObjectKey,
        /// What it says.
        parsed: Parsed,
    },
    /// To a secret of a process, or of the machine.
    Secret(SecretPart, Target),
    /// To a file of the sensor's own.
    Own {
        /// Where it has it.
        path: PathBuf,
        /// Which file.
        object: ObjectKey,
    },
    /// To something else, as it did when it was used.
    Other {
        /// Whether the same names lead there for the sensor.
        means_the_same: bool,
    },
    /// To where nothing lies, and nothing lay.
    Nowhere,
    /// Elsewhere, and it may have led to something else when it was used.
    Changed,
    /// Nobody can tell any more.
    Unknown,
    /// Elsewhere now; and when it is used nobody will see.
    NotUsed,
    /// It was never used: the open has failed, or was cancelled.
    NeverUsed,
}

/// What the worker is asked.
pub(super) enum Ask {
    /// For identities.
    Question(Question),
    /// Where a path leads.
    Follow(Following),
    /// Who answers at a socket.
    Listening(Listening),
    /// To take another catalogue.
    Catalogue(Arc<Catalogue>),
    /// To label what was found elsewhere.
    Found(Found),
    /// To find out whether a file is a copy.
    Suspect(ProcessKey, Suspect),
    /// A process has read another credential that may have written copies of one.
    HasReadMore(ProcessKey),
    /// A process ended that may have written copies.
    WriterEnded(ProcessKey),
    /// To scan soon: something appeared.
    Look,
    /// To end.
    Stop,
}

/// What was found elsewhere than in the host's places.
pub(super) enum Found {
    /// Anywhere on the host.
    Anywhere {
        /// By which catalogue.
        catalogue: Arc<Catalogue>,
        /// The host's root.
        root: Arc<OwnedFd>,
        /// What lies there.
        found: ScanResult,
    },
    /// Below another root.
    Below {
        /// By which catalogue.
        catalogue: Arc<Catalogue>,
        /// Its number.
        id: u64,
        /// It.
        root: Arc<OwnedFd>,
        /// By which path this process reaches it.
        path: PathBuf,
        /// The homes there.
        homes: Vec<Home>,
        /// What lies there.
        found: ScanResult,
    },
    /// These roots are gone, and so many are too many to be looked into.
    Roots {
        /// Gone.
        gone: Vec<u64>,
        /// Too many.
        left_out: u64,
    },
}

/// What the worker tells.
pub(super) enum Answer {
    /// The answer to a question.
    Identified {
        /// The question's.
        token: u64,
        /// What it says.
        parsed: Parsed,
    },
    /// Where a path leads.
    Reached {
        /// The question's.
        number: u64,
        /// Where.
        reached: Reached,
    },
    /// Who answers at a socket.
    Answering {
        /// The question's.
        number: u64,
        /// Who.
        who: Answering,
    },
    /// A scan is done.
    Scanned(ScanCounts),
    /// More or less is labelled, as something was found beside the scans.
    Counted(ScanCounts),
    /// A file that may be a copy was not looked at: too many are waiting.
    NotLookedAt,
    /// File systems answer no longer, or again.
    Hanging(Changed),
    /// Whether the probes see was tested.
    Tested(Tested),
    /// Files of overlayfs are followed to their layers from now on.
    LayersKnown,
    /// The catalogue of this digest is in force: what it names is labelled, and what only the one before named is not.
    InForce(String),
}
