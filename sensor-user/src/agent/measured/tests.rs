use std::{collections::HashSet, env, fs, path::Path, sync::Arc, time::Duration};

use claviger_proto::v1::EventKind;
use claviger_sensor_common::{PROBES, Probe};

use super::*;
use crate::{
    agent::{
        Accounts, PolicyReport, ProbeReport, ScanCounts, SelfTestReport, SelfUsage, balance,
        reasons::{Dropped, LostHere},
    },
    forward::{ForwardState, OutboxStatus},
    kernel::{MAPS, kernel_losses},
    metrics::{Number, OTHER, document, text},
    sign::{BootId, SensorId},
    spool::{LossReason, SpoolStats},
};

fn definitions() -> Vec<&'static Definition> {
    METRIC_GROUPS
        .iter()
        .flat_map(|(_, group)| group.iter().copied())
        .collect()
}

fn counts(words: &[&str]) -> BTreeMap<String, u64> {
    (1..)
        .zip(words)
        .map(|(count, word)| ((*word).to_owned(), count))
        .collect()
}

/// A status in which everything happened that has a word.
fn eventful() -> (Status, EvidenceStatus) {
    let hooks = [
        "lsm/file_open",
        "fentry/security_file_open",
        "fexit/do_filp_open",
        "tp_btf/x",
        "tracepoint/x",
        "iter/x",
    ];
    let probe = |(probe, hook): (Probe, &&str)| ProbeReport {
        probe: probe.word().to_owned(),
        hook: Some((*hook).to_owned()),
        refused: Vec::new(),
        cannot_see: Vec::new(),
        seen: 30,
        submitted: 9,
        lost: counts(&kernel_losses()),
        repeated: 4,
        cpus: Vec::new(),
    };
    let status = Status {
        version: "0".into(),
        pid: 1,
        uptime_s: 1.0,
        usage: SelfUsage::default(),
        cpu_share: 0.1,
        probes: PROBES.into_iter().zip(hooks.iter().cycle()).map(probe).collect(),
        accounts: Accounts {
            received: 7,
            dropped: counts(Dropped::WORDS),
            lost: counts(LostHere::WORDS),
            lost_behind: counts(&LossReason::ALL.map(LossReason::word)),
            ..Accounts::default()
        },
        unbalanced: counts(&balance::accounts()),
        hanging: vec!["/a/path".to_owned()],
        labelled: ScanCounts::default(),
        policy: PolicyReport::default(),
        self_test: Some(SelfTestReport {
            seen_ago_s: PROBES
                .iter()
                .map(|probe| (probe.word().to_owned(), 1.5))
                .collect(),
            blind: [("file_open".to_owned(), "a reason /with/a/path".to_owned())].into(),
            ..SelfTestReport::default()
        }),
        processes: 1,
        evidence: None,
    };
    let outbox = OutboxStatus {
        sensor_id: SensorId::from_bytes([1; 16]),
        boot_id: BootId::from_bytes([2; 16]),
        last_sequence: 9,
        sealed_batches: 3,
        spool: SpoolStats::default(),
        spool_max_bytes: 99,
        untold_losses: 0,
        refusing: false,
        is_unanchored: false,
        forward: ForwardState {
            clock_offset_ms: Some(-1_500),
            last_error: Some("a secret reason".into()),
            ..ForwardState::default()
        },
    };
    let evidence = EvidenceStatus {
        outbox,
        sealed: counts(&behind::KINDS.map(|(_, word)| word)),
        gaps: counts(&super::super::events::gap_reasons()),
        untold: 0,
    };
    (status, evidence)
}

fn snapshot_of(status: &Status, evidence: &EvidenceStatus) -> Snapshot {
    let started = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    let maps = MAPS.map(|(_, map, bound)| MapFill {
        map,
        entries: 1,
        bound,
    });
    let beside = Beside {
        now: started + Duration::from_secs(60),
        started,
        maps: &maps,
        ring_bytes: 5,
        ring_bound_bytes: 4096,
        ring_records: 6,
        held: Held {
            behind: Some([0, 0]),
            ..Held::default()
        },
        evidence: Some(evidence),
    };
    measure(status, &beside)
}

