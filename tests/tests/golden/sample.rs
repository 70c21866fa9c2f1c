//! One event of every kind. Between them they set every field of the contract, which `complete` proves.
//!
//! Fixed for ever: a field that is added later is set in a sample of its own. No value here is anyone's; the key id is AWS's own example.

use claviger_proto::v1::{
    Actor, ActorBasis, AgentSocket, Amendment, Cause, CauseRelation, Change, Credential, Discovery, Endpoint,
    EnvironmentCode, Event, EventId, EventKind, Evidence, Gap, Identity, KernelKey, LossCount, MatchBasis,
    Namespaces, Observation, Operation, Outcome, ProbeStatus, Process, ProcessSecret, Program, ProgramBasis,
    ProgramPlace, SensorStatus, Tamper, Tls, Tree, Workload, WorkloadKind,
};
use prost_types::Timestamp;

pub(crate) fn events() -> Vec<Event> {
    vec![
        Event {
            errno: 13,
            outcome: Outcome::Denied.into(),
            credential: Some(credential()),
            ..used(EventKind::CredentialAccess)
        },
        Event {
            process_secret: Some(Box::new(ProcessSecret {
                target: Some(process(77)),
                part: "environ".into(),
                block_device: 0x801,
                operation: Operation::Read.into(),
                unknown_reason: "it had ended".into(),
                written_to: "/srv/payments/core".into(),
                signal: 6,
            })),
            ..used(EventKind::ProcessSecretAccess)
        },
        Event {
            endpoint: Some(Box::new(endpoint("169.254.169.254", 80))),
            ..sent(EventKind::TokenEndpointCall, ActorBasis::Sender)
        },
        Event {
            endpoint: Some(Box::new(endpoint("2001:db8::7", 443))),
            tls: Some(Box::new(tls())),
            caused_by: vec![Cause {
                event: Some(EventId {
                    sensor_id: "0191f7a0-0000-7000-8000-000000000001".into(),
                    boot_id: "0191f7a0-0000-7000-8000-0000000000b0".into(),
                    sequence: 4_711,
                }),
                relation: CauseRelation::Descendant.into(),
                same_provider: true,
            }],
            ..sent(EventKind::IdentityProviderConnection, ActorBasis::SocketOpener)
        },
        Event {
            agent_socket: Some(Box::new(AgentSocket {
                kind: "ssh_agent".into(),
                path: "/tmp/ssh-XXXXXXdecoy/agent.77".into(),
                peer: Some(process(77)),
                peer_workload: Some(workload()),
                of_another_user: true,
                unknown_reason: "who made the socket has ended".into(),
            })),
            ..used(EventKind::AgentSocketConnect)
        },
        Event {
            kernel_key: Some(Box::new(KernelKey {
                serial: -559_038_737,
                r#type: "user".into(),
                description: "decoy".into(),
                operation: "read".into(),
            })),
            ..used(EventKind::KernelKeyAccess)
        },
        Event {
            pre_existing: true,
            since: Some(time(1_700_000_000, 5)),
            credential: Some(credential()),
            ..used(EventKind::EnvironmentCredential)
        },
        Event {
            discovery: Some(Box::new(Discovery {
                path: "/home/demo/.ssh".into(),
                device: 0x801,
                inode: 42,
            })),
            ..used(EventKind::CredentialDiscovery)
        },
        Event {
            credential: Some(credential()),
            change: Some(Box::new(Change {
                what: "mode".into(),
                before: "0600".into(),
                after: "0644".into(),
            })),
            ..used(EventKind::CredentialChange)
        },
        Event {
            tamper: Some(Box::new(Tamper {
                what: "signal".into(),
                target: "claviger-sensor".into(),
            })),
            ..used(EventKind::SensorTamper)
        },
        status(),
        Event {
            gap: Some(Box::new(gap())),
            ..of(EventKind::Gap)
        },
        Event {
            amendment: Some(Box::new(Amendment {
                amends: Some(EventId {
                    sensor_id: "5e5e5e5e-5e5e-5e5e-5e5e-5e5e5e5e5e5e".into(),
                    boot_id: "b0b0b0b0-b0b0-b0b0-b0b0-b0b0b0b0b0b0".into(),
                    sequence: 1,
                }),
                workload: Some(workload()),
                identities: vec![identity()],
            })),
            ..of(EventKind::Amendment)
        },
    ]
}

