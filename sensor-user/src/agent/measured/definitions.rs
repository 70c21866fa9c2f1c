//! Short ways to write a definition.

use crate::metrics::{Definition, Label, Type, Unit};

/// A counter.
pub(super) const fn counter(
    name: &'static str,
    labels: &'static [Label],
    help: &'static str,
    advice: &'static str,
) -> Definition {
    Definition {
        name,
        kind: Type::Counter,
        unit: None,
        labels,
        help,
        advice,
    }
}

/// A gauge of a number of things.
pub(super) const fn gauge(
    name: &'static str,
    labels: &'static [Label],
    help: &'static str,
    advice: &'static str,
) -> Definition {
    Definition {
        kind: Type::Gauge,
        ..counter(name, labels, help, advice)
    }
}

/// The same of bytes.
pub(super) const fn bytes(name: &'static str, help: &'static str, advice: &'static str) -> Definition {
    Definition {
        unit: Some(Unit::Bytes),
        ..gauge(name, &[], help, advice)
    }
}

/// The same of seconds.
pub(super) const fn seconds(
    name: &'static str,
    labels: &'static [Label],
    help: &'static str,
    advice: &'static str,
) -> Definition {
    Definition {
        unit: Some(Unit::Seconds),
        ..gauge(name, labels, help, advice)
    }
}

/// What an advice says of a bound.
pub(super) const FIXED: &str = "It is fixed; compare with the metric of the same name without `_bound`.";
