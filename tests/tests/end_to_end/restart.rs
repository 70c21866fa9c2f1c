//! Stops, kills and starts: every use that was made is told once, or lies in a time of which a gap says that nobody watched.

use std::{collections::BTreeMap, time::SystemTime};

use claviger_tests::can_load;
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    generator::{Made, make_keys, only_keys, reported, told, use_keys},
    host::{Host, listening},
};

const EACH: u64 = 25;

#[test]
fn every_use_around_restarts_is_told_or_in_a_gap() {
    if !can_load() {
        return;
    }
    let (_catalogue, config) = only_keys();
    let (address, listen) = listening();
    let mut host = Host::new(&format!("{config}\n{listen}"));
    make_keys(&host, 5 * EACH);

    host.sensor.start();
    let first = use_keys(&host, 0..EACH);
    let begun = host.metrics_after(address, |metrics| reported(metrics) == EACH);
    host.sensor.end(Signal::TERM);
    let unwatched = use_keys(&host, EACH..2 * EACH);
    host.sensor.start();
    let mut second = use_keys(&host, 2 * EACH..3 * EACH);
    host.sensor.flush();
    // Of these some may be kept and some not.
    second.extend(use_keys(&host, 3 * EACH..4 * EACH));
    host.sensor.end(Signal::KILL);
    host.sensor.start();
    let third = use_keys(&host, 4 * EACH..5 * EACH);
    let last = host.sensor.flush();

    let events = host.arrived(last);
    let mut sequences: Vec<u64> = events
        .iter()
        .filter_map(|event| event["id"]["sequence"].as_u64())
        .collect();
    sequences.sort_unstable();
    let without_holes: Vec<u64> = (1..=last).collect();
    assert_eq!(sequences, without_holes, "no hole, nothing twice");

    let told = told(&host, &events);
    assert!(told.values().all(|count| *count == 1), "{told:?}");
    let gaps: Vec<&Value> = events
        .iter()
        .filter(|event| event["kind"] == "gap")
        .map(|event| &event["gap"])
        .collect();
    assert_eq!(gaps.len(), 2, "{gaps:#?}");
    assert!(
        gaps.iter().all(|gap| gap["reason"] == "not_watching"),
        "{gaps:#?}"
    );
    let in_a_gap = |made: &Made| gaps.iter().any(|gap| lies_in(made, gap));

    for (key, made) in &unwatched {
        assert!(!told.contains_key(key) && in_a_gap(made), "{key}: {gaps:#?}");
    }
    // A clean stop loses nothing, nor does what was flushed before a kill; after the start all is watched again.
    let kept: BTreeMap<_, _> = second.range(..3 * EACH).collect();
    for key in first.keys().chain(kept.into_keys()).chain(third.keys()) {
        assert!(told.contains_key(key), "{key} is not told");
    }
    for (key, made) in &second {
        assert!(
            told.contains_key(key) || in_a_gap(made),
            "{key} at {made:?}: {gaps:#?}"
        );
    }

    let started = "claviger_sensor_start_time_seconds";
    let metrics = host.metrics_after(address, |metrics| reported(metrics) == EACH);
    assert!(
        metrics.get(started) > begun.get(started),
        "that they began anew is said"
    );
    assert_eq!(
        metrics.number("claviger_sensor_gaps_sealed_total{reason=\"not_watching\"}"),
        1,
        "of the two gaps this run told one"
    );
}

/// Whether a use was made within the time of a gap.
fn lies_in(made: &Made, gap: &Value) -> bool {
    let seconds = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        since.expect("after 1970").as_secs_f64()
    };
    let bound = |name: &str| parsed(gap[name].as_str().expect("a time"));
    bound("from") <= seconds(made.from) && seconds(made.to) <= bound("to")
}

/// Seconds since 1970 of an RFC 3339 time in UTC.
fn parsed(text: &str) -> f64 {
    let time: jiff::Timestamp = text.parse().expect("a time");
    time.as_duration().as_secs_f64()
}