pub(crate) fn losses() -> Vec<LossCount> {
    vec![
        loss("file_open", "ring_full", 3),
        loss("spool", "spool_full", 1 << 40),
    ]
}

pub(crate) fn status() -> Event {
    Event {
        sensor_status: Some(Box::new(SensorStatus {
            version: "0.1.0".into(),
            kernel: "6.12.57+deb13-amd64".into(),
            probes: vec![ProbeStatus {
                probe: "file_open".into(),
                hook: "fentry/security_file_open".into(),
                refused: vec!["lsm/file_open: attached but never ran".into()],
                cannot_see: vec!["opens by a device that does not exist".into()],
                seen: 20,
                submitted: 17,
                lost: vec![loss("file_open", "ring_full", 3)],
            }],
            reason: "periodic".into(),
            resident_memory_bytes: 31 << 20,
            cpu_time_us: 1_234_567,
        })),
        ..of(EventKind::SensorStatus)
    }
}

fn of(kind: EventKind) -> Event {
    Event {
        kind: kind.into(),
        time: Some(time(1_794_999_999, 987_654_321)),
        time_since_boot_ns: 987_654_321_012,
        ..Event::default()
    }
}

fn used(kind: EventKind) -> Event {
    Event {
        actor: Some(actor(ActorBasis::Unspecified).into()),
        workload: Some(workload().into()),
        outcome: Outcome::Succeeded.into(),
        count: 2,
        observation: Some(
            Observation {
                probe: "file_open".into(),
                hook: "lsm/file_open".into(),
            }
            .into(),
        ),
        ..of(kind)
    }
}

fn sent(kind: EventKind, basis: ActorBasis) -> Event {
    Event {
        actor: Some(actor(basis).into()),
        outcome: Outcome::Unknown.into(),
        ..used(kind)
    }
}

fn actor(basis: ActorBasis) -> Actor {
    Actor {
        process: Some(process(4_242)),
        ancestors: vec![Process {
            unknown_reason: "exited before it was looked at".into(),
            ..Process::default()
        }],
        basis: basis.into(),
        is_sensor: true,
        creators: vec![process(77)],
    }
}

fn process(pid: u32) -> Process {
    Process {
        pid,
        tid: pid + 8,
        start_time_ticks: 424_200,
        comm: "python3".into(),
        exe_path: "/usr/bin/python3\\xff".into(),
        exe_device: 0x801,
        exe_inode: 998_877,
        uid: Some(1_000),
        gid: Some(1_001),
        euid: Some(0),
        egid: Some(4),
        login_uid: Some(1_000),
        effective_capabilities: Some(1 << 19 | 1 << 21),
        cgroup_id: 5_353,
        cgroup_path: "/system.slice/backup.service".into(),
        namespaces: Some(Namespaces {
            mount: 4_026_531_841,
            pid: 4_026_531_836,
            network: 4_026_531_840,
            user: 4_026_531_837,
        }),
        unknown_reason: String::new(),
        comm_at_exec: "aws".into(),
        exe_deleted: true,
        exe_memfd: true,
        exe_upper_layer: true,
        script: Some(program("/usr/bin/aws", ProgramBasis::ExecutedFile)),
        loaded_program: Some(program("/usr/bin/cat", ProgramBasis::Mapped)),
        applet: "cat".into(),
        exe_place: Some(place(Tree::None)),
        exe_replaced: true,
        environment_code: Some(EnvironmentCode {
            variables: vec!["LD_PRELOAD".into(), "BASH_ENV".into()],
            incomplete: true,
        }),
    }
}

