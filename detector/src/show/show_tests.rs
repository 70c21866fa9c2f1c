use claviger_proto::v1::{
    Actor, AgentSocket, Cause, CauseRelation, Credential, Endpoint, Event, EventId, EventKind, Gap, Identity,
    Observation, Operation, Outcome, Process, Tls, Workload,
};

use super::*;
use crate::show;

fn process(pid: u32, comm: &str, exe_path: &str) -> Process {
    let (comm, exe_path) = (comm.into(), exe_path.into());
    Process {
        pid,
        comm,
        exe_path,
        start_time_ticks: 9,
        euid: Some(0),
        ..Process::default()
    }
}

fn example() -> (Event, Finding) {
    let attributes = [("profile", "default"), ("account", "581039954779")];
    let identity = Identity {
        kind: "aws_access_key_id".into(),
        id: "AKIAIOSFODNN7EXAMPLE".into(),
        attributes: attributes
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        evidence: vec![],
    };
    let credential = Credential {
        kind: "aws_access_key".into(),
        path: "/home/demo/.aws/credentials".into(),
        operation: Operation::Read.into(),
        identities: vec![identity],
        ..Credential::default()
    };
    let ancestors = [
        process(412, "sh", ""),
        process(398, "sshd", ""),
        process(1, "systemd", ""),
    ];
    let actor = Actor {
        process: Some(process(4312, "cat", "/usr/bin/cat")),
        ancestors: ancestors.into(),
        ..Actor::default()
    };
    let workload = Workload {
        id: "session://host/root".into(),
        ..Workload::default()
    };
    let id = EventId {
        sensor_id: "s".into(),
        boot_id: "b".into(),
        sequence: 7,
    };
    let time = prost_types::Timestamp {
        seconds: 1_795_000_000,
        nanos: 0,
    };
    let event = Event {
        id: Some(id.clone()),
        kind: EventKind::CredentialAccess.into(),
        time: Some(time),
        actor: Some(actor.clone().into()),
        workload: Some(workload.clone().into()),
        outcome: Outcome::Succeeded.into(),
        count: 1,
        observation: Some(
            Observation {
                probe: "file_open".into(),
                hook: "lsm/file_open".into(),
            }
            .into(),
        ),
        credential: Some(credential.clone()),
        ..Event::default()
    };
    let finding = Finding {
        id: "f".into(),
        time: Some(time),
        severity: Severity::Medium.into(),
        detection: "unusual_reader".into(),
        title: "AWS access key read by an unusual program".into(),
        summary: "/usr/bin/cat (pid 4312) read it".into(),
        evidence: vec![id],
        credential: Some(credential),
        actor: Some(actor.into()),
        workload: Some(workload.into()),
        event_time: Some(time),
        elapsed_us: 43_210,
        attack_techniques: vec!["T1552.001".into()],
        attack_version: "17.1".into(),
    };
    (event, finding)
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn a_finding_reads_like_this() {
    let expected = "\
MEDIUM  AWS access key read by an unusual program  unusual_reader
    /usr/bin/cat (pid 4312) read it
    read        /home/demo/.aws/credentials (aws_access_key)
    by          /usr/bin/cat (pid 4312, root uid 0)
    started by  sh (412) ← sshd (398) ← systemd (1)
    workload    session://host/root
    identity    aws_access_key_id AKIAIOSFODNN7EXAMPLE  account=581039954779  profile=default
    ATT&CK      T1552.001 (version 17.1)
    stored      2026-11-18 11:06:40 UTC, seen → stored 43 ms
    evidence    s/b/7
";
    assert_eq!(plain(&finding(&example().1)), expected);
}

#[test]
fn an_event_reads_like_this() {
    let expected = "\
2026-11-18 11:06:40 UTC  credential_access  succeeded
    read        /home/demo/.aws/credentials (aws_access_key)
    by          /usr/bin/cat (pid 4312, root uid 0)
    started by  sh (412) ← sshd (398) ← systemd (1)
    workload    session://host/root
    identity    aws_access_key_id AKIAIOSFODNN7EXAMPLE  account=581039954779  profile=default
    seen by     lsm/file_open
    event       s/b/7
";
    assert_eq!(plain(&show::event(&example().0)), expected);
}

#[test]
fn uses_on_the_network_read_like_this() {
    let (mut event, _) = example();
    event.credential = None;
    event.set_kind(EventKind::TokenEndpointCall);
    event.endpoint = Some(Box::new(Endpoint {
        address: "169.254.169.254".into(),
        port: 80,
        provider: "aws".into(),
        name: "169.254.169.254".into(),
        method: "GET".into(),
        path_class: "/latest/user-data".into(),
        status: 200,
        metadata_version: 1,
        ..Endpoint::default()
    }));
    let call = plain(&show::event(&event));
    let expected = "\
2026-11-18 11:06:40 UTC  token_endpoint_call  succeeded
    asked       GET /latest/user-data → 200
    to          169.254.169.254:80 (aws, IMDSv1)
";
    assert!(call.starts_with(expected), "{call}");

    event.set_kind(EventKind::IdentityProviderConnection);
    event.endpoint = Some(Box::new(Endpoint {
        address: "192.0.2.1".into(),
        port: 443,
        provider: "aws".into(),
        name: "sts.amazonaws.com".into(),
        ..Endpoint::default()
    }));
    event.tls = Some(Box::new(Tls {
        versions: vec!["1.3".into(), "1.2".into()],
        ..Tls::default()
    }));
    event.caused_by = vec![Cause {
        event: event.id.clone(),
        relation: CauseRelation::SameProcess.into(),
        same_provider: true,
    }];
    let connection = plain(&show::event(&event));
    for line in [
        "    to          192.0.2.1:443 (sts.amazonaws.com, aws)\n    TLS         1.3, 1.2\n",
        "    after       s/b/7, by itself\n",
    ] {
        assert!(connection.contains(line), "{line} in {connection}");
    }

    event.set_kind(EventKind::AgentSocketConnect);
    event.endpoint = None;
    event.agent_socket = Some(Box::new(AgentSocket {
        kind: "ssh_agent".into(),
        path: "/tmp/ssh-x/agent.1".into(),
        of_another_user: true,
        ..AgentSocket::default()
    }));
    let socket = plain(&show::event(&event));
    let line = "    socket      /tmp/ssh-x/agent.1 (ssh_agent), another user's\n";
    assert!(socket.contains(line), "{socket}");
}

#[test]
fn what_is_unknown_or_odd_is_said() {
    let (mut event, _) = example();
    event.set_outcome(Outcome::Denied);
    event.errno = 13;
    event.count = 3;
    let credential = event.credential.as_mut().expect("has one");
    credential.identities.clear();
    credential.unknown_reason = "too large".into();
    credential.path = "/x\x1b[31m".into();
    event.gap = Some(Box::new(Gap {
        reason: "spool_full".into(),
        first_lost_sequence: 3,
        last_lost_sequence: 5,
        lost_boot_id: "another".into(),
        ..Gap::default()
    }));
    let text = plain(&show::event(&event));
    for part in [
        "denied (errno 13)  3 times",
        "unknown: too large",
        "/x\\u{1b}[31m",
        "spool_full",
        "events 3 to 5 of boot another",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let unknown = Event {
        kind: 4711,
        ..Event::default()
    };
    assert_eq!(plain(&show::event(&unknown)), "no time  event of kind 4711\n");
}

#[test]
fn json_is_one_wrapped_object_a_line() {
    let (event, finding) = example();
    for (line, name) in [
        (show::json::event(&event), "event"),
        (show::json::finding(&finding), "finding"),
    ] {
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).expect("is JSON");
        let object = value.as_object().expect("is an object");
        assert_eq!(object.keys().collect::<Vec<_>>(), [name]);
        assert_eq!(
            value[name]["credential"]["identities"][0]["id"],
            "AKIAIOSFODNN7EXAMPLE"
        );
    }
    let value: serde_json::Value = serde_json::from_str(&show::json::finding(&finding)).expect("is JSON");
    assert_eq!(value["finding"]["severity"], "medium");
    assert_eq!(value["finding"]["elapsed_us"], 43_210);
    assert_eq!(value["finding"]["time"], "2026-11-18T11:06:40.000000000Z");
}
