//! How the running sensor is, as a person reads it: first how it stands, then what is wrong, then each account. Pure.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use anstyle::{AnsiColor, Style};

use super::super::output::clean;
use crate::{
    agent::{Accounts, EvidenceReport, ProbeReport, Status},
    clock::utc,
};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const DIM: Style = Style::new().dimmed();

/// The status in a few aligned lines, with colour codes for a terminal, and `faults`, what is wrong.
pub(super) fn text(status: &Status, faults: &[String]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _infallible = write(&mut text, status, faults);
    text.truncate(text.trim_end().len());
    text
}

fn write(out: &mut String, status: &Status, faults: &[String]) -> fmt::Result {
    writeln!(
        out,
        "claviger-sensor {} (pid {}) has been watching for {}",
        clean(&status.version),
        status.pid,
        duration(status.uptime_s)
    )?;
    let is_way_free = |evidence: &EvidenceReport| {
        evidence.connected && !evidence.refusing && evidence.rejected_batches == 0
    };
    if faults.is_empty() && status.evidence.as_ref().is_none_or(is_way_free) {
        writeln!(out, "{GOOD}nothing is wrong{GOOD:#}")?;
    }
    for fault in faults {
        writeln!(out, "{BAD}wrong{BAD:#}: {}", clean(fault))?;
    }
    writeln!(out)?;
    standing(out, status)?;
    if let Some(evidence) = &status.evidence {
        way_behind(out, evidence)?;
    }
    became(out, &status.accounts)?;
    writeln!(out)?;
    for probe in &status.probes {
        one_probe(out, probe)?;
    }
    Ok(())
}

fn standing(out: &mut String, status: &Status) -> fmt::Result {
    let labelled = &status.labelled;
    write!(
        out,
        "watched     {}, {}",
        several(labelled.files, "credential file", "credential files"),
        several(labelled.directories, "directory", "directories")
    )?;
    if labelled.roots > 0 {
        let roots = several(
            labelled.roots,
            "other tree of files (container)",
            "other trees of files (containers)",
        );
        write!(out, ", in {roots} too")?;
    }
    writeln!(out)?;
    if labelled.remembered > 0 {
        let remembered = several(labelled.remembered, "file", "files");
        writeln!(
            out,
            "            {remembered} by history only (copies, and what has left its place), also after the next start"
        )?;
    }
    if labelled.left_out > 0 {
        let left_out = several(labelled.left_out, "place was", "places were");
        writeln!(
            out,
            "            {left_out} left out: too many names, files or homes, too deep, served by another, or links to what belongs to another"
        )?;
        for place in &labelled.left_out_at {
            writeln!(out, "              {}: {}", clean(&place.why), clean(&place.path))?;
        }
    }
    let policy = &status.policy;
    let own = match policy.files.len() as u64 {
        0 => "no file of your own in it".to_owned(),
        files => format!(
            "{} in it",
            several(files, "file of your own", "files of your own")
        ),
    };
    writeln!(
        out,
        "catalogue   {} entries, {own}; SHA-256 {}",
        policy.entries,
        clean(&policy.digest)
    )?;
    if let Some(test) = &status.self_test {
        let failed = match test.failed {
            0 => "each time every probe saw what it had to see".to_owned(),
            failed => format!("{} a probe saw nothing", several(failed, "time", "times")),
        };
        writeln!(
            out,
            "self-test   made {}; {failed}",
            several(test.done, "time", "times")
        )?;
    }
    writeln!(
        out,
        "costs       {} of memory, {:.2} % of a core on average; {} known",
        bytes(status.usage.resident_memory_bytes),
        status.cpu_share * 100.0,
        several(status.processes as u64, "process", "processes")
    )
}

