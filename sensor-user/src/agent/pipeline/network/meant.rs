//! Which endpoint of the catalogue a request is for.

use std::{net::SocketAddr, sync::Arc};

use claviger_proto::{
    catalogue::{Call, Catalogue, Endpoint},
    v1::Endpoint as Place,
};

use crate::{
    decode::{Packet, Socket, Transport},
    network::{
        connections::Asked,
        http::{Mark, Request},
    },
};

/// Where a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where<'a> {
    /// An address.
    At(SocketAddr),
    /// A host that a proxy is to find, and a port.
    Named(&'a str, u16),
}

/// What a request is for.
pub(super) struct Meant<'a> {
    pub(super) endpoint: &'a Endpoint,
    /// Nothing where none is known that fits.
    pub(super) call: Option<&'a Call>,
    /// What of its target may be told.
    pub(super) class: String,
    /// Where it was asked for.
    pub(super) at: Where<'a>,
    /// Whether a proxy is to ask for it.
    pub(super) by_proxy: bool,
}

/// Where a packet's connection leads: as the process asked, as the kernel half saw it, and as the packet has it.
pub(super) const fn addresses_of(packet: &Packet) -> [SocketAddr; 3] {
    [packet.socket.asked, packet.socket.directed, packet.peer]
}

/// Where it truly goes, in words, where that is not where the process asked to go.
pub(super) fn translated(asked: SocketAddr, goes: SocketAddr) -> String {
    if goes == asked {
        String::new()
    } else {
        goes.to_string()
    }
}

/// Endpoints at an address.
pub(super) fn at_address(catalogue: &Catalogue, address: SocketAddr) -> impl Iterator<Item = &Endpoint> {
    catalogue
        .endpoints()
        .iter()
        .map(Arc::as_ref)
        .filter(move |endpoint| endpoint.addresses().contains(&address))
}

/// Endpoints of a place.
fn at_place<'a>(catalogue: &'a Catalogue, place: Where<'_>) -> Vec<&'a Endpoint> {
    let all = catalogue.endpoints().iter().map(Arc::as_ref);
    let is_there = |endpoint: &&Endpoint| match place {
        Where::At(address) => endpoint.addresses().contains(&address),
        // A name leads to the addresses of its endpoint, of any port that one of them has.
        Where::Named(name, port) => {
            let has_port = |address: &SocketAddr| address.port() == port;
            let name = name.strip_suffix('.').unwrap_or(name);
            endpoint.names().iter().any(|own| own.eq_ignore_ascii_case(name))
                && endpoint.addresses().iter().any(has_port)
        }
    };
    all.filter(is_there).collect()
}

/// What a request is for: where a proxy was asked to connect to or to ask, if that is an endpoint; else where the connection itself leads: a server takes the form that is for
/// proxies, too.
pub(super) fn meant<'a>(catalogue: &'a Catalogue, packet: &Packet, asked: &'a Asked) -> Option<Meant<'a>> {
    let request = &asked.request;
    let (authority, target) = parts_of(&request.target);
    let of_proxy = [asked.through.as_deref(), authority].into_iter().flatten();
    let direct = addresses_of(packet).map(Where::At);
    let by_proxy = of_proxy
        .filter_map(place_of)
        .map(|place| (place, !direct.contains(&place)));
    let mut places = by_proxy.chain(direct.into_iter().map(|place| (place, false)));
    places.find_map(|(at, by_proxy)| {
        let endpoints = at_place(catalogue, at);
        let (endpoint, call, class) = call_of(&endpoints, request, target)?;
        // What was asked for counts, and not what became of it.
        let at = if by_proxy {
            at
        } else {
            Where::At(packet.socket.asked)
        };
        Some(Meant {
            endpoint,
            call,
            class,
            at,
            by_proxy,
        })
    })
}

/// Which of several endpoints is meant, by which call, and what of its target may be told. Where no call is known that fits, the first, and nothing of the target.
fn call_of<'a>(
    endpoints: &[&'a Endpoint],
    request: &Request,
    target: &str,
) -> Option<(&'a Endpoint, Option<&'a Call>, String)> {
    let calls = endpoints
        .iter()
        .flat_map(|&endpoint| endpoint.calls().iter().map(move |call| (endpoint, call)));
    let fits = |call: &Call| call.method().is_none_or(|method| method == request.method);
    let calls: Vec<(&Endpoint, &Call)> = calls.filter(|(_, call)| fits(call)).collect();
    let of = |target: &str| {
        let mut calls = calls.iter();
        calls.find_map(|(endpoint, call)| Some((*endpoint, Some(*call), call.class_of(target)?)))
    };
    // As it is written; else as a server may take it. A call for a token is not to pass for another one.
    let plain = plain(target);
    let trimmed = plain.strip_suffix('/').unwrap_or(&plain).to_owned();
    let lower = plain.to_ascii_lowercase();
    let mut found: Vec<_> = [target, &plain, &trimmed, &lower]
        .into_iter()
        .filter_map(of)
        .collect();
    let is_for_token = |(_, call, _): &(_, Option<&Call>, _)| call.is_some_and(Call::is_for_token);
    let best = found.iter().position(is_for_token).unwrap_or_default();
    if best < found.len() {
        return Some(found.swap_remove(best));
    }
    Some((*endpoints.first()?, None, String::new()))
}

