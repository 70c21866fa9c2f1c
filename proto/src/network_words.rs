//! Uses on the network as people are told them, by both ends alike. What comes from a host is in them as it is: whoever shows it cleans it.

use crate::program_words;
use crate::v1::{AgentSocket, CauseRelation, Endpoint};

/// Where it is, and what it is: `169.254.169.254:80 (aws, IMDSv1, for a token)`.
#[must_use]
pub fn endpoint_words(endpoint: &Endpoint) -> String {
    let host = match &*endpoint.address {
        // A proxy is to find it.
        "" => endpoint.name.clone(),
        address if address.contains(':') => format!("[{address}]"),
        address => address.to_owned(),
    };
    let version = match endpoint.metadata_version {
        0 => String::new(),
        version => format!("IMDSv{version}"),
    };
    // A client that was given an address asks for that.
    let is_address = endpoint.name == endpoint.address || endpoint.name == host;
    let way = match (endpoint.by_proxy, &*endpoint.translated_address) {
        (false, "") => String::new(),
        (true, "") => "by a proxy".to_owned(),
        (true, proxy) => format!("by the proxy at {proxy}"),
        (false, address) => format!("went to {address}"),
    };
    let about = [
        if is_address { "" } else { &*endpoint.name },
        &*endpoint.provider,
        &*version,
        if endpoint.for_token { "for a token" } else { "" },
        &*way,
    ];
    let about: Vec<&str> = about.into_iter().filter(|word| !word.is_empty()).collect();
    let port = endpoint.port;
    if about.is_empty() {
        format!("{host}:{port}")
    } else {
        format!("{host}:{port} ({})", about.join(", "))
    }
}

/// What was asked there in clear, and the answer's status, where that is known: `("GET /latest/user-data", Some(200))`.
#[must_use]
pub fn asked_words(endpoint: &Endpoint) -> Option<(String, Option<u32>)> {
    if endpoint.method.is_empty() {
        return None;
    }
    let path = match &*endpoint.path_class {
        "" => "a path that is not told",
        path => path,
    };
    let status = Some(endpoint.status).filter(|&status| status != 0);
    Some((format!("{} {path}", endpoint.method), status))
}

/// Which socket, and who answers there: `/tmp/ssh-x/agent.1 (ssh_agent), answered by /usr/bin/ssh-agent (pid 7)`.
#[must_use]
pub fn agent_socket_words(socket: &AgentSocket) -> String {
    let mut words = format!("{} ({})", socket.path, socket.kind);
    if let Some(peer) = &socket.peer {
        words.push_str(&format!(
            ", answered by {} (pid {})",
            program_words(peer),
            peer.pid
        ));
    }
    words
}

/// Who did what may be behind a use, seen from who did that; nothing where it is not known.
#[must_use]
pub const fn relation_words(relation: CauseRelation) -> &'static str {
    match relation {
        CauseRelation::Unspecified => "",
        CauseRelation::SameProcess => "by itself",
        CauseRelation::Ancestor => "by an ancestor",
        CauseRelation::Descendant => "by a descendant",
        CauseRelation::Sibling => "by another of the same parent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::Process;

    fn metadata() -> Endpoint {
        Endpoint {
            address: "fd00:ec2::254".into(),
            port: 80,
            provider: "aws".into(),
            name: "[fd00:ec2::254]".into(),
            metadata_version: 1,
            for_token: true,
            ..Endpoint::default()
        }
    }

    #[test]
    fn an_address_is_said_once_and_a_name_beside_it() {
        assert_eq!(
            endpoint_words(&metadata()),
            "[fd00:ec2::254]:80 (aws, IMDSv1, for a token)"
        );
        let named = Endpoint {
            address: "192.0.2.1".into(),
            port: 443,
            name: "sts.amazonaws.com".into(),
            provider: "aws".into(),
            by_proxy: true,
            ..Endpoint::default()
        };
        assert_eq!(
            endpoint_words(&named),
            "192.0.2.1:443 (sts.amazonaws.com, aws, by a proxy)"
        );
        let by_name = Endpoint {
            port: 80,
            name: "metadata.google.internal".into(),
            provider: "gcp".into(),
            by_proxy: true,
            translated_address: "192.0.2.9:3128".into(),
            ..Endpoint::default()
        };
        assert_eq!(
            endpoint_words(&by_name),
            "metadata.google.internal:80 (gcp, by the proxy at 192.0.2.9:3128)"
        );
        let rewritten = Endpoint {
            translated_address: "127.0.0.1:8080".into(),
            ..metadata()
        };
        assert_eq!(
            endpoint_words(&rewritten),
            "[fd00:ec2::254]:80 (aws, IMDSv1, for a token, went to 127.0.0.1:8080)"
        );
        let bare = Endpoint {
            address: "192.0.2.1".into(),
            port: 80,
            name: "192.0.2.1".into(),
            ..Endpoint::default()
        };
        assert_eq!(endpoint_words(&bare), "192.0.2.1:80");
    }

    #[test]
    fn what_was_asked_is_said_where_it_was_seen() {
        assert_eq!(asked_words(&metadata()), None);
        let asked = Endpoint {
            method: "GET".into(),
            status: 200,
            ..metadata()
        };
        assert_eq!(
            asked_words(&asked),
            Some(("GET a path that is not told".into(), Some(200)))
        );
    }

    #[test]
    fn who_answers_is_said_where_that_is_known() {
        let mut socket = AgentSocket {
            kind: "ssh_agent".into(),
            path: "/tmp/ssh-x/agent.1".into(),
            ..AgentSocket::default()
        };
        assert_eq!(agent_socket_words(&socket), "/tmp/ssh-x/agent.1 (ssh_agent)");
        socket.peer = Some(Process {
            pid: 7,
            exe_path: "/usr/bin/ssh-agent".into(),
            ..Process::default()
        });
        assert_eq!(
            agent_socket_words(&socket),
            "/tmp/ssh-x/agent.1 (ssh_agent), answered by /usr/bin/ssh-agent (pid 7)"
        );
    }
}
