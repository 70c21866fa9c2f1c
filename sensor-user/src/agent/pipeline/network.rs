//! What processes do on the network: token endpoints that are asked, and connections to identity providers.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
};

use claviger_proto::{
    catalogue::{Call, Catalogue, Endpoint, Provider},
    v1::{ActorBasis, Endpoint as Place, Tls},
};

use prost::Message as _;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::{
    decode::{Connect, Packet, Socket, Task, Transport, display},
    error::in_one_line,
    network::{
        connections::{Asked, Connections, Said},
        http::{Mark, Request},
        names::Names,
        tls::{self, ClientHello},
    },
};

/// How long a request waits for its answer. What is answered later is told without.
const ANSWER: Duration = Duration::from_secs(2);
/// Requests that wait for their answers, and connections of which nothing was said yet, at most. At the bound one is told without.
const WAITING_MAX: usize = 1_024;
/// Protocols of ALPN, and bytes of each, that are told.
const ALPN_MAX: usize = 16;
const ALPN_BYTES: usize = 64;

/// How often repeats are told.
const REPEATS: Duration = Duration::from_secs(30);
/// Uses of which repeats are counted, at most. At the bound each is told.
const REPEATED_MAX: usize = 4_096;

/// A use that was told, and how often it was repeated since.
struct Repeated {
    event: Box<Event>,
    count: u64,
}

