//! `sensor_tampered`: a process did something to a sensor that can blind it, or took a key of it.
//!
//! Left out are signals that change nothing, what the service manager (process 1) does to its services, and writes of package managers, by their
//! programs (`program.rs`). A sensor that was blinded before it could say so is told by the gap in its evidence.

use claviger_proto::v1::{Event, Finding, Outcome, Process, Severity, Tamper};

use super::{
    State, finding,
    program::{self, Runs},
    wording,
};
use crate::verify::Verified;

const NAME: &str = "sensor_tampered";

/// Impair Defenses: Disable or Modify Tools.
const TECHNIQUE: &str = "T1562.001";

/// Unsecured Credentials: Private Keys.
const PRIVATE_KEYS: &str = "T1552.004";

/// Signals that neither end nor stop a sensor: SIGHUP has it read its catalogue again, the others are ignored (17, 18, 23 and 28 are SIGCHLD,
/// SIGCONT, SIGURG and SIGWINCH).
const HARMLESS: [&str; 5] = ["signal 1", "signal 17", "signal 18", "signal 23", "signal 28"];

/// Programs that replace the sensor's files when it is installed or upgraded.
const PACKAGE_MANAGERS: [&str; 8] = [
    "/usr/bin/apt",
    "/usr/bin/apt-get",
    "/usr/bin/dnf5",
    "/usr/bin/dpkg",
    "/usr/bin/microdnf",
    "/usr/bin/rpm",
    "/usr/bin/zypper",
    "/usr/libexec/packagekitd",
];

pub(super) fn detect(event: &Verified<Event>, state: &mut State) -> Option<Finding> {
    let id = event.id.as_ref()?;
    let tamper = event.tamper.as_ref()?;
    let process = event.actor.as_ref().and_then(|actor| actor.process.as_ref());
    let runs = process.map_or(Runs::Other, |process| {
        program::judge(process, |path| PACKAGE_MANAGERS.contains(&path))
    });
    if is_usual(tamper, process, &runs) || !state.reported.is_new(event) {
        return None;
    }
    let is_key = tamper.what == "key_read";
    let claim = runs.claim().filter(|_| is_upgrade(tamper));
    let claim = claim.map(|claim| format!("; it has the path of a package manager, {claim}"));
    Some(Finding {
        id: finding::id(NAME, id, b""),
        time: None,
        severity: Severity::High.into(),
        detection: NAME.into(),
        title: title(tamper, event.outcome()),
        summary: format!(
            "{} {}; whoever can do this can {}{}",
            wording::who(event),
            did(tamper, event),
            if is_key {
                "speak in the sensor's name"
            } else {
                "blind the sensor"
            },
            claim.unwrap_or_default()
        ),
        evidence: vec![id.clone()],
        credential: None,
        actor: event.actor.clone(),
        workload: event.workload.clone(),
        event_time: event.time,
        elapsed_us: 0,
        attack_techniques: vec![if is_key { PRIVATE_KEYS } else { TECHNIQUE }.into()],
        attack_version: finding::ATTACK_VERSION.into(),
    })
}

/// Whether it is what replacing the sensor's files by others takes.
fn is_upgrade(tamper: &Tamper) -> bool {
    matches!(
        tamper.what.as_str(),
        "file_written" | "file_removed" | "file_changed"
    )
}

fn is_usual(tamper: &Tamper, process: Option<&Process>, runs: &Runs) -> bool {
    let is_manager = process.is_some_and(|process| process.pid == 1);
    match tamper.what.as_str() {
        "signal" => is_manager || HARMLESS.contains(&tamper.target.as_str()),
        // It sets up a service's mounts, limits and cgroup, and freezes it where it is asked to.
        "mount_over" | "limit" | "scheduling" | "oom_score" | "cgroup" | "freeze" => is_manager,
        "file_written" if is_manager => tamper.target.starts_with("/sys/fs/cgroup/"),
        _ => is_upgrade(tamper) && *runs == Runs::Meant,
    }
}

