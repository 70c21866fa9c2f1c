//! What a metric is.

/// The value of a label that is none of those listed.
pub const OTHER: &str = "other";

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// From 0 at the start, only upwards. Its samples are named with `_total`.
    Counter,
    /// Up and down.
    Gauge,
    /// A fact in labels. Its sample is named with `_info` and is 1.
    Info,
}

impl Type {
    /// As OpenMetrics has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Info => "info",
        }
    }
}

/// What is measured, where it is not a number of things. It ends the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Seconds; as a time, since 1970.
    Seconds,
}

impl Unit {
    /// As OpenMetrics has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
        }
    }
}

/// A label, and all values that it can have beside [`OTHER`].
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: fn() -> Vec<&'static str>,
}

/// One metric, a family in the words of OpenMetrics.
#[derive(Debug)]
pub struct Definition {
    /// Its name without the unit and without `_total` or `_info`.
    pub name: &'static str,
    /// How it moves.
    pub kind: Type,
    /// Its unit.
    pub unit: Option<Unit>,
    /// Its labels.
    pub labels: &'static [Label],
    /// What it says, in one line.
    pub help: &'static str,
    /// What an operator does about it, in one line.
    pub advice: &'static str,
}

impl Definition {
    /// The name of its samples.
    #[must_use]
    pub fn sample_name(&self) -> String {
        let unit = self
            .unit
            .map_or_else(String::new, |unit| format!("_{}", unit.word()));
        let suffix = match self.kind {
            Type::Counter => "_total",
            Type::Gauge => "",
            Type::Info => "_info",
        };
        format!("{}{unit}{suffix}", self.name)
    }

    /// All combinations of the values of its labels.
    #[must_use]
    pub(super) fn combinations(&self) -> Vec<Vec<&'static str>> {
        self.labels.iter().fold(vec![Vec::new()], |before, label| {
            let values = (label.values)();
            let with = |rest: &Vec<&'static str>| {
                let rest = rest.clone();
                values
                    .iter()
                    .map(move |value| rest.iter().copied().chain([*value]).collect())
                    .collect::<Vec<_>>()
            };
            before.iter().flat_map(with).collect()
        })
    }
}
