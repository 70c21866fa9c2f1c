use claviger_proto::v1::{Actor, Credential, Endpoint};

use super::*;

const SECOND: u64 = 1_000_000_000;

fn process(pid: u32) -> Process {
    Process {
        pid,
        // One each second.
        start_time_ticks: u64::from(pid) * SECOND / NANOSECONDS_PER_TICK,
        ..Process::default()
    }
}

fn event(kind: EventKind, line: &[u32], seconds: u64) -> Event {
    let actor = Actor {
        process: line.first().copied().map(process),
        ancestors: line.iter().skip(1).copied().map(process).collect(),
        ..Actor::default()
    };
    Event {
        kind: kind.into(),
        time_since_boot_ns: seconds * SECOND,
        actor: Some(actor.into()),
        outcome: Outcome::Succeeded.into(),
        ..Event::default()
    }
}

fn read(line: &[u32], seconds: u64, kind: &str) -> Event {
    Event {
        credential: Some(Credential {
            kind: kind.into(),
            operation: Operation::Read.into(),
            ..Credential::default()
        }),
        ..event(EventKind::CredentialAccess, line, seconds)
    }
}

fn connection(line: &[u32], seconds: u64, provider: &str) -> Event {
    Event {
        endpoint: Some(Box::new(Endpoint {
            provider: provider.into(),
            ..Endpoint::default()
        })),
        ..event(EventKind::IdentityProviderConnection, line, seconds)
    }
}

fn told(chains: &Chains, event: &Event) -> Vec<(u64, CauseRelation, bool)> {
    let links = chains.behind(event).into_iter();
    links
        .map(|link| (link.number, link.cause.relation(), link.cause.same_provider))
        .collect()
}

#[test]
fn uses_by_related_processes_are_told_the_likeliest_first() {
    let mut chains = Chains::default();
    for (line, seconds, kind) in [
        (&[60, 20, 10, 1][..], 61, "aws_access_key"),
        (&[30, 20, 10, 1], 62, "netrc_password"),
        (&[30, 20, 10, 1], 63, "aws_access_key"),
        (&[10, 1], 11, "aws_access_key"),
        (&[64, 30, 20, 10, 1], 65, "aws_access_key"),
        (&[40, 1], 66, "aws_access_key"),
    ] {
        assert!(chains.remember(&read(line, seconds, kind), None).is_some());
    }
    assert_eq!(
        told(&chains, &connection(&[30, 20, 10, 1], 70, "aws")),
        [
            (3, CauseRelation::SameProcess, true),
            (4, CauseRelation::Ancestor, true),
            (5, CauseRelation::Descendant, true),
            (1, CauseRelation::Sibling, true),
            (2, CauseRelation::SameProcess, false),
        ]
    );
    assert_eq!(
        told(&chains, &connection(&[50, 1], 70, "aws")),
        [],
        "the first process relates nobody"
    );
}

#[test]
fn what_an_ancestor_did_after_it_had_created_the_process_is_none_of_its_own() {
    let mut chains = Chains::default();
    chains.remember(&read(&[10, 1], 25, "aws_access_key"), None);
    assert_eq!(told(&chains, &connection(&[30, 20, 10, 1], 70, "aws")), []);
    assert_eq!(told(&chains, &connection(&[30, 10, 1], 70, "aws")).len(), 1);
}

#[test]
fn what_was_long_before_or_later_or_was_refused_is_not_told() {
    let mut chains = Chains::default();
    chains.remember(&read(&[30, 1], 40, "aws_access_key"), None);
    let at = |seconds| told(&chains, &connection(&[30, 1], seconds, "aws")).len();
    assert_eq!((at(39), at(40), at(340), at(341)), (0, 1, 1, 0));
    let mut refused = read(&[30, 1], 40, "aws_access_key");
    refused.outcome = Outcome::Denied.into();
    let mut written = read(&[30, 1], 40, "aws_access_key");
    if let Some(credential) = &mut written.credential {
        credential.operation = Operation::Write.into();
    }
    for other in [refused, written, connection(&[30, 1], 40, "aws")] {
        assert_eq!(chains.remember(&other, None), None);
    }
}