fn title(tamper: &Tamper, outcome: Outcome) -> String {
    let what = match tamper.what.as_str() {
        "signal" => "signal to the sensor",
        "bpf" => "the sensor's probes reached for by bpf()",
        "mount_over" => "mount over the sensor's files",
        "file_written" => "file of the sensor opened for writing",
        "key_read" => "key of the sensor read",
        "file_removed" => "file of the sensor removed",
        "file_changed" => "file of the sensor changed",
        "process" => "the sensor's process reached for",
        "limit" => "limit set on the sensor",
        "scheduling" => "the sensor scheduled otherwise",
        "oom_score" => "the sensor's turn set for when memory runs out",
        "cgroup" => "the sensor moved to another cgroup",
        "freeze" => "the sensor frozen",
        "setting" => "setting of the kernel by which hooks run written",
        _ => "the sensor tampered with",
    };
    match outcome {
        Outcome::Denied => format!("{what}, refused"),
        _ => what.to_owned(),
    }
}

fn did(tamper: &Tamper, event: &Event) -> String {
    let target = &tamper.target;
    let (past, infinitive) = match tamper.what.as_str() {
        "signal" => ("sent", "send"),
        "bpf" => ("called bpf() with", "call bpf() with"),
        "mount_over" => ("mounted over", "mount over"),
        "file_written" => ("opened for writing", "open for writing"),
        "key_read" => ("read", "read"),
        "file_removed" => ("removed or renamed", "remove or rename"),
        "file_changed" => ("changed", "change"),
        "process" => ("reached by", "reach by"),
        "limit" | "scheduling" | "oom_score" => ("set", "set"),
        "cgroup" => ("moved the sensor to cgroup", "move the sensor to cgroup"),
        "freeze" => ("froze cgroup", "freeze cgroup"),
        "setting" => ("wrote", "write"),
        _ => ("did something to", "do something to"),
    };
    let behind = match tamper.what.as_str() {
        "signal" => " to the sensor",
        "bpf" => ", which is the sensor's",
        "mount_over" => ", where the sensor's files lie",
        "process" => " for the sensor's process",
        "limit" => " of the sensor",
        "scheduling" => " on the sensor",
        "oom_score" => " as oom_score_adj of the sensor",
        "cgroup" => "",
        "freeze" => ", in which the sensor runs",
        "setting" => ", by which hooks of the sensor run",
        "key_read" => ", a key of the sensor",
        _ => ", a file of the sensor",
    };
    match event.outcome() {
        Outcome::Denied => format!(
            "tried to {infinitive} {target}{behind} and was refused (errno {})",
            event.errno
        ),
        Outcome::Unknown | Outcome::Unspecified => {
            format!("tried to {infinitive} {target}{behind}; how that ended was not seen")
        }
        Outcome::Succeeded => format!("{past} {target}{behind}"),
    }
}

#[cfg(test)]
mod tests {
    use claviger_proto::catalogue::Catalogue;
    use claviger_proto::v1::{Actor, EventKind};

    use super::super::{detect, place};
    use super::*;
    use crate::verify::testing::Signer;

    fn tampering(pid: u32, exe_path: &str, what: &str, target: &str) -> Event {
        let process = Process {
            pid,
            start_time_ticks: 7,
            comm: "x".into(),
            exe_path: exe_path.into(),
            euid: Some(0),
            exe_place: place::proved(),
            ..Process::default()
        };
        Event {
            kind: EventKind::SensorTamper.into(),
            outcome: Outcome::Succeeded.into(),
            count: 1,
            actor: Some(
                Actor {
                    process: Some(process),
                    ..Actor::default()
                }
                .into(),
            ),
            tamper: Some(Box::new(Tamper {
                what: what.into(),
                target: target.into(),
            })),
            ..Event::default()
        }
    }

    fn findings(events: Vec<Event>) -> Vec<Finding> {
        let mut state = State::new(Catalogue::shipped());
        let (_, _, events) = Signer::new(1).verified(events).split();
        events
            .iter()
            .flat_map(|event| detect(event, &mut state))
            .collect()
    }

    #[test]
    fn a_kill_is_told_in_one_sentence_with_its_evidence() {
        let found = findings(vec![tampering(412, "/usr/bin/kill", "signal", "signal 9")]);
        let [finding] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(
            finding.summary,
            "/usr/bin/kill (pid 412) as root sent signal 9 to the sensor; whoever can do this can blind the sensor"
        );
        assert_eq!(finding.title, "signal to the sensor");
        assert_eq!(finding.severity(), Severity::High);
        assert_eq!(finding.attack_techniques, ["T1562.001"]);
        assert_eq!(finding.evidence[0].sequence, 1);
    }

