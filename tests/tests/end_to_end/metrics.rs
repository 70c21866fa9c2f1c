//! The metrics say what the status says, what the detector has, and what the generator did.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    net::{TcpListener, TcpStream},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use claviger_sensor::agent::METRIC_GROUPS;
use claviger_tests::{PATIENCE, can_load, sensor};
use serde_json::Value;

use crate::{
    generator::{make_keys, only_keys, reported, told, use_keys},
    host::{Host, listening, text},
};

const USES: u64 = 30;

#[test]
fn the_metrics_are_those_of_status_detector_and_generator() {
    if !can_load() {
        return;
    }
    let (_catalogue, config) = only_keys();
    let (address, listen) = listening();
    let mut host = Host::new(&format!("{config}\n{listen}"));
    make_keys(&host, USES);
    host.sensor.start();
    let made = use_keys(&host, 0..USES).len() as u64;
    assert_eq!(made, USES);
    host.sensor.flush();

    // Of the generator.
    let metrics = host.metrics_after(address, |metrics| reported(metrics) == made);
    let lost: f64 = metrics
        .all("claviger_sensor_kernel_lost_total")
        .map(|(_, lost)| lost)
        .sum();
    assert!(lost.abs() < f64::EPSILON, "{metrics:#?}");

    // Of the status: what is published later is not less than what it said, and not more than what it says then.
    let before = numbers(&host.sensor.status());
    let metrics = host.metrics_after(address, |metrics| {
        before
            .iter()
            .all(|(name, number)| metrics.number(name) >= *number)
    });
    let after = numbers(&host.sensor.status());
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
    for (name, number) in &after {
        assert!(metrics.number(name) <= *number, "{name}: {metrics:#?}");
    }
    let received = metrics.number("claviger_sensor_received_total");
    let delivered = metrics.number("claviger_sensor_delivered_total");
    let others: f64 = [
        "claviger_sensor_dropped_total",
        "claviger_sensor_lost_total",
        "claviger_sensor_waiting",
    ]
    .iter()
    .flat_map(|name| metrics.all(name))
    .map(|(_, number)| number)
    .sum();
    assert_eq!(received as f64, delivered as f64 + others, "{metrics:#?}");
    for (account, difference) in metrics.all("claviger_sensor_accounts_unbalanced") {
        assert!(difference.abs() < f64::EPSILON, "{account}: {metrics:#?}");
    }

    // Of the detector: every event that was sealed, by its kind.
    let begun = Instant::now();
    loop {
        let metrics = host.metrics(address);
        let sealed: BTreeMap<String, u64> = metrics
            .all("claviger_sensor_events_sealed_total")
            .map(|(labels, _)| labels)
            .map(|labels| {
                let sample = format!("claviger_sensor_events_sealed_total{labels}");
                let kind = labels.trim_start_matches("{kind=\"").trim_end_matches("\"}");
                (kind.to_owned(), metrics.number(&sample))
            })
            .filter(|(_, count)| *count > 0)
            .collect();
        let mut arrived = BTreeMap::new();
        for event in host.detector.read("events", "event") {
            *arrived
                .entry(event["kind"].as_str().expect("a kind").to_owned())
                .or_default() += 1_u64;
        }
        if sealed == arrived {
            assert_eq!(sealed.get("credential_access"), Some(&USES), "{sealed:?}");
            break;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "sealed {sealed:?}, arrived {arrived:?}"
        );
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(
        told(&host, &host.detector.read("events", "event")).len() as u64,
        USES
    );
}

/// What a status says, under the names of the metrics.
fn numbers(status: &Value) -> BTreeMap<String, u64> {
    let number = |value: &Value| value.as_u64().expect("a number");
    let mut all = BTreeMap::new();
    for probe in status["probes"].as_array().expect("a list") {
        let name = probe["probe"].as_str().expect("a name");
        for (field, metric) in [
            ("seen", "seen"),
            ("submitted", "submitted"),
            ("repeated", "repeated"),
        ] {
            let sample = format!("claviger_sensor_kernel_{metric}_total{{probe=\"{name}\"}}");
            all.insert(sample, number(&probe[field]));
        }
    }
    let accounts = &status["accounts"];
    for field in ["received", "delivered", "repeats_told", "repeats_dropped"] {
        all.insert(format!("claviger_sensor_{field}_total"), number(&accounts[field]));
    }
    for (reason, count) in accounts["dropped"].as_object().expect("an object") {
        all.insert(
            format!("claviger_sensor_dropped_total{{reason=\"{reason}\"}}"),
            number(count),
        );
    }
    let evidence = &status["evidence"];
    for (field, metric) in [
        ("sealed_batches", "batches_sealed"),
        ("sent_batches", "batches_sent"),
        ("receipts", "receipts"),
    ] {
        all.insert(
            format!("claviger_sensor_{metric}_total"),
            number(&evidence[field]),
        );
    }
    all
}

#[test]
fn every_metric_of_the_document_is_there_and_no_other() {
    if !can_load() {
        return;
    }
    let (address, listen) = listening();
    let mut host = Host::new(&listen);
    host.sensor.start();
    host.read(3);
    let documented: BTreeSet<String> = METRIC_GROUPS
        .iter()
        .flat_map(|(_, metrics)| metrics.iter())
        .map(|metric| {
            let unit = metric
                .unit
                .map_or_else(String::new, |unit| format!("_{}", unit.word()));
            format!("{}{unit}", metric.name)
        })
        .collect();
    // Some are known only after a while: how full maps are, the detector's clock.
    let metrics = host.metrics_after(address, |metrics| *metrics.families() == documented);
    let value = |sample: &str| {
        metrics
            .get(sample)
            .unwrap_or_else(|| panic!("{sample} is not there"))
    };
    assert!(value("claviger_sensor_map_entries{map=\"labelled_objects\"}") >= 1.0);
    assert!(value("claviger_sensor_map_entries{map=\"own_bpf\"}") >= 10.0);
    assert!(value("claviger_sensor_labelled_files") >= 1.0);
    assert!(value("claviger_sensor_ring_records_total") >= 3.0);
    assert!(value("claviger_sensor_entries{place=\"processes\"}") >= 2.0);
    for (labels, entries) in metrics.all("claviger_sensor_entries") {
        assert!(
            entries <= value(&format!("claviger_sensor_entries_bound{labels}")),
            "{labels}"
        );
    }
    assert!(
        metrics
            .all("claviger_sensor_kernel_lost_total")
            .all(|(labels, _)| !labels.contains("other"))
    );
}

#[test]
fn what_is_done_to_the_listener_leaves_the_sensor_at_work() {
    if !can_load() {
        return;
    }
    let (_catalogue, config) = only_keys();
    let (address, listen) = listening();
    let mut host = Host::new(&format!("{config}\n{listen}"));
    make_keys(&host, USES);
    host.sensor.start();
    let over = AtomicBool::new(false);
    let told = thread::scope(|scope| {
        scope.spawn(|| {
            let mut held = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let Ok(mut stream) = TcpStream::connect(address) else {
                    continue;
                };
                // Garbage, half a request, a request whose answer nobody reads; it may be closed before all is sent.
                let _closed = match held.len() % 3 {
                    0 => stream.write_all(&[0xff; 20_000]),
                    1 => stream.write_all(b"GET /metrics HTTP/1.1\r\nHost"),
                    _ => stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
                };
                held.push(stream);
                if held.len() > 200 {
                    held.drain(..100);
                }
            }
        });
        let made = use_keys(&host, 0..USES);
        let last = host.sensor.flush();
        let told = told(&host, &host.arrived(last));
        let status = host.sensor.status();
        over.store(true, Ordering::Relaxed);
        assert_eq!(status["unbalanced"], serde_json::json!({}), "{status:#}");
        assert_eq!(told.len(), made.len());
        told
    });
    assert!(told.values().all(|count| *count == 1), "{told:?}");
    let metrics = host.metrics_after(address, |metrics| {
        metrics.get("claviger_sensor_metrics_connections") == Some(1.0)
    });
    assert!(
        metrics.number("claviger_sensor_metrics_connections_refused_total") > 0,
        "{metrics:#?}"
    );
}

