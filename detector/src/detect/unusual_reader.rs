//! `unusual_reader`: a credential is taken by a program that is not among its kind's usual readers.
//!
//! A program is what truly runs (`program.rs`): the script and not its interpreter; and it is the file that lies at its path, in the host's tree or in
//! one that it was given (`place.rs`), not what somebody has it see there. What it cannot tell: what a usual reader does with the credential, and what
//! the image of a container has at a usual path. Attempts that were refused count too.
//!
//! A process that says it is a sensor (`is_sensor`, a `claviger-sensor trace`) opens every credential to recognise it. That it runs the sensor's program
//! proves nothing, for it may have been started with a library of somebody else's in it, or been made to run something by another. It is told as any
//! other; only that it does so to many is one finding for each severity, and not one for each.

use claviger_proto::program_path;
use claviger_proto::v1::{Event, Finding};

use super::{
    State, finding,
    program::{self, Runs},
    severity::severity,
    technique::technique,
    wording,
};
use crate::verify::Verified;

const NAME: &str = "unusual_reader";

pub(super) fn detect(event: &Verified<Event>, state: &mut State) -> Option<Finding> {
    let id = event.id.as_ref()?;
    let credential = event.credential.as_ref()?;
    let process = event.actor.as_ref().and_then(|actor| actor.process.as_ref());
    let outcome = event.outcome();
    let severity = severity(&credential.kind, outcome);
    let says_it_is_a_sensor = event.actor.as_ref().is_some_and(|actor| actor.is_sensor);
    let is_usual = |path: &str| state.catalogue.is_usual_reader(&credential.kind, path);
    let mut runs = process.map_or(Runs::Other, |process| program::judge(process, is_usual));
    if runs == Runs::Meant
        && let Some(process) = process
        && let Some(by) = state.meddled.by(event)
    {
        let path = program_path(process).to_owned();
        runs = Runs::Claims {
            unproved: path.clone(),
            path,
            reason: format!("{by} traces it or has written into it"),
        };
    }
    if runs == Runs::Meant {
        return None;
    }
    let is_new = if says_it_is_a_sensor {
        state.reported.is_new_sensor(event, severity)
    } else {
        state.reported.is_new(event)
    };
    if !is_new {
        return None;
    }
    let mut summary = wording::summary(state.catalogue, event, credential, &runs);
    if says_it_is_a_sensor {
        summary.push_str(
            ". It says that it is a sensor, as `claviger-sensor trace` does, which opens all credentials to recognise them; nothing proves that \
             it is nothing else. What else of this weight it opens is in the events only",
        );
    }
    Some(Finding {
        id: finding::id(NAME, id, b""),
        time: None,
        severity: severity.into(),
        detection: NAME.into(),
        title: wording::title(state.catalogue, credential, outcome),
        summary,
        evidence: vec![id.clone()],
        credential: Some(credential.clone()),
        actor: event.actor.clone(),
        workload: event.workload.clone(),
        event_time: event.time,
        elapsed_us: 0,
        attack_techniques: vec![technique(&credential.kind).into()],
        attack_version: finding::ATTACK_VERSION.into(),
    })
}

#[cfg(test)]
mod tests {
    use claviger_proto::catalogue::Catalogue;
    use claviger_proto::v1::{
        Actor, Credential, EventKind, Identity, Operation, Outcome, Process, ProcessSecret, Program,
        ProgramBasis, ProgramPlace, Severity, Tree, Workload,
    };

    use super::super::{detect, place};
    use super::*;
    use crate::verify::testing::Signer;

    fn process(pid: u32, comm: &str, exe_path: &str) -> Process {
        let (comm, exe_path) = (comm.into(), exe_path.into());
        Process {
            pid,
            start_time_ticks: 100 + u64::from(pid),
            comm,
            exe_path,
            euid: Some(0),
            exe_place: place::proved(),
            ..Process::default()
        }
    }