fn way_behind(out: &mut String, evidence: &EvidenceReport) -> fmt::Result {
    write!(out, "detector    ")?;
    match (evidence.connected, evidence.last_error.as_deref()) {
        (true, None) => write!(out, "{GOOD}connected{GOOD:#}")?,
        (true, Some(why)) => write!(out, "{BAD}connected, but{BAD:#} {}", clean(why))?,
        (false, Some(why)) => write!(out, "{BAD}not connected{BAD:#}: {}", clean(why))?,
        (false, None) => write!(out, "not connected")?,
    }
    match evidence.acknowledged_sequence {
        0 => writeln!(out, "; it has acknowledged no event of this boot yet")?,
        sequence => writeln!(out, "; it has everything up to event {sequence}")?,
    }
    if evidence.rejected_batches > 0 {
        writeln!(
            out,
            "            {BAD}it refused {} for good{BAD:#}: its findings and this sensor's log say why",
            several(evidence.rejected_batches, "batch", "batches")
        )?;
    }
    if let Some(ahead) = evidence.clock_offset_ms {
        let side = if ahead < 0 { "behind" } else { "ahead of" };
        writeln!(
            out,
            "            this host's clock is {} ms {side} its; the sensor's certificate holds until {}",
            ahead.unsigned_abs(),
            utc(evidence.certificate_not_after)
        )?;
    }
    writeln!(
        out,
        "spool       {} waiting, {} of {}; event {} was sealed last",
        several(evidence.waiting_batches, "batch", "batches"),
        bytes(evidence.spool_bytes),
        bytes(evidence.spool_max_bytes),
        evidence.last_sequence
    )?;
    if evidence.refusing {
        writeln!(
            out,
            "            {BAD}what comes now cannot be kept and is lost{BAD:#}; the log says why"
        )?;
    }
    writeln!(
        out,
        "identity    sensor {}, boot {}",
        clean(&evidence.sensor_id),
        clean(&evidence.boot_id)
    )?;
    writeln!(out, "events      {}", counts(&evidence.sealed_events, "none yet"))?;
    writeln!(out, "gaps        {}", counts(&evidence.gaps, "none"))
}

fn became(out: &mut String, accounts: &Accounts) -> fmt::Result {
    writeln!(
        out,
        "uses        {} came out of the kernel: {} told, {} being looked up",
        accounts.received, accounts.delivered, accounts.waiting
    )?;
    if !accounts.dropped.is_empty() {
        writeln!(
            out,
            "            no event, and nothing lost: {}",
            counts(&accounts.dropped, "none")
        )?;
    }
    writeln!(
        out,
        "            lost {}; lost before they were sent {}",
        lost(&accounts.lost),
        lost(&accounts.lost_behind)
    )?;
    writeln!(
        out,
        "            {} told as counts",
        several(accounts.repeats_told, "repeat", "repeats")
    )
}

fn one_probe(out: &mut String, probe: &ProbeReport) -> fmt::Result {
    let name = &probe.probe;
    match &probe.hook {
        Some(hook) => write!(out, "{GOOD}✓{GOOD:#} {name:<17} {}", clean(hook))?,
        None => write!(out, "{BAD}✗{BAD:#} {name:<17} by no hook")?,
    }
    writeln!(
        out,
        ": seen {}, repeated {}, lost {}",
        probe.seen,
        probe.repeated,
        lost(&probe.lost)
    )?;
    for what in &probe.cannot_see {
        writeln!(out, "    {DIM}cannot see: {}{DIM:#}", clean(what))?;
    }
    Ok(())
}

/// Counts by reason, the zeros left out: `ring_full 3, unreadable 1`.
fn counts(counts: &BTreeMap<String, u64>, nothing: &str) -> String {
    let counts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{} {count}", clean(reason)))
        .collect();
    if counts.is_empty() {
        nothing.to_owned()
    } else {
        counts.join(", ")
    }
}

/// Losses by reason, marked where there are some.
fn lost(reasons: &BTreeMap<String, u64>) -> String {
    match reasons
        .values()
        .fold(0_u64, |sum, count| sum.saturating_add(*count))
    {
        0 => "0".to_owned(),
        all => format!("{BAD}{all}{BAD:#} ({})", counts(reasons, "")),
    }
}

