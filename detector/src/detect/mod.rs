//! What is unusual in the evidence.
//!
//! Invariants:
//! - Pure: verified events and state in, findings out. No input or output, no clock; [`stamp`] is told the time.
//! - The id of a finding follows from its detection and its evidence, so evidence that is looked at twice gives one finding.
//! - Who usually reads what is the catalogue's to say; there is no list here.
//! - A finding names what it rests on, and says of the unknown that it is unknown.

mod chain;
mod finding;
mod meddled;
mod place;
mod program;
mod removed;
mod reported;
mod severity;
mod tamper;
mod technique;
mod unusual_reader;
mod wording;

use claviger_proto::catalogue::Catalogue;
use claviger_proto::v1::{Event, EventKind, Finding};

pub use chain::chain_findings;
pub use finding::stamp;

use crate::verify::Verified;
use meddled::Meddled;
use reported::Reported;

/// What detection remembers from event to event. Lost at a restart: a use that goes on may then be reported once more.
#[derive(Debug)]
pub struct State {
    catalogue: &'static Catalogue,
    reported: Reported,
    meddled: Meddled,
}

impl State {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(catalogue: &'static Catalogue) -> Self {
        Self {
            catalogue,
            reported: Reported::default(),
            meddled: Meddled::default(),
        }
    }

    /// Forgets all that was seen.
    pub fn forget(&mut self) {
        self.reported = Reported::default();
        self.meddled = Meddled::default();
    }
}

/// Looks at one event.
#[must_use]
pub fn detect(event: &Verified<Event>, state: &mut State) -> Vec<Finding> {
    match event.kind() {
        EventKind::CredentialAccess => unusual_reader::detect(event, state).into_iter().collect(),
        EventKind::ProcessSecretAccess => {
            state.meddled.saw(event);
            Vec::new()
        }
        EventKind::Gap => removed::detect(event).into_iter().collect(),
        EventKind::SensorTamper => tamper::detect(event, state).into_iter().collect(),
        _ => Vec::new(),
    }
}
