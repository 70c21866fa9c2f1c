//! What the metrics were at one moment.

use std::collections::BTreeMap;

use super::{Definition, Label, OTHER, Type};

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Of things.
    Whole(u64),
    /// Of seconds.
    Fraction(f64),
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self::Whole(number as u64)
    }
}

impl From<u32> for Number {
    fn from(number: u32) -> Self {
        Self::Whole(number.into())
    }
}

impl From<bool> for Number {
    fn from(is_so: bool) -> Self {
        Self::Whole(is_so.into())
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Fraction(number)
    }
}

/// One metric's values, by those of its labels.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) definition: &'static Definition,
    pub(super) samples: BTreeMap<Vec<&'static str>, Number>,
}

/// The values of all metrics.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// By name, so that a metric is written in one place however it came in.
    families: BTreeMap<&'static str, Family>,
}

impl Snapshot {
    /// Takes up a metric of which there may be no value: where it is a counter, all its series are 0.
    pub fn begin(&mut self, definition: &'static Definition) {
        self.family(definition);
    }

    /// Takes up a value. One more for the same labels is added to it: what is not in a label's list is counted together as [`OTHER`].
    pub fn set<const LABELS: usize>(
        &mut self,
        definition: &'static Definition,
        labels: [&str; LABELS],
        value: impl Into<Number>,
    ) {
        debug_assert_eq!(LABELS, definition.labels.len(), "{}", definition.name);
        let labels: Vec<&'static str> = Self::closed(definition, &labels);
        let value = value.into();
        self.family(definition)
            .samples
            .entry(labels)
            .and_modify(|had| *had = had.plus(value))
            .or_insert(value);
    }

    /// One value, as it will be written.
    #[must_use]
    pub fn get(&self, definition: &Definition, labels: &[&str]) -> Option<Number> {
        let family = self.families.get(definition.name)?;
        family.samples.get(labels).copied()
    }

    /// The given values of the labels, as far as they are listed.
    fn closed(definition: &Definition, given: &[&str]) -> Vec<&'static str> {
        let known = |(label, given): (&Label, &&str)| {
            let listed = (label.values)().into_iter().find(|value| value == given);
            listed.unwrap_or(OTHER)
        };
        definition.labels.iter().zip(given).map(known).collect()
    }

    fn family(&mut self, definition: &'static Definition) -> &mut Family {
        let family = self.families.entry(definition.name);
        family.or_insert_with(|| Family::new(definition))
    }

    pub(super) fn families(&self) -> impl Iterator<Item = &Family> {
        self.families.values()
    }
}

impl Family {
    /// A counter begins with a 0 for each of its series: one that appears with its first loss has no growth to be alerted on.
    fn new(definition: &'static Definition) -> Self {
        let samples = match definition.kind {
            Type::Counter => definition
                .combinations()
                .into_iter()
                .map(|labels| (labels, Number::Whole(0)))
                .collect(),
            Type::Gauge | Type::Info => BTreeMap::new(),
        };
        Self { definition, samples }
    }
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "only where one of them is of seconds")]
    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => Self::Whole(one.saturating_add(other)),
            (Self::Fraction(one), Self::Fraction(other)) => Self::Fraction(one + other),
            (Self::Whole(whole), Self::Fraction(fraction))
            | (Self::Fraction(fraction), Self::Whole(whole)) => Self::Fraction(whole as f64 + fraction),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static LOST: Definition = Definition {
        name: "lost",
        kind: Type::Counter,
        unit: None,
        labels: &[
            Label {
                name: "probe",
                values: || vec!["open", "exec"],
            },
            Label {
                name: "reason",
                values: || vec!["full"],
            },
        ],
        help: "Lost.",
        advice: "None.",
    };

    #[test]
    fn every_series_of_a_counter_is_there_from_the_beginning() {
        let mut snapshot = Snapshot::default();
        snapshot.set(&LOST, ["exec", "full"], 3_u64);
        assert_eq!(snapshot.get(&LOST, &["exec", "full"]), Some(Number::Whole(3)));
        assert_eq!(snapshot.get(&LOST, &["open", "full"]), Some(Number::Whole(0)));
    }

    #[test]
    fn what_is_not_listed_is_counted_together_and_named_nowhere() {
        let mut snapshot = Snapshot::default();
        snapshot.set(&LOST, ["open", "/home/demo/.aws"], 1_u64);
        snapshot.set(&LOST, ["open", "\"}\n# EOF"], 2_u64);
        assert_eq!(snapshot.get(&LOST, &["open", OTHER]), Some(Number::Whole(3)));
        let text = super::super::text([std::sync::Arc::new(snapshot)]);
        assert!(!text.contains("/home"), "{text}");
        assert_eq!(text.lines().filter(|line| line.contains("EOF")).count(), 1);
    }
}