#[test]
fn every_word_of_the_sensor_is_a_value_of_its_label() {
    let (status, evidence) = eventful();
    let text = text([Arc::new(snapshot_of(&status, &evidence))]);
    for sample in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(!sample.contains(&format!("\"{OTHER}\"")), "{sample}");
        assert!(!sample.contains('/'), "no path: {sample}");
        assert!(!sample.contains("secret reason"), "no reason in words: {sample}");
    }
}

#[test]
fn every_metric_but_those_of_the_listener_is_filled() {
    let (status, evidence) = eventful();
    let text = text([Arc::new(snapshot_of(&status, &evidence))]);
    let listeners: HashSet<&str> = LISTENER_METRICS.iter().map(|metric| metric.name).collect();
    for definition in definitions() {
        let name = definition.sample_name();
        let is_there = text.lines().any(|line| {
            line.strip_prefix(&name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        assert_ne!(is_there, listeners.contains(definition.name), "{name}");
    }
}

#[test]
fn names_are_unique_and_keep_the_conventions() {
    let mut names = HashSet::new();
    for definition in definitions() {
        let name = definition.sample_name();
        assert!(names.insert(name.clone()), "{name} twice");
        assert!(name.starts_with("claviger_sensor_"), "{name}");
        let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(name.chars().all(is_plain), "{name}");
        assert!(
            !definition.name.ends_with("_total"),
            "{name}: the suffix is added"
        );
        for text in [definition.help, definition.advice] {
            assert!(text.ends_with('.') && !text.contains('\n'), "{name}: {text}");
        }
        let series: usize = definition
            .labels
            .iter()
            .map(|label| (label.values)().len())
            .product();
        assert!(series <= 180, "{name} has {series} series");
        for label in definition.labels {
            let values = (label.values)();
            let unique: HashSet<_> = values.iter().collect();
            assert_eq!(unique.len(), values.len(), "{name}: {values:?}");
        }
    }
}

#[test]
fn kinds_have_the_words_of_the_contract() {
    for (kind, word) in behind::KINDS {
        assert_eq!(kind.word(), word);
    }
    let known = (1..).map_while(|number| EventKind::try_from(number).ok());
    assert_eq!(known.count(), behind::KINDS.len());
}

#[test]
fn what_is_not_known_is_not_there() {
    let (mut status, mut evidence) = eventful();
    status.self_test = None;
    evidence.outbox.forward.clock_offset_ms = None;
    let text = text([Arc::new(snapshot_of(&status, &evidence))]);
    for absent in [
        "claviger_sensor_clock_offset_seconds",
        "claviger_sensor_probe_blind",
    ] {
        assert!(!text.contains(absent), "{text}");
    }
}

#[test]
fn numbers_are_those_of_the_status() {
    let (status, evidence) = eventful();
    let snapshot = snapshot_of(&status, &evidence);
    let by_name = |name: &str| {
        let found = definitions()
            .into_iter()
            .find(|metric| metric.sample_name() == name);
        found.expect("it is defined")
    };
    let value = |name: &str, labels: &[&str]| snapshot.get(by_name(name), labels);
    assert_eq!(
        value("claviger_sensor_received_total", &[]),
        Some(Number::Whole(7))
    );
    assert_eq!(
        value("claviger_sensor_kernel_lost_total", &["file_open", "unreadable"]),
        Some(Number::Whole(2))
    );
    assert_eq!(
        value("claviger_sensor_probe_hook", &["file_open", "lsm"]),
        Some(Number::Whole(1))
    );
    assert_eq!(
        value("claviger_sensor_start_time_seconds", &[]),
        Some(Number::Fraction(1_000.0))
    );
    assert_eq!(
        value("claviger_sensor_clock_offset_seconds", &[]),
        Some(Number::Fraction(-1.5))
    );
    assert_eq!(
        value("claviger_sensor_accounts_unbalanced", &["agent"]),
        Some(Number::Whole(21))
    );
}

#[test]
fn the_document_is_written_from_the_definitions() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let new = document(&METRIC_GROUPS);
    if env::var_os("CLAVIGER_UPDATE").is_some() {
        fs::write(&path, new).expect("written");
        return;
    }
    let old = fs::read_to_string(&path).expect("docs/metrics.md is there");
    assert!(
        old == new,
        "docs/metrics.md is not what the definitions say; CLAVIGER_UPDATE=1 with this test writes it"
    );
}