fn place(tree: Tree) -> ProgramPlace {
    ProgramPlace {
        tree: tree.into(),
        owner_uid: Some(1_000),
        mode: Some(0o4755),
        reason: "another file lies there".into(),
    }
}

fn program(path: &str, basis: ProgramBasis) -> Program {
    Program {
        path: path.into(),
        device: 0x801,
        inode: 998_878,
        basis: basis.into(),
        deleted: true,
        memfd: true,
        upper_layer: true,
        unknown_reason: "nothing is unknown of a sample".into(),
        place: Some(place(Tree::Own)),
    }
}

fn workload() -> Workload {
    Workload {
        id: "systemd://decoy/backup.service".into(),
        kind: WorkloadKind::SystemdUnit.into(),
        host: "decoy".into(),
        systemd_unit: "backup.service".into(),
        systemd_slice: "system.slice".into(),
        session: "c7".into(),
        user: "demo".into(),
        evidence: vec![evidence("cgroup_path", "/system.slice/backup.service")],
        unknown_reason: "nothing is unknown of a sample".into(),
    }
}

fn credential() -> Credential {
    Credential {
        kind: "aws_access_key".into(),
        path: "/home/d\\xe9mo/.aws/credentials".into(),
        path_bytes: b"/home/d\xe9mo/.aws/credentials".to_vec(),
        device: 0x801,
        inode: 1_234_567,
        generation: 77,
        operation: Operation::ReadWrite.into(),
        matched_by: MatchBasis::DirectoryEntry.into(),
        catalogue_entry: "aws-credentials".into(),
        identities: vec![identity()],
        unknown_reason: "nothing is unknown of a sample".into(),
        path_truncated: true,
        held_in: vec![
            "environment AWS_SECRET_ACCESS_KEY".into(),
            "option --token".into(),
        ],
        held_in_left_out: 5,
    }
}

fn identity() -> Identity {
    Identity {
        kind: "aws_access_key_id".into(),
        id: "AKIAIOSFODNN7EXAMPLE".into(),
        attributes: [("profile", "default"), ("region", "eu-central-1")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        evidence: vec![evidence("credential_file", "[default]")],
    }
}

fn endpoint(address: &str, port: u32) -> Endpoint {
    Endpoint {
        address: address.into(),
        port,
        transport: 6,
        provider: "aws".into(),
        name: "sts.eu-central-1.amazonaws.com".into(),
        name_basis: "sni".into(),
        method: "PUT".into(),
        path_class: "/latest/api/token".into(),
        status: 200,
        translated_address: "192.0.2.9".into(),
        for_token: true,
        by_proxy: true,
        metadata_version: 2,
    }
}

fn tls() -> Tls {
    Tls {
        server_name: "sts.eu-central-1.amazonaws.com".into(),
        alpn: vec!["h2".into(), "http/1.1".into()],
        ja4: "t13d1516h2_8daaf6152771_02713d6af862".into(),
        encrypted_client_hello: true,
        versions: vec!["1.3".into(), "1.2".into()],
        resumption: true,
        incomplete: true,
    }
}

fn gap() -> Gap {
    Gap {
        losses: losses(),
        from: Some(time(1_794_999_000, 1)),
        to: Some(time(1_794_999_900, 2)),
        reason: "spool_full".into(),
        first_lost_sequence: 300,
        last_lost_sequence: 399,
        last_lost_batch_sha256: vec![0xd1; 32],
        lost_boot_id: "1e1f7b0c-9d7e-4f6a-8a52-6f2b1c0d9e8f".into(),
    }
}

fn evidence(source: &str, value: &str) -> Evidence {
    Evidence {
        source: source.into(),
        value: value.into(),
    }
}

fn loss(stage: &str, reason: &str, count: u64) -> LossCount {
    LossCount {
        stage: stage.into(),
        reason: reason.into(),
        count,
    }
}

fn time(seconds: i64, nanos: i32) -> Timestamp {
    Timestamp { seconds, nanos }
}