fn several(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[expect(clippy::cast_precision_loss, reason = "for reading")]
fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// The two largest units: `3 d 4 h`, `12 min 5 s`, `7 s`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "for reading; a float becomes the nearest number that there is"
)]
fn duration(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    if days > 0 {
        format!("{days} d {} h", hours % 24)
    } else if hours > 0 {
        format!("{hours} h {} min", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{LeftOutAt, PolicyReport, ScanCounts, SelfTestReport, SelfUsage};

    fn by_reason(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
        counts
            .iter()
            .map(|(reason, count)| ((*reason).to_owned(), *count))
            .collect()
    }

    fn status() -> Status {
        Status {
            version: "0.1.0".into(),
            pid: 7,
            uptime_s: 3_725.5,
            usage: SelfUsage {
                resident_memory_bytes: 41_200_000,
                cpu_time_us: 1,
            },
            cpu_share: 0.0012,
            probes: vec![
                ProbeReport {
                    probe: "file_open".into(),
                    hook: Some("lsm/file_open".into()),
                    refused: Vec::new(),
                    cannot_see: Vec::new(),
                    seen: 12,
                    submitted: 9,
                    lost: by_reason(&[("ring_full", 3), ("unreadable", 0)]),
                    repeated: 40,
                    cpus: Vec::new(),
                },
                ProbeReport {
                    probe: "file_received".into(),
                    hook: None,
                    refused: Vec::new(),
                    cannot_see: vec!["anything".into()],
                    seen: 0,
                    submitted: 0,
                    lost: BTreeMap::new(),
                    repeated: 0,
                    cpus: Vec::new(),
                },
            ],
            accounts: Accounts {
                received: 9,
                delivered: 8,
                dropped: by_reason(&[("own_process", 1)]),
                repeats_told: 40,
                ..Accounts::default()
            },
            unbalanced: BTreeMap::new(),
            labelled: ScanCounts {
                files: 1,
                directories: 3,
                roots: 2,
                ..ScanCounts::default()
            },
            hanging: Vec::new(),
            policy: PolicyReport {
                digest: "ab".into(),
                entries: 70,
                ..PolicyReport::default()
            },
            self_test: Some(SelfTestReport {
                done: 2,
                ..SelfTestReport::default()
            }),
            processes: 1,
            evidence: Some(EvidenceReport {
                sensor_id: "s".into(),
                boot_id: "b".into(),
                last_sequence: 20,
                sealed_events: by_reason(&[("credential_access", 8), ("gap", 1)]),
                gaps: by_reason(&[("ring_full", 1)]),
                spool_bytes: 2_500,
                spool_max_bytes: 268_435_456,
                connected: true,
                waiting_batches: 1,
                acknowledged_sequence: 19,
                clock_offset_ms: Some(-12),
                certificate_not_after: 1_800_000_000,
                ..EvidenceReport::default()
            }),
        }
    }

    fn plain(status: &Status, faults: &[&str]) -> String {
        let faults: Vec<String> = faults.iter().map(|fault| (*fault).to_owned()).collect();
        anstream::adapter::strip_str(&text(status, &faults)).to_string()
    }

    #[test]
    fn what_was_left_out_is_named() {
        let mut status = status();
        status.labelled.left_out = 3;
        status.labelled.left_out_at = vec![LeftOutAt {
            why: "names".into(),
            path: "/home/ann/\u{1b}cache".into(),
        }];
        let text = plain(&status, &[]);
        assert!(text.contains("3 places were left out"), "{text}");
        assert!(
            text.lines()
                .any(|line| line.trim() == r"names: /home/ann/\u{1b}cache"),
            "{text}"
        );
    }

    #[test]
    fn a_status_reads_well() {
        let expected = "\
claviger-sensor 0.1.0 (pid 7) has been watching for 1 h 2 min
nothing is wrong

watched     1 credential file, 3 directories, in 2 other trees of files (containers) too
catalogue   70 entries, no file of your own in it; SHA-256 ab
self-test   made 2 times; each time every probe saw what it had to see
costs       41.2 MB of memory, 0.12 % of a core on average; 1 process known
detector    connected; it has everything up to event 19
            this host's clock is 12 ms behind its; the sensor's certificate holds until 2027-01-15T08:00:00Z
spool       1 batch waiting, 2.5 kB of 268.4 MB; event 20 was sealed last
identity    sensor s, boot b
events      credential_access 8, gap 1
gaps        ring_full 1
uses        9 came out of the kernel: 8 told, 0 being looked up
            no event, and nothing lost: own_process 1
            lost 0; lost before they were sent 0
            40 repeats told as counts

✓ file_open         lsm/file_open: seen 12, repeated 40, lost 3 (ring_full 3)
✗ file_received     by no hook: seen 0, repeated 0, lost 0
    cannot see: anything";
        assert_eq!(plain(&status(), &[]), expected);
    }

    #[test]
    fn what_is_wrong_stands_first_and_steers_no_terminal() {
        let mut status = status();
        let evidence = status.evidence.as_mut().expect("one");
        evidence.connected = false;
        evidence.last_error = Some("no \u{1b}[31mroute".into());
        evidence.refusing = true;
        evidence.rejected_batches = 1;
        status.labelled.remembered = 2;
        let told = plain(&status, &["file_open does not see any more: x"]);
        let mut lines = told.lines();
        assert_eq!(
            lines.nth(1),
            Some("wrong: file_open does not see any more: x"),
            "{told}"
        );
        assert!(
            told.contains("detector    not connected: no \\u{1b}[31mroute; it has"),
            "{told}"
        );
        assert!(told.contains("it refused 1 batch for good"), "{told}");
        assert!(told.contains("            2 files by history only"), "{told}");
        assert!(told.contains("cannot be kept and is lost"), "{told}");
        assert!(!told.contains("nothing is wrong"), "{told}");
    }

    #[test]
    fn sizes_and_times_are_in_the_unit_that_fits() {
        assert_eq!(
            [0, 999, 1_000, 2_500_000_000].map(bytes),
            ["0 B", "999 B", "1.0 kB", "2.5 GB"]
        );
        assert_eq!(
            [0.9, 65.0, 3_600.0, 266_400.0].map(duration),
            ["0 s", "1 min 5 s", "1 h 0 min", "3 d 2 h"]
        );
    }
}