impl Repeated {
    /// What makes two uses the same: who, where, what was asked for, and what came of it.
    fn key(event: &Event) -> [u8; 32] {
        let process = event.actor.as_ref().and_then(|actor| actor.process.as_ref());
        let process =
            process.map(|process| (process.pid, process.start_time_ticks, process.exe_path.as_bytes()));
        let (pid, start, program) = process.unwrap_or_default();
        let endpoint = event.endpoint.as_deref().map(Place::encode_to_vec);
        let tls = event.tls.as_deref().map(Tls::encode_to_vec);
        let mut hash = Sha256::new();
        hash.update(event.kind.to_be_bytes());
        hash.update(event.outcome.to_be_bytes());
        hash.update(pid.to_be_bytes());
        hash.update(start.to_be_bytes());
        for part in [
            program,
            endpoint.as_deref().unwrap_or_default(),
            tls.as_deref().unwrap_or_default(),
        ] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

/// What is said on connections, and what is not answered yet.
#[derive(Default)]
pub(super) struct Network {
    connections: Connections,
    names: Names,
    /// Requests by connection, first to last, and since when they wait.
    unanswered: HashMap<u64, VecDeque<(Duration, Box<Event>)>>,
    waiting: usize,
    /// Endpoints that were asked for, on connections on which nothing was said yet.
    silent: HashMap<u64, (Duration, Box<Event>)>,
    repeated: HashMap<[u8; 32], Repeated>,
    /// When repeats were told last, since the agent began.
    repeats_told: Duration,
}

impl<S: Sink> Agent<S> {
    /// Tells the kernel half where the endpoints of a catalogue are.
    pub(super) fn watch_endpoints(&mut self, catalogue: &Catalogue) {
        let addresses = catalogue
            .endpoints()
            .iter()
            .flat_map(|endpoint| endpoint.addresses().to_owned());
        if let Err(error) = self.kernel.endpoints.set(addresses) {
            tracing::error!(
                error = %in_one_line(&error),
                "some token endpoints of the catalogue are not watched"
            );
        }
        if let Err(error) = self.kernel.endpoints.find_live() {
            tracing::warn!(error = %in_one_line(&error), "connections that were there before are not watched");
        }
    }

    /// A connection to an endpoint is asked for. It is told with what is asked there, or, where nothing is, by itself.
    pub(super) fn connects(&mut self, connect: &Connect) {
        self.taken_apart();
        let catalogue = Arc::clone(&self.options.policy.catalogue);
        let Socket { asked, directed, .. } = connect.socket;
        let Some(endpoint) = [asked, directed]
            .into_iter()
            .find_map(|address| at_address(&catalogue, address).next())
        else {
            return;
        };
        let mut place = place(&connect.socket, asked, endpoint.provider());
        place.translated_address = translated(asked, directed);
        let event = self.network_event(
            EventKind::TokenEndpointCall,
            (&connect.task, ActorBasis::SocketOpener, connect.time_boot_ns),
            (Outcome::Unknown, 0),
            place,
        );
        if self.network.silent.len() >= WAITING_MAX {
            return self.tell_use(event);
        }
        let now = self.started.elapsed();
        let before = self
            .network
            .silent
            .insert(connect.socket.cookie, (now, Box::new(event)));
        if let Some((_, event)) = before {
            self.tell_use(*event);
        }
    }

    /// A packet of a connection that is watched.
    pub(super) fn packet(&mut self, packet: &Packet) {
        self.taken_apart();
        for said in self.network.connections.take(packet) {
            match said {
                Said::Asked(asked) => self.asked(packet, &asked),
                Said::Answered(status) => self.was_answered(packet.socket.cookie, status),
                Said::Hello {
                    hello,
                    over,
                    through_proxy_to,
                } => self.said_hello(packet, &hello, over, through_proxy_to),
                // What says to be from elsewhere than the resolver that was asked is not its answer.
                Said::Named(answer)
                    if [packet.socket.asked, packet.socket.directed].contains(&packet.peer) =>
                {
                    let namespace = packet.task.network_namespace;
                    self.network.names.take(namespace, &answer, packet.time_boot_ns);
                }
                Said::Named(_) => {}
            }
        }
    }

    /// A record is none of a use: what it says is counted as it is told.
    fn taken_apart(&mut self) {
        self.accounts.received += 1;
        self.accounts.drop_record(Dropped::Packet);
    }

    /// Something is asked for in clear.
    fn asked(&mut self, packet: &Packet, asked: &Asked) {
        let catalogue = Arc::clone(&self.options.policy.catalogue);
        let (addresses, target) = if asked.by_proxy {
            let Some((address, target)) = of_url(&asked.request.target) else {
                return;
            };
            ([address; 3], target)
        } else {
            (addresses_of(packet), &*asked.request.target)
        };
        let found = addresses
            .into_iter()
            .find_map(|address| meant(&catalogue, address, &asked.request, target));
        let Some((endpoint, call, class)) = found else {
            return;
        };
        let [address, ..] = addresses;
        // The connection is told with it.
        self.network.silent.remove(&packet.socket.cookie);
        let mut place = place(&packet.socket, address, endpoint.provider());
        place.method.clone_from(&asked.request.method);
        place.path_class = class;
        place.for_token = call.is_some_and(Call::is_for_token);
        place.by_proxy = asked.by_proxy;
        place.metadata_version = metadata_version(endpoint, &asked.request);
        if let Some(host) = &asked.request.host {
            place.name.clone_from(host);
            "http_host".clone_into(&mut place.name_basis);
        }
        if !asked.by_proxy {
            place.translated_address = translated(address, packet.peer);
        }
        let event = self.network_event(
            EventKind::TokenEndpointCall,
            (&packet.task, basis_of(packet), packet.time_boot_ns),
            (Outcome::Succeeded, 0),
            place,
        );
        if self.network.waiting >= WAITING_MAX {
            return self.tell_use(event);
        }
        let now = self.started.elapsed();
        self.network.waiting += 1;
        let of_connection = self.network.unanswered.entry(packet.socket.cookie).or_default();
        of_connection.push_back((now, Box::new(event)));
    }

    /// What was asked for first on a connection was answered.
    fn was_answered(&mut self, cookie: u64, status: u16) {
        let Some(waiting) = self.network.unanswered.get_mut(&cookie) else {
            return;
        };
        let Some((_, mut event)) = waiting.pop_front() else {
            return;
        };
        if waiting.is_empty() {
            self.network.unanswered.remove(&cookie);
        }
        self.network.waiting -= 1;
        if let Some(place) = &mut event.endpoint {
            place.status = u32::from(status);
        }
        self.tell_use(*event);
    }

    /// Tells what has waited for an answer for long enough, or all.
    pub(super) fn tell_unanswered(&mut self, all: bool) {
        let now = self.started.elapsed();
        let is_ripe = |since: Duration| all || since + ANSWER <= now;
        let mut ripe = Vec::new();
        self.network.unanswered.retain(|_, waiting| {
            while waiting.front().is_some_and(|(since, _)| is_ripe(*since)) {
                ripe.extend(waiting.pop_front().map(|(_, event)| event));
            }
            !waiting.is_empty()
        });
        self.network.waiting -= ripe.len();
        self.network.silent.retain(|_, (since, event)| {
            let is_ripe = is_ripe(*since);
            if is_ripe {
                ripe.push(std::mem::take(event));
            }
            !is_ripe
        });
        for event in ripe {
            self.tell_use(*event);
        }
    }

    /// A TLS session begins.
    fn said_hello(
        &mut self,
        packet: &Packet,
        hello: &ClientHello,
        over: tls::Transport,
        through_proxy_to: Option<String>,
    ) {
        let catalogue = Arc::clone(&self.options.policy.catalogue);
        let asked = hello.server_name.as_ref().and_then(|name| name.host());
        let basis = match over {
            tls::Transport::Tcp => "sni",
            tls::Transport::Quic => "quic_sni",
        };
        let by_dns = || {
            let names = &self.network.names;
            let namespace = packet.task.network_namespace;
            let name = addresses_of(packet)
                .into_iter()
                .find_map(|address| names.of(namespace, address.ip(), packet.time_boot_ns))?;
            Some((name.to_owned(), "dns"))
        };
        // An encrypted hello shows the name of who decrypts it.
        let outer = hello.encrypted.then(by_dns).flatten();
        let (name, basis) = outer
            .or_else(|| asked.map(|name| (name.to_owned(), basis)))
            .or_else(|| through_proxy_to.map(|name| (name, "http_connect")))
            .or_else(by_dns)
            .unwrap_or_default();
        let provider = catalogue
            .provider_of(&name)
            .or_else(|| {
                let mut addresses = addresses_of(packet).into_iter();
                addresses.find_map(|address| catalogue.provider_at(address))
            })
            .map(Provider::provider);
        if provider.is_none() && !self.options.all_tls {
            return;
        }
        let mut place = place(&packet.socket, packet.socket.asked, provider.unwrap_or_default());
        place.name = name;
        basis.clone_into(&mut place.name_basis);
        place.translated_address = translated(packet.socket.asked, packet.peer);
        let mut event = self.network_event(
            EventKind::IdentityProviderConnection,
            (&packet.task, basis_of(packet), packet.time_boot_ns),
            (Outcome::Succeeded, 0),
            place,
        );
        let alpn = hello.alpn.iter().take(ALPN_MAX);
        event.tls = Some(Box::new(Tls {
            server_name: asked.unwrap_or_default().to_owned(),
            alpn: alpn
                .map(|protocol| display(&protocol[..protocol.len().min(ALPN_BYTES)]))
                .collect(),
            ja4: tls::ja4(hello, over),
            encrypted_client_hello: hello.encrypted,
            versions: hello.version_words(),
            resumption: hello.resumes,
            incomplete: hello.incomplete,
        }));
        self.tell_use(event);
    }

    /// Tells a use at once, or counts it where it repeats one of the same program run.
    fn tell_use(&mut self, event: Event) {
        let key = Repeated::key(&event);
        if let Some(repeated) = self.network.repeated.get_mut(&key) {
            repeated.count += 1;
            return;
        }
        if self.network.repeated.len() < REPEATED_MAX {
            let repeated = Repeated {
                event: Box::new(event.clone()),
                count: 0,
            };
            self.network.repeated.insert(key, repeated);
        }
        self.accounts.received += 1;
        self.push(event, None);
    }

    /// Tells how often uses were repeated since this was told last. What was not is forgotten.
    pub(super) fn tell_repeated_on_network(&mut self, all: bool) {
        let now = self.started.elapsed();
        if !all && now < self.network.repeats_told + REPEATS {
            return;
        }
        self.network.repeats_told = now;
        let mut told = Vec::new();
        self.network.repeated.retain(|_, repeated| {
            let count = std::mem::take(&mut repeated.count);
            if count > 0 {
                told.push((repeated.event.clone(), count));
            }
            count > 0
        });
        for (mut event, count) in told {
            self.accounts.received += 1;
            event.id = None;
            at(&mut event, 0, Some(count));
            self.push(*event, None);
        }
    }

    fn network_event(
        &mut self,
        kind: EventKind,
        (task, basis, time_boot_ns): (&Task, ActorBasis, u64),
        outcome: (Outcome, u32),
        place: Place,
    ) -> Event {
        let observation = self.observation(Probe::Network);
        let mut event = self.facts.used(kind, task, outcome, observation);
        at(&mut event, time_boot_ns, None);
        if let Some(actor) = &mut event.actor {
            actor.to_mut().basis = basis.into();
        }
        event.endpoint = Some(Box::new(place));
        event
    }
}

fn basis_of(packet: &Packet) -> ActorBasis {
    if packet.is_sender {
        ActorBasis::Sender
    } else {
        ActorBasis::SocketOpener
    }
}

/// Where a packet's connection leads: as the process asked, as the kernel half saw it, and as the packet has it.
const fn addresses_of(packet: &Packet) -> [SocketAddr; 3] {
    [packet.socket.asked, packet.socket.directed, packet.peer]
}

/// Where it truly goes, in words, where that is not where the process asked to go.
fn translated(asked: SocketAddr, goes: SocketAddr) -> String {
    if goes == asked {
        String::new()
    } else {
        goes.to_string()
    }
}

/// Endpoints at an address.
fn at_address(catalogue: &Catalogue, address: SocketAddr) -> impl Iterator<Item = &Endpoint> {
    catalogue
        .endpoints()
        .iter()
        .map(Arc::as_ref)
        .filter(move |endpoint| endpoint.addresses().contains(&address))
}

/// Which endpoint is meant, by which call, and what of its target may be told. Where no call is known that fits, the first endpoint at that address, and nothing of the
/// target.
fn meant<'a>(
    catalogue: &'a Catalogue,
    address: SocketAddr,
    request: &Request,
    target: &str,
) -> Option<(&'a Endpoint, Option<&'a Call>, String)> {
    let calls = at_address(catalogue, address)
        .flat_map(|endpoint| endpoint.calls().iter().map(move |call| (endpoint, call)));
    let fits = |call: &Call| call.method().is_none_or(|method| method == request.method);
    let known = calls
        .filter(|(_, call)| fits(call))
        .find_map(|(endpoint, call)| Some((endpoint, Some(call), call.class_of(target)?)));
    known.or_else(|| Some((at_address(catalogue, address).next()?, None, String::new())))
}

/// 2 where the token of AWS's second version is asked for or shown, 1 where it is not; 0 of others.
fn metadata_version(endpoint: &Endpoint, request: &Request) -> u32 {
    if endpoint.id() != "aws-instance-metadata" {
        return 0;
    }
    let is_second = [Mark::AwsToken, Mark::AwsTokenLifetime]
        .iter()
        .any(|mark| request.marks.contains(mark));
    if is_second { 2 } else { 1 }
}

/// The address and the path of a URL that names an address; nothing for one that names a host.
fn of_url(url: &str) -> Option<(SocketAddr, &str)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, _) = rest.split_once('/').unwrap_or((rest, ""));
    let path = rest
        .get(authority.len()..)
        .filter(|path| !path.is_empty())
        .unwrap_or("/");
    let address = authority
        .parse()
        .or_else(|_| format!("{authority}:80").parse())
        .ok()?;
    Some((address, path))
}