/// 2 where the token of AWS's second version is asked for or shown, 1 where it is not; 0 of others.
pub(super) fn metadata_version(endpoint: &Endpoint, request: &Request) -> u32 {
    if endpoint.id() != "aws-instance-metadata" {
        return 0;
    }
    let is_second = [Mark::AwsToken, Mark::AwsTokenLifetime]
        .iter()
        .any(|mark| request.marks.contains(mark));
    if is_second { 2 } else { 1 }
}

/// A target as a server may take it: what is written in percent (RFC 3986, 2.1) written out, and no empty parts, `.` and `..` in its path.
fn plain(target: &str) -> String {
    let end = target.find(['?', '#']).unwrap_or(target.len());
    let (path, query) = target.split_at(end);
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let hex = |digit: u8| char::from(digit).to_digit(16);
        let written = match (byte, behind) {
            (b'%', &[high, low, ..]) => hex(high).zip(hex(low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        // What is none of these stands for itself, and is told nowhere.
        match written
            .and_then(|byte| u8::try_from(byte).ok())
            .filter(u8::is_ascii_graphic)
        {
            Some(written) => {
                decoded.push(written);
                rest = &behind[2..];
            }
            None => {
                decoded.push(byte);
                rest = behind;
            }
        }
    }
    let decoded = String::from_utf8_lossy(&decoded);
    let mut parts = Vec::new();
    for part in decoded.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let is_directory = decoded.ends_with('/') && !parts.is_empty();
    format!(
        "/{}{}{query}",
        parts.join("/"),
        if is_directory { "/" } else { "" }
    )
}

/// Of a target in absolute form (RFC 9112, 3.2.2) who is to be asked, and what for; of others only that.
fn parts_of(target: &str) -> (Option<&str>, &str) {
    let scheme = target
        .get(..7)
        .filter(|scheme| scheme.eq_ignore_ascii_case("http://"));
    let Some(rest) = scheme.and_then(|scheme| target.get(scheme.len()..)) else {
        return (None, target);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (Some(authority), if path.is_empty() { "/" } else { path })
}

/// `HOST`, `HOST:PORT`, `ADDRESS` or `ADDRESS:PORT`; nothing where it is none of these.
fn place_of(authority: &str) -> Option<Where<'_>> {
    if let Ok(address) = authority.parse() {
        return Some(Where::At(address));
    }
    if let Ok(address) = authority.trim_matches(['[', ']']).parse() {
        return Some(Where::At(SocketAddr::new(address, 80)));
    }
    match authority.rsplit_once(':') {
        Some((host, port)) => Some(Where::Named(host, port.parse().ok()?)),
        None => Some(Where::Named(authority, 80)),
    }
}

pub(super) fn place(socket: &Socket, address: SocketAddr, provider: &str) -> Place {
    Place {
        address: address.ip().to_string(),
        port: u32::from(address.port()),
        transport: match socket.transport {
            Transport::Tcp => 6,
            Transport::Udp => 17,
        },
        provider: provider.to_owned(),
        ..Place::default()
    }
}

#[cfg(test)]
mod tests {
    use claviger_sensor_common::TaskSnapshot;
    use zerocopy::FromZeros as _;

    use super::*;
    use crate::decode::Task;

    fn asked(method: &str, target: &str) -> Asked {
        Asked {
            request: Request {
                method: method.to_owned(),
                target: target.to_owned(),
                host: None,
                marks: Vec::new(),
            },
            through: None,
        }
    }

    fn packet(to: SocketAddr) -> Packet {
        Packet {
            time_boot_ns: 1,
            task: Arc::new(Task::from(&TaskSnapshot::new_zeroed())),
            is_sender: false,
            socket: Socket {
                cookie: 1,
                asked: to,
                directed: to,
                transport: Transport::Tcp,
            },
            peer: to,
            is_received: false,
            offset: 0,
            left: 0,
            urgent: None,
            bytes: Vec::new(),
        }
    }

    #[test]
    fn the_request_tells_which_of_the_services_of_an_address_is_meant() {
        let address = "169.254.169.254:80".parse().expect("an address");
        for (method, target, endpoint, class, for_token) in [
            (
                "PUT",
                "/latest/api/token",
                "aws-instance-metadata",
                "/latest/api/token",
                true,
            ),
            (
                "GET",
                "/latest/meta-data/iam/security-credentials/billing",
                "aws-instance-metadata",
                "/latest/meta-data/iam/security-credentials/billing",
                true,
            ),
            (
                "GET",
                "/latest/meta-data/placement/region",
                "aws-instance-metadata",
                "/latest/meta-data/**",
                false,
            ),
            (
                "GET",
                "/computeMetadata/v1/instance/service-accounts/default/token",
                "gcp-instance-metadata",
                "/computeMetadata/v1/instance/service-accounts/default/token",
                true,
            ),
            (
                "GET",
                "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net",
                "azure-instance-metadata",
                "/metadata/identity/oauth2/token?resource=https%3A%2F%2Fvault.azure.net",
                true,
            ),
            ("GET", "/secret-path", "aws-instance-metadata", "", false),
        ] {
            let asked = asked(method, target);
            let packet = packet(address);
            let meant = meant(Catalogue::shipped(), &packet, &asked).expect("an endpoint");
            assert_eq!(
                (meant.endpoint.id(), &*meant.class),
                (endpoint, class),
                "{target}"
            );
            assert_eq!(meant.call.is_some_and(Call::is_for_token), for_token, "{target}");
            assert_eq!(
                (meant.at, meant.by_proxy),
                (Where::At(address), false),
                "{target}"
            );
        }
        let plain = asked("GET", "/latest/api/token");
        let elsewhere = packet("10.0.0.1:80".parse().expect("an address"));
        assert!(meant(Catalogue::shipped(), &elsewhere, &plain).is_none());
    }

    #[test]
    fn a_proxy_is_asked_by_address_or_by_name_or_for_a_connection() {
        let proxy = packet("10.0.0.1:3128".parse().expect("an address"));
        let of_endpoint = |asked: &Asked| {
            let meant = meant(Catalogue::shipped(), &proxy, asked)?;
            Some((meant.endpoint.id().to_owned(), meant.class, meant.by_proxy))
        };
        let is = |id: &str, class: &str| Some((id.to_owned(), class.to_owned(), true));
        for (target, wanted) in [
            (
                "http://169.254.169.254/latest/user-data",
                is("aws-instance-metadata", "/latest/user-data"),
            ),
            (
                "HTTP://user@[fd00:ec2::254]:80/latest/user-data",
                is("aws-instance-metadata", "/latest/user-data"),
            ),
            (
                "http://Metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token",
                is(
                    "gcp-instance-metadata",
                    "/computeMetadata/v1/instance/service-accounts/default/token",
                ),
            ),
            ("http://example.com/latest/user-data", None),
            ("/latest/user-data", None),
        ] {
            assert_eq!(of_endpoint(&asked("GET", target)), wanted, "{target}");
        }
        let mut through = asked("GET", "/latest/user-data");
        through.through = Some("169.254.169.254:80".to_owned());
        assert_eq!(
            of_endpoint(&through),
            is("aws-instance-metadata", "/latest/user-data")
        );
    }

    #[test]
    fn the_form_for_proxies_hides_nothing_from_an_endpoint_itself() {
        let packet = packet("169.254.169.254:80".parse().expect("an address"));
        for target in [
            "http://169.254.169.254/latest/user-data",
            "http://example.com/latest/user-data",
            "//latest/./meta-data/../user%2Ddata",
        ] {
            let asked = asked("GET", target);
            let meant = meant(Catalogue::shipped(), &packet, &asked).expect("an endpoint");
            assert_eq!(
                (&*meant.class, meant.by_proxy),
                ("/latest/user-data", false),
                "{target}"
            );
        }
    }

    #[test]
    fn a_target_is_taken_as_a_server_may() {
        for (target, wanted) in [
            ("/a//b/./c/../d/?q=%41", "/a/b/d/?q=%41"),
            ("/%61%2", "/a%2"),
            ("/%00%ff", "/%00%ff"),
            ("//", "/"),
            ("/../..", "/"),
        ] {
            assert_eq!(plain(target), wanted, "{target}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_target_is_taken(target in ".{0,60}") {
            let packet = packet("169.254.169.254:80".parse().expect("an address"));
            proptest::prop_assert!(meant(Catalogue::shipped(), &packet, &asked("GET", &target)).is_some());
            proptest::prop_assert!(plain(&target).starts_with('/'));
        }
    }
}
