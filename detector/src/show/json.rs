//! JSON lines: `{"event":{…}}` and `{"finding":{…}}`, in the contract's names.

use claviger_proto::v1::{Event, Finding};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Wrapped<'a> {
    Event(&'a Event),
    Finding(&'a Finding),
}

/// An event as one line, without the line's end.
#[must_use]
pub fn event(event: &Event) -> String {
    line(&Wrapped::Event(event))
}

/// A finding as one line, without the line's end.
#[must_use]
pub fn finding(finding: &Finding) -> String {
    line(&Wrapped::Finding(finding))
}

/// Any other object as one line, without the line's end.
#[must_use]
pub fn line(value: &impl Serialize) -> String {
    // Only maps with keys that are no text, and values that refuse, fail; the contract has neither.
    serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}