#[test]
fn an_id_is_told_once_it_is_known_and_what_was_not_kept_is_forgotten() {
    let mut chains = Chains::default();
    for seconds in [40, 41] {
        chains.remember(&read(&[30, 1], seconds, "aws_access_key"), None);
    }
    let id = EventId {
        sequence: 7,
        ..EventId::default()
    };
    chains.sealed(1, Some(id.clone()));
    chains.sealed(2, None);
    let links = chains.behind(&connection(&[30, 1], 50, "aws"));
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].cause.event, Some(id));
}

fn identity(server: &str) -> Identity {
    Identity {
        attributes: [("server".to_owned(), server.to_owned())].into(),
        ..Identity::default()
    }
}

fn addresses(text: &str) -> [SocketAddr; 1] {
    [text.parse().expect("an address")]
}

#[test]
fn a_server_that_a_credential_names_is_known_to_whom_has_read_it() {
    let mut chains = Chains::default();
    let here = addresses("192.0.2.1:6443");
    let connects = |line: &[u32]| connection(line, 50, "");
    assert!(!chains.may_name_servers());
    chains.remember(&read(&[30, 20, 1], 40, "kubeconfig"), Some(7));
    assert!(chains.may_name_servers());
    assert_eq!(
        chains.meant(&connects(&[30, 20, 1]), "api.example", &here),
        Meant::NotYet
    );
    assert_eq!(
        chains.meant(&connects(&[31, 1]), "api.example", &here),
        Meant::No,
        "a stranger"
    );
    chains.identified(8, &[identity("other.example:6443")]);
    chains.identified(7, &[identity("other.example"), identity("API.example:6443")]);
    let by = Meant::By("kubernetes".into());
    assert_eq!(chains.meant(&connects(&[30, 20, 1]), "api.example", &here), by);
    assert_eq!(chains.meant(&connects(&[31, 1]), "api.example", &here), Meant::No);
    let elsewhere = addresses("192.0.2.1:443");
    assert_eq!(
        chains.meant(&connects(&[30, 20, 1]), "api.example", &elsewhere),
        Meant::No
    );
    assert_eq!(
        chains.meant(&connects(&[30, 20, 1]), "other.example", &elsewhere),
        by
    );
    assert_eq!(chains.meant(&connects(&[30, 20, 1]), "", &here), Meant::No);
    assert_eq!(
        chains.meant(&connection(&[30, 20, 1], 40 + 301, ""), "api.example", &here),
        Meant::No,
        "long ago"
    );
}

#[test]
fn a_server_may_be_named_by_its_address() {
    for (server, at, is_it) in [
        ("192.0.2.1:6443", "192.0.2.1:6443", true),
        ("192.0.2.1:6443", "192.0.2.2:6443", false),
        ("[2001:db8::1]:6443", "[2001:db8::1]:6443", true),
        ("[2001:db8::1]", "[2001:db8::1]:443", true),
        ("192.0.2.1", "192.0.2.1:6443", false),
        ("api.example:99999", "192.0.2.1:443", false),
        ("", "192.0.2.1:443", false),
    ] {
        assert_eq!(is_at(server, "", &addresses(at)), is_it, "{server} {at}");
    }
}

#[test]
fn how_many_may_name_servers_is_counted() {
    let mut chains = Chains::default();
    let mut named = read(&[30, 1], 40, "kubeconfig");
    if let Some(credential) = &mut named.credential {
        credential.identities = vec![identity("api.example")];
    }
    let first = chains.remember(&named, None).expect("a use");
    chains.remember(&named, Some(1));
    chains.identified(1, &[]);
    assert_eq!(chains.naming, 1);
    chains.sealed(first, None);
    assert_eq!(chains.naming, 0);
    chains.remember(&named, None);
    for _ in 0..REMEMBERED_MAX {
        chains.remember(&read(&[30, 1], 40, "aws_access_key"), None);
    }
    assert_eq!(chains.naming, 0);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut chains = Chains::default();
    for _ in 0..=REMEMBERED_MAX {
        chains.remember(&read(&[30, 1], 40, "aws_access_key"), None);
    }
    assert_eq!(chains.used.len(), REMEMBERED_MAX);
    assert_eq!(chains.behind(&connection(&[30, 1], 50, "aws")).len(), TOLD_MAX);
}