    fn read_by(exe_path: &str) -> Event {
        let identity = Identity {
            kind: "aws_access_key_id".into(),
            id: "AKIAIOSFODNN7EXAMPLE".into(),
            attributes: [("profile".to_owned(), "default".to_owned())].into(),
            evidence: Vec::new(),
        };
        Event {
            kind: EventKind::CredentialAccess.into(),
            outcome: Outcome::Succeeded.into(),
            count: 1,
            actor: Some(
                Actor {
                    process: Some(process(412, "cat", exe_path)),
                    ancestors: vec![process(411, "sh", "/bin/sh"), process(1, "systemd", "/sbin/init")],
                    ..Actor::default()
                }
                .into(),
            ),
            credential: Some(Credential {
                kind: "aws_access_key".into(),
                path: "/home/demo/.aws/credentials".into(),
                operation: Operation::Read.into(),
                identities: vec![identity],
                ..Credential::default()
            }),
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
    fn an_unusual_reader_is_told_in_one_sentence() {
        let found = findings(vec![read_by("/usr/bin/cat")]);
        let [finding] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(
            finding.summary,
            "/usr/bin/cat (pid 412), started by sh (411) under systemd (1), as root read /home/demo/.aws/credentials, \
             which holds AKIAIOSFODNN7EXAMPLE of profile default; it is not among the programs that usually do so \
             (AWS access key)"
        );
        assert_eq!(finding.title, "AWS access key read by an unusual program");
        assert_eq!(finding.severity(), Severity::Medium);
        assert_eq!(finding.attack_techniques, ["T1552.001"]);
        assert_eq!(finding.evidence[0].sequence, 1);
    }

    #[test]
    fn the_usual_reader_is_not_reported() {
        assert_eq!(findings(vec![read_by("/usr/local/bin/aws")]), []);
    }

    #[test]
    fn what_only_claims_to_be_the_usual_reader_is_reported_with_why() {
        let mut forged = read_by("/usr/bin/aws");
        let process = forged
            .actor
            .as_mut()
            .and_then(|actor| actor.to_mut().process.as_mut());
        process.expect("has one").exe_place = Some(ProgramPlace {
            tree: Tree::None.into(),
            reason: "another file lies at its path in the host's tree".into(),
            ..ProgramPlace::default()
        });
        let found = findings(vec![forged]);
        assert!(
            found[0].summary.ends_with(
                "; it has the path of a program that usually does so, /usr/bin/aws, but another file lies at its path \
                 in the host's tree (AWS access key)"
            ),
            "{}",
            found[0].summary
        );
    }

    #[test]
    fn a_usual_reader_that_another_traces_is_reported() {
        let mut traced = read_by("/tmp/inject");
        traced.kind = EventKind::ProcessSecretAccess.into();
        traced.credential = None;
        let secret = ProcessSecret {
            target: Some(process(412, "aws", "/usr/bin/sh")),
            part: "ptrace_traceme".into(),
            ..ProcessSecret::default()
        };
        traced.process_secret = Some(secret.into());
        let found = findings(vec![traced, read_by("/usr/bin/aws")]);
        let [finding] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert!(
            finding.summary.ends_with(
                "; it has the path of a program that usually does so, /usr/bin/aws, but /tmp/inject (pid 412) traces it or has written into it (AWS access key)"
            ),
            "{}",
            finding.summary
        );
    }

    #[test]
    fn a_script_counts_for_itself() {
        let by_script = |path: &str| {
            let mut event = read_by("/usr/bin/python3.11");
            let process = event
                .actor
                .as_mut()
                .and_then(|actor| actor.to_mut().process.as_mut());
            process.expect("has one").script = Some(Program {
                path: path.into(),
                basis: ProgramBasis::ExecutedFile.into(),
                place: place::proved(),
                ..Program::default()
            });
            event
        };
        assert_eq!(findings(vec![by_script("/usr/bin/aws")]), []);
        let found = findings(vec![by_script("/tmp/aws")]);
        assert!(
            found[0]
                .summary
                .starts_with("/tmp/aws run by /usr/bin/python3.11 (pid 412), started by"),
            "{}",
            found[0].summary
        );
    }

    /// What runs in a process of the sensor's program is whatever was loaded into it.
    #[test]
    fn who_says_that_he_is_a_sensor_is_told_once_for_each_severity() {
        let recognised = |kind: &str, path: &str| {
            let mut event = read_by("/usr/bin/claviger-sensor");
            event.actor.as_mut().expect("has one").to_mut().is_sensor = true;
            let credential = event.credential.as_mut().expect("has one");
            (credential.kind, credential.path) = (kind.into(), path.into());
            event
        };
        let found = findings(vec![
            recognised("aws_access_key", "/home/a/.aws/credentials"),
            recognised("aws_access_key", "/home/b/.aws/credentials"),
            recognised("host_password_hashes", "/etc/shadow"),
            recognised("host_password_hashes", "/etc/gshadow"),
        ]);
        let severities: Vec<_> = found.iter().map(Finding::severity).collect();
        assert_eq!(severities, [Severity::Medium, Severity::High]);
        assert!(
            found[0]
                .summary
                .contains("nothing proves that it is nothing else"),
            "{}",
            found[0].summary
        );
    }

    #[test]
    fn a_refused_attempt_and_an_unknown_executable_count() {
        let mut refused = read_by("/usr/bin/cat");
        refused.set_outcome(Outcome::Denied);
        refused.errno = 13;
        let unknown = read_by("");
        let mut nobody = read_by("");
        nobody.actor = None;
        let found = findings(vec![refused, unknown, nobody]);
        assert_eq!(found.len(), 3);
        assert!(found[0].summary.contains("tried to read") && found[0].summary.contains("errno 13"));
        assert_eq!(found[0].severity(), Severity::Low);
        assert!(found[1].summary.contains("its executable is not known"));
        assert!(found[2].summary.starts_with("an unknown process"));
    }

    #[test]
    fn a_write_is_worded_as_one() {
        let mut write = read_by("/usr/bin/tee");
        let credential = write.credential.as_mut().expect("has one");
        credential.kind = "ssh_authorized_keys".into();
        credential.set_operation(Operation::Write);
        write.workload = Some(
            Workload {
                user: "demo".into(),
                ..Workload::default()
            }
            .into(),
        );
        let process = write
            .actor
            .as_mut()
            .and_then(|actor| actor.to_mut().process.as_mut())
            .expect("has one");
        process.euid = Some(1000);
        let found = findings(vec![write]);
        assert!(
            found[0].summary.contains("as demo (uid 1000) opened for writing"),
            "{}",
            found[0].summary
        );
        assert_eq!(found[0].attack_techniques, ["T1098.004"]);
    }

    #[test]
    fn of_an_end_that_nobody_saw_it_is_said_what_was_seen() {
        let by = |hook: &str| {
            let mut asked = read_by("/usr/bin/cat");
            asked.outcome = Outcome::Unknown.into();
            let observation = claviger_proto::v1::Observation {
                probe: "file_open".into(),
                hook: hook.into(),
            };
            asked.observation = Some(observation.into());
            findings(vec![asked]).remove(0).summary
        };
        assert!(by("lsm/file_open").contains("was let to read"));
        let by_path = by("tracepoint/syscalls/sys_exit_openat");
        assert!(
            by_path.contains("asked to read") && by_path.contains("was not seen"),
            "{by_path}"
        );
    }

    #[test]
    fn a_kind_that_nobody_knows_is_said_as_unknown() {
        for kind in ["", "of_tomorrow"] {
            let mut unknown = read_by("/usr/bin/cat");
            unknown.credential.as_mut().expect("has one").kind = kind.into();
            let found = findings(vec![unknown]);
            assert_eq!(
                found[0].title,
                "an unknown kind of credential read by an unusual program"
            );
            assert!(
                found[0].summary.ends_with("(an unknown kind of credential)"),
                "{}",
                found[0].summary
            );
        }
    }

    #[test]
    fn the_count_of_repeats_gives_no_second_finding() {
        let mut repeats = read_by("/usr/bin/cat");
        repeats.count = 41;
        assert_eq!(findings(vec![read_by("/usr/bin/cat"), repeats]).len(), 1);
    }

    #[test]
    fn other_kinds_of_events_are_not_reads() {
        let mut other = read_by("/usr/bin/cat");
        other.set_kind(EventKind::CredentialChange);
        assert_eq!(findings(vec![other]), []);
    }
}
