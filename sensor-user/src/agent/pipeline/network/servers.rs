//! Connections to servers that no catalogue names, and a credential does: a cluster that a kubeconfig is for. Only of whoever has used the credential a short while before, or is
//! related to who has: anybody can write a file that names a server.

use std::{net::SocketAddr, time::Duration};

use claviger_proto::v1::Event;

use super::*;
use crate::agent::chains::Meant;

/// For so long a connection waits until it is known what a credential is for. Behind that it is told as one to no provider, or not at all.
const WAIT: Duration = Duration::from_millis(500);
/// Connections that wait. At the bound the oldest waits no longer.
const UNNAMED_MAX: usize = 256;

/// A connection to no provider that is known.
pub(super) struct Unnamed {
    pub(super) event: Box<Event>,
    /// Where it leads; nowhere where that is a proxy.
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) since: Duration,
}

impl<S: Sink> Agent<S> {
    /// Tells a connection, if it is to be told, or has it wait.
    pub(super) fn connects_to_server(&mut self, unnamed: Unnamed) {
        match self.meant_by(&unnamed) {
            Meant::By(provider) => self.tell_provider(unnamed, provider),
            Meant::NotYet => {
                if self.network.unnamed.len() >= UNNAMED_MAX
                    && let Some(oldest) = self.network.unnamed.pop_front()
                {
                    self.tell_without_provider(*oldest.event);
                }
                self.network.unnamed.push_back(unnamed);
            }
            Meant::No => self.tell_without_provider(*unnamed.event),
        }
    }

    /// Whether none waits.
    pub(in crate::agent::pipeline) fn knows_servers(&self) -> bool {
        self.network.unnamed.is_empty()
    }

    /// Tells those that have waited and are known now, or have waited for long enough.
    pub(in crate::agent::pipeline) fn tell_to_servers(&mut self) {
        let now = self.started.elapsed();
        for unnamed in std::mem::take(&mut self.network.unnamed) {
            match self.meant_by(&unnamed) {
                Meant::By(provider) => self.tell_provider(unnamed, provider),
                Meant::NotYet if now < unnamed.since + WAIT => self.network.unnamed.push_back(unnamed),
                Meant::NotYet | Meant::No => self.tell_without_provider(*unnamed.event),
            }
        }
    }

    /// At the end nothing is found out any more.
    pub(in crate::agent::pipeline) fn give_up_servers(&mut self) {
        for unnamed in std::mem::take(&mut self.network.unnamed) {
            match self.meant_by(&unnamed) {
                Meant::By(provider) => self.tell_provider(unnamed, provider),
                Meant::NotYet | Meant::No => self.tell_without_provider(*unnamed.event),
            }
        }
    }

    fn meant_by(&self, unnamed: &Unnamed) -> Meant {
        let name = unnamed.event.endpoint.as_ref().map(|place| &*place.name);
        self.chains
            .meant(&unnamed.event, name.unwrap_or_default(), &unnamed.addresses)
    }

    fn tell_provider(&mut self, mut unnamed: Unnamed, provider: String) {
        if let Some(place) = &mut unnamed.event.endpoint {
            place.provider = provider;
        }
        self.tell_use(*unnamed.event);
    }

    /// Other connections are nobody's business, but where all are asked for.
    fn tell_without_provider(&mut self, event: Event) {
        if self.options.all_tls {
            self.tell_use(event);
        }
    }
}
