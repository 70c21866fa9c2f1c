//! The JSON form of the contract: the proto's field names in snake_case, enums as lower-case words, times as RFC 3339, hashes as hex,
//! 64-bit numbers as numbers, parts that are not there left out.

use prost_types::Timestamp;
use serde::{Serialize, Serializer};

/// An enum of the contract.
pub trait Enumeration: TryFrom<i32> {
    /// The name as the proto file spells it.
    fn proto_name(&self) -> &'static str;
    /// What all of its names begin with, e.g. `EVENT_KIND_`.
    const PREFIX: &'static str;
}

macro_rules! enumeration {
    ($($name:ident = $prefix:literal),+ $(,)?) => {$(
        impl Enumeration for crate::v1::$name {
            const PREFIX: &'static str = $prefix;
            fn proto_name(&self) -> &'static str {
                self.as_str_name()
            }
        }
        impl crate::v1::$name {
            /// The word that stands for this value in JSON and on a terminal, e.g. `credential_access`.
            #[must_use]
            pub fn word(self) -> String {
                word(&self)
            }
        }
    )+};
}

enumeration! {
    ActorBasis = "ACTOR_BASIS_",
    CauseRelation = "CAUSE_RELATION_",
    EventKind = "EVENT_KIND_",
    MatchBasis = "MATCH_BASIS_",
    Operation = "OPERATION_",
    Outcome = "OUTCOME_",
    ProgramBasis = "PROGRAM_BASIS_",
    Tree = "TREE_",
    Severity = "SEVERITY_",
    WorkloadKind = "WORKLOAD_KIND_",
}

fn word<E: Enumeration>(value: &E) -> String {
    let name = value.proto_name();
    name.strip_prefix(E::PREFIX).unwrap_or(name).to_ascii_lowercase()
}

/// Serializes an enum field by its word; a value this version does not know stays a number.
pub(crate) fn enumeration<E: Enumeration, S: Serializer>(
    value: &i32,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match E::try_from(*value) {
        Ok(known) => serializer.serialize_str(&word(&known)),
        Err(_) => serializer.serialize_i32(*value),
    }
}

/// Serializes a time as RFC 3339 in UTC; one that no calendar holds as its two numbers.
pub(crate) fn timestamp<S: Serializer>(value: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        None => serializer.serialize_none(),
        Some(time) => match rfc3339(time) {
            Some(text) => serializer.serialize_str(&text),
            None => (time.seconds, time.nanos).serialize(serializer),
        },
    }
}

/// A time as RFC 3339 in UTC with nanoseconds, or nothing where no calendar holds it.
#[must_use]
pub fn rfc3339(time: &Timestamp) -> Option<String> {
    let time = jiff::Timestamp::new(time.seconds, time.nanos).ok()?;
    Some(format!("{time:.9}"))
}

/// Serializes bytes as lower-case hex.
pub(crate) fn hex<S: Serializer>(value: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(value))
}

/// Serializes bytes as standard base64.
pub(crate) fn base64<S: Serializer>(value: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    use base64::Engine as _;
    serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(value))
}

#[cfg(test)]
mod tests {
    use crate::v1::{Event, EventId, EventKind, Outcome};

    #[test]
    fn an_event_reads_as_the_contract_says() {
        let event = Event {
            id: Some(EventId {
                sensor_id: "s".into(),
                boot_id: "b".into(),
                sequence: 7,
            }),
            kind: EventKind::CredentialAccess.into(),
            time: Some(prost_types::Timestamp { seconds: 0, nanos: 5 }),
            outcome: Outcome::Succeeded.into(),
            count: 1,
            ..Event::default()
        };
        let json = serde_json::to_value(&event).expect("serializes");
        assert_eq!(json["kind"], "credential_access");
        assert_eq!(json["outcome"], "succeeded");
        assert_eq!(json["time"], "1970-01-01T00:00:00.000000005Z");
        assert_eq!(json["id"]["sequence"], 7);
        assert!(json.get("gap").is_none(), "a part that is not there is left out");
    }

    #[test]
    fn a_value_from_a_later_version_stays_a_number() {
        let event = Event {
            kind: 4711,
            ..Event::default()
        };
        assert_eq!(serde_json::to_value(&event).expect("serializes")["kind"], 4711);
    }
}
