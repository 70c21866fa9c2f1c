//! What processes do on the network: token endpoints that are asked, and connections to identity providers.

use std::collections::{HashMap, VecDeque};

use claviger_proto::{
    catalogue::{Call, Catalogue, Provider},
    v1::{ActorBasis, Endpoint as Place, Tls},
};

mod meant;
mod repeated;
mod servers;
mod unanswered;

use self::{
    meant::{Meant, Where, addresses_of, at_address, meant, metadata_version, place, translated},
    repeated::Repeats,
    servers::Unnamed,
    unanswered::{ANSWER, Unanswered},
};
use super::*;
use crate::{
    decode::{Connect, Packet, Socket, Task, display},
    error::in_one_line,
    network::{
        connections::{Asked, Connections, Said},
        names::Names,
        tls::{self, ClientHello},
    },
};

/// Connections of which nothing was said yet, at most. At the bound one is told without.
const SILENT_MAX: usize = 1_024;
/// Protocols of ALPN, and bytes of each, that are told.
const ALPN_MAX: usize = 16;
const ALPN_BYTES: usize = 64;

/// What is said on connections, and what is not answered yet.
#[derive(Default)]
pub(super) struct Network {
    connections: Connections,
    names: Names,
    unanswered: Unanswered,
    /// Endpoints that were asked for, on connections on which nothing was said yet.
    silent: HashMap<u64, (Duration, Box<Event>)>,
    /// Connections that may be to servers of credentials that are being looked at.
    unnamed: VecDeque<Unnamed>,
    repeated: Repeats,
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
        // On a socket that is connected anew nothing of before is answered.
        let without = self.network.unanswered.forget(connect.socket.cookie);
        self.tell_unanswered_ones(without);
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
        if self.network.silent.len() >= SILENT_MAX {
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
        let (lost, missed) = (self.network.connections.lost(), self.network.connections.missed());
        let said = self.network.connections.take(packet);
        let lost = self.network.connections.lost() - lost;
        if lost > 0 {
            self.accounts.received += lost;
            self.accounts.lose(LostHere::ConnectionNotFollowed, lost);
        }
        // What was displaced for this one is another.
        if self.network.connections.missed() > missed {
            self.lose_answers(packet.socket.cookie);
        }
        for said in said {
            match said {
                Said::Asked(asked) => self.asked(packet, &asked),
                Said::Unreadable => {
                    self.lose_answers(packet.socket.cookie);
                    self.asked_something(packet);
                }
                Said::AnswersMissed if self.network.unanswered.waits(packet.socket.cookie) => {
                    self.lose_answers(packet.socket.cookie);
                }
                Said::AnswersMissed => {}
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
                    let whose = whose(packet);
                    self.network.names.take(whose, &answer, packet.time_boot_ns);
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
        let Some(Meant {
            endpoint,
            call,
            class,
            at,
            by_proxy,
        }) = meant(&catalogue, packet, asked)
        else {
            return self.await_answer(packet.socket.cookie, None);
        };
        // The connection is told with it.
        self.network.silent.remove(&packet.socket.cookie);
        let mut place = match at {
            Where::At(address) => place(&packet.socket, address, endpoint.provider()),
            Where::Named(name, port) => Place {
                name: name.to_owned(),
                name_basis: "http_proxy".to_owned(),
                port: port.into(),
                transport: 6,
                provider: endpoint.provider().to_owned(),
                ..Place::default()
            },
        };
        asked.request.known_method().clone_into(&mut place.method);
        place.path_class = class;
        place.for_token = call.is_some_and(Call::is_for_token);
        place.by_proxy = by_proxy;
        if call.is_some() {
            place.metadata_version = metadata_version(endpoint, &asked.request);
        }
        if let (Some(host), true) = (&asked.request.host, place.name.is_empty()) {
            place.name.clone_from(host);
            "http_host".clone_into(&mut place.name_basis);
        }
        place.translated_address = match at {
            Where::At(address) => translated(address, packet.peer),
            Where::Named(..) => packet.peer.to_string(),
        };
        let event = self.network_event(
            EventKind::TokenEndpointCall,
            (&packet.task, basis_of(packet), packet.time_boot_ns),
            (Outcome::Succeeded, 0),
            place,
        );
        self.await_answer(packet.socket.cookie, Some(Box::new(event)));
    }

    /// A request waits for its answer.
    fn await_answer(&mut self, cookie: u64, event: Option<Box<Event>>) {
        let now = self.started.elapsed();
        let without = self.network.unanswered.ask(cookie, event, now);
        self.tell_unanswered_ones(without);
    }

    /// Which request of a connection an answer is of is not known any more.
    fn lose_answers(&mut self, cookie: u64) {
        let now = self.started.elapsed();
        let without = self.network.unanswered.lose(cookie, now);
        self.tell_unanswered_ones(without);
    }

    fn tell_unanswered_ones(&mut self, events: Vec<Event>) {
        for event in events {
            self.tell_unanswered_one(event);
        }
    }

    /// Whether a server has taken a request is not known where nothing has answered.
    fn tell_unanswered_one(&mut self, mut event: Event) {
        if event.kind() == EventKind::TokenEndpointCall {
            event.outcome = Outcome::Unknown.into();
        }
        self.tell_use(event);
    }

    /// Something is asked for in clear that cannot be read: of an endpoint, that is told.
    fn asked_something(&mut self, packet: &Packet) {
        let catalogue = Arc::clone(&self.options.policy.catalogue);
        let mut addresses = addresses_of(packet).into_iter();
        let Some(endpoint) = addresses.find_map(|address| at_address(&catalogue, address).next()) else {
            return;
        };
        self.network.silent.remove(&packet.socket.cookie);
        let mut place = place(&packet.socket, packet.socket.asked, endpoint.provider());
        place.translated_address = translated(packet.socket.asked, packet.peer);
        let event = self.network_event(
            EventKind::TokenEndpointCall,
            (&packet.task, basis_of(packet), packet.time_boot_ns),
            (Outcome::Unknown, 0),
            place,
        );
        self.tell_use(event);
    }

    /// What was asked for first on a connection was answered.
    fn was_answered(&mut self, cookie: u64, status: u16) {
        let Some(mut event) = self.network.unanswered.answered(cookie) else {
            return;
        };
        if let Some(place) = &mut event.endpoint {
            place.status = u32::from(status);
        }
        self.tell_use(*event);
    }

    /// Tells what has waited for an answer for long enough, or all.
    pub(super) fn tell_unanswered(&mut self, all: bool) {
        let now = self.started.elapsed();
        let mut ripe = self.network.unanswered.ripe(now, all);
        self.network.silent.retain(|_, (since, event)| {
            let is_ripe = all || *since + ANSWER <= now;
            if is_ripe {
                ripe.push(std::mem::take(event.as_mut()));
            }
            !is_ripe
        });
        self.tell_unanswered_ones(ripe);
        self.tell_to_servers();
    }

    /// A TLS session begins.
    fn said_hello(
        &mut self,
        packet: &Packet,
        hello: &ClientHello,
        over: tls::Transport,
        through_proxy_to: Option<Option<String>>,
    ) {
        let catalogue = Arc::clone(&self.options.policy.catalogue);
        let asked = hello.server_name.as_ref().and_then(|name| name.host());
        let basis = match over {
            tls::Transport::Tcp => "sni",
            tls::Transport::Quic => "quic_sni",
        };
        let by_dns = || {
            let names = &self.network.names;
            let whose = whose(packet);
            let name = addresses_of(packet)
                .into_iter()
                .find_map(|address| names.of(whose, address.ip(), packet.time_boot_ns))?;
            Some((name.to_owned(), "dns"))
        };
        // An encrypted hello shows the name of who decrypts it.
        let outer = hello.encrypted.then(by_dns).flatten();
        let by_proxy = through_proxy_to.is_some();
        let (name, basis) = outer
            .or_else(|| asked.map(|name| (name.to_owned(), basis)))
            .or_else(|| through_proxy_to.flatten().map(|name| (name, "http_connect")))
            .or_else(by_dns)
            .unwrap_or_default();
        let provider = catalogue
            .provider_of(&name)
            .or_else(|| {
                let mut addresses = addresses_of(packet).into_iter();
                addresses.find_map(|address| catalogue.provider_at(address))
            })
            .map(Provider::provider);
        let has_provider = provider.is_some();
        if !has_provider && !self.options.all_tls && !self.chains.may_name_servers() {
            return;
        }
        let mut place = place(&packet.socket, packet.socket.asked, provider.unwrap_or_default());
        place.name = name;
        basis.clone_into(&mut place.name_basis);
        place.by_proxy = by_proxy;
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
        if has_provider {
            return self.tell_use(event);
        }
        let addresses = if by_proxy {
            Vec::new()
        } else {
            addresses_of(packet).into_iter().collect()
        };
        self.connects_to_server(Unnamed {
            event: Box::new(event),
            addresses,
            since: self.started.elapsed(),
        });
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

/// In which network namespace, and by which user; nobody's where that is not known.
fn whose(packet: &Packet) -> (u32, u32) {
    (
        packet.task.network_namespace,
        packet.task.euid.unwrap_or(u32::MAX),
    )
}

fn basis_of(packet: &Packet) -> ActorBasis {
    if packet.is_sender {
        ActorBasis::Sender
    } else {
        ActorBasis::SocketOpener
    }
}