#[test]
fn an_address_that_is_taken_is_named_with_file_and_field() {
    if !can_load() {
        return;
    }
    let taken = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = taken.local_addr().expect("bound");
    let host = Host::new(&format!("[metrics]\nlisten = \"{address}\""));
    let mut command: Command = sensor();
    let run = command
        .args(["run", "--config"])
        .arg(host.sensor.config())
        .output()
        .expect("runs");
    assert_eq!(run.status.code(), Some(69), "{}", text(&run));
    let said = text(&run);
    for part in ["sensor.toml", "metrics.listen", &address.to_string(), "in use"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn nothing_listens_unless_it_is_said() {
    if !can_load() {
        return;
    }
    let (address, listen) = listening();
    for (config, expected) in [("", 0), (listen.as_str(), 1)] {
        let mut host = Host::new(config);
        host.sensor.start();
        if expected > 0 {
            host.metrics(address);
        }
        let pid = host.sensor.status()["pid"].as_u64().expect("a number");
        assert_eq!(listeners(pid), expected, "{}", host.sensor.log());
    }
}

/// TCP sockets on which a process listens.
fn listeners(pid: u64) -> usize {
    const LISTENING: &str = "0A";
    let tables =
        ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default());
    let sockets: BTreeSet<String> = tables
        .iter()
        .flat_map(|table| table.lines().skip(1))
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.get(3) == Some(&LISTENING))
        .filter_map(|fields| Some(format!("socket:[{}]", fields.get(9)?)))
        .collect();
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
    let links = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links
        .filter(|link| sockets.contains(&link.display().to_string()))
        .count()
}