fn place(socket: &Socket, address: SocketAddr, provider: &str) -> Place {
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
    use super::*;

    fn request(method: &str, target: &str, marks: &[Mark]) -> Request {
        Request {
            method: method.to_owned(),
            target: target.to_owned(),
            host: None,
            marks: marks.to_owned(),
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
            let request = request(method, target, &[]);
            let (found, call, told) =
                meant(Catalogue::shipped(), address, &request, target).expect("an endpoint");
            assert_eq!((found.id(), &*told), (endpoint, class), "{target}");
            assert_eq!(call.is_some_and(Call::is_for_token), for_token, "{target}");
        }
        let elsewhere = "10.0.0.1:80".parse().expect("an address");
        let plain = request("GET", "/latest/api/token", &[]);
        assert!(meant(Catalogue::shipped(), elsewhere, &plain, &plain.target).is_none());
    }

    #[test]
    fn a_url_is_of_an_address_or_of_none() {
        assert_eq!(
            of_url("http://169.254.169.254/latest/user-data"),
            Some((
                "169.254.169.254:80".parse().expect("an address"),
                "/latest/user-data"
            ))
        );
        assert_eq!(
            of_url("http://[fd00:ec2::254]:80"),
            Some(("[fd00:ec2::254]:80".parse().expect("an address"), "/"))
        );
        assert_eq!(of_url("http://metadata.google.internal/x"), None);
        assert_eq!(of_url("/latest"), None);
    }
}
