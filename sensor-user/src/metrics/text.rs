//! A snapshot as OpenMetrics text.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{self, Registry},
};

use super::{Number, Snapshot, Type, Unit, snapshot::Family};

/// The media type of what [`text`] writes.
pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Writes snapshots that have no metric in common.
#[must_use]
pub fn text(snapshots: impl IntoIterator<Item = Arc<Snapshot>>) -> String {
    let mut registry = Registry::default();
    for snapshot in snapshots {
        registry.register_collector(Box::new(snapshot));
    }
    let mut text = String::new();
    // Writing to a string does not fail, and what is encoded here says nothing of an error either.
    let _never = encode(&mut text, &registry);
    text
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.families().try_for_each(|family| write(family, &mut encoder))
    }
}

fn write(family: &Family, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let definition = family.definition;
    let unit = definition.unit.map(|unit| match unit {
        Unit::Bytes => registry::Unit::Bytes,
        Unit::Seconds => registry::Unit::Seconds,
    });
    let kind = match definition.kind {
        Type::Counter => MetricType::Counter,
        Type::Gauge => MetricType::Gauge,
        Type::Info => MetricType::Info,
    };
    let mut metric = encoder.encode_descriptor(definition.name, definition.help, unit.as_ref(), kind)?;
    for (values, number) in &family.samples {
        let names = definition.labels.iter().map(|label| label.name);
        let labels: Vec<(&str, &str)> = names.zip(values.iter().copied()).collect();
        if definition.kind == Type::Info {
            metric.encode_info(&labels)?;
            continue;
        }
        let sample = metric.encode_family(&labels)?;
        match (definition.kind, *number) {
            (Type::Counter, Number::Whole(number)) => ConstCounter::new(number).encode(sample)?,
            (Type::Counter, Number::Fraction(number)) => ConstCounter::new(number).encode(sample)?,
            (_, Number::Whole(number)) => ConstGauge::new(number).encode(sample)?,
            (_, Number::Fraction(number)) => ConstGauge::new(number).encode(sample)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Definition, Label},
        *,
    };

    static SPOOL: Definition = Definition {
        name: "claviger_sensor_spool",
        kind: Type::Gauge,
        unit: Some(Unit::Bytes),
        labels: &[],
        help: "Bytes of the spool.",
        advice: "None.",
    };
    static LOST: Definition = Definition {
        name: "claviger_sensor_lost",
        kind: Type::Counter,
        unit: None,
        labels: &[Label {
            name: "reason",
            values: || vec!["ring_full", "unreadable"],
        }],
        help: "Lost.",
        advice: "None.",
    };

    #[test]
    fn it_is_written_as_open_metrics() {
        let mut snapshot = Snapshot::default();
        snapshot.set(&SPOOL, [], 7_u64);
        snapshot.set(&LOST, ["ring_full"], 2_u64);
        assert_eq!(
            text([Arc::new(snapshot)]),
            "# HELP claviger_sensor_lost Lost.\n\
             # TYPE claviger_sensor_lost counter\n\
             claviger_sensor_lost_total{reason=\"ring_full\"} 2\n\
             claviger_sensor_lost_total{reason=\"unreadable\"} 0\n\
             # HELP claviger_sensor_spool_bytes Bytes of the spool.\n\
             # TYPE claviger_sensor_spool_bytes gauge\n\
             # UNIT claviger_sensor_spool_bytes bytes\n\
             claviger_sensor_spool_bytes 7\n\
             # EOF\n"
        );
    }
}