    #[test]
    fn each_way_is_worded() {
        let target = "LINK_DETACH of link 12 of program sys_exit_opens";
        for (what, target, sentence) in [
            (
                "bpf",
                target,
                "called bpf() with LINK_DETACH of link 12 of program",
            ),
            (
                "mount_over",
                "/var/lib",
                "mounted over /var/lib, where the sensor's files lie;",
            ),
            (
                "file_written",
                "/etc/x",
                "opened for writing /etc/x, a file of the sensor;",
            ),
            ("process", "ptrace", "reached by ptrace for the sensor's process;"),
            ("limit", "RLIMIT_NOFILE", "set RLIMIT_NOFILE of the sensor;"),
            ("oom_score", "1000", "set 1000 as oom_score_adj of the sensor;"),
            ("cgroup", "/x", "moved the sensor to cgroup /x;"),
            ("freeze", "/x", "froze cgroup /x, in which the sensor runs;"),
            ("of_tomorrow", "it", "did something to it"),
        ] {
            let found = findings(vec![tampering(412, "/bin/sh", what, target)]);
            assert!(found[0].summary.contains(sentence), "{}", found[0].summary);
        }
        let mut refused = tampering(412, "/bin/sh", "signal", "signal 9");
        refused.set_outcome(Outcome::Denied);
        refused.errno = 1;
        let found = findings(vec![refused]);
        assert_eq!(found[0].title, "signal to the sensor, refused");
        assert!(
            found[0]
                .summary
                .contains("tried to send signal 9 to the sensor and was refused (errno 1)")
        );
    }

    #[test]
    fn who_reads_a_key_can_speak_in_the_sensors_name() {
        let key = "/var/lib/claviger/sensor/identity/signing.key";
        let found = findings(vec![tampering(412, "/usr/bin/tar", "key_read", key)]);
        let [finding] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(
            finding.summary,
            format!(
                "/usr/bin/tar (pid 412) as root read {key}, a key of the sensor; whoever can do this can speak in the sensor's name"
            )
        );
        assert_eq!(finding.attack_techniques, ["T1552.004"]);
    }

    #[test]
    fn the_service_manager_and_package_managers_are_no_attack_in_what_they_do() {
        let (systemd, dpkg) = ("/usr/lib/systemd/systemd", "/usr/bin/dpkg");
        let usual = [
            tampering(1, systemd, "signal", "signal 15"),
            tampering(1, systemd, "mount_over", "/var/lib"),
            tampering(1, systemd, "cgroup", "/system.slice/claviger-sensor.service"),
            tampering(1, systemd, "file_written", "/sys/fs/cgroup/system.slice/cpu.max"),
            tampering(412, dpkg, "file_written", "/usr/bin/claviger-sensor"),
        ];
        assert_eq!(findings(usual.to_vec()), []);
        let unusual = [
            tampering(412, systemd, "signal", "signal 15"),
            tampering(1, systemd, "bpf", "LINK_DETACH of link 1 of program x"),
            tampering(1, systemd, "file_written", "/etc/claviger/sensor.toml"),
            tampering(412, "/bin/sh", "freeze", "/system.slice"),
            tampering(412, dpkg, "signal", "signal 19"),
            tampering(
                413,
                "/tmp/usr/bin/dpkg",
                "file_written",
                "/usr/bin/claviger-sensor",
            ),
            tampering(414, "", "file_written", "/usr/bin/claviger-sensor"),
        ];
        assert_eq!(findings(unusual.to_vec()).len(), 7);
    }

    #[test]
    fn signals_that_change_nothing_give_no_finding() {
        let signals = HARMLESS.map(|signal| tampering(412, "/bin/kill", "signal", signal));
        assert_eq!(findings(signals.to_vec()), []);
    }

    #[test]
    fn the_count_of_repeats_gives_no_second_finding_and_another_target_does() {
        let first = tampering(412, "/bin/kill", "signal", "signal 19");
        let mut repeats = first.clone();
        repeats.count = 9;
        assert_eq!(findings(vec![first.clone(), repeats]).len(), 1);
        let other = tampering(412, "/bin/kill", "signal", "signal 9");
        assert_eq!(findings(vec![first, other]).len(), 2);
    }
}
