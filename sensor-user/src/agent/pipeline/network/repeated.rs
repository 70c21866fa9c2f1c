//! Uses on the network that repeat one that was told: counted, and told as counts now and then.

use std::collections::HashMap;

use claviger_proto::v1::{Endpoint, Tls};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use super::*;

/// How often repeats are told.
const REPEATS: Duration = Duration::from_secs(30);
/// Uses of which repeats are counted, at most. At the bound each is told.
const REPEATED_MAX: usize = 4_096;

/// Uses that were told.
#[derive(Default)]
pub(super) struct Repeats {
    told: HashMap<[u8; 32], Repeated>,
    /// When repeats were told last, since the agent began.
    told_at: Duration,
}

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
        let endpoint = event.endpoint.as_deref().map(Endpoint::encode_to_vec);
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

impl<S: Sink> Agent<S> {
    /// Tells a use at once, or counts it where it repeats one of the same program run.
    pub(super) fn tell_use(&mut self, event: Event) {
        let key = Repeated::key(&event);
        if let Some(repeated) = self.network.repeated.told.get_mut(&key) {
            repeated.count += 1;
            return;
        }
        if self.network.repeated.told.len() < REPEATED_MAX {
            let repeated = Repeated {
                event: Box::new(event.clone()),
                count: 0,
            };
            self.network.repeated.told.insert(key, repeated);
        }
        self.accounts.received += 1;
        self.push(event, None);
    }

    /// Tells how often uses were repeated since this was told last. What was not is forgotten.
    pub(in crate::agent::pipeline) fn tell_repeated_on_network(&mut self, all: bool) {
        let now = self.started.elapsed();
        if !all && now < self.network.repeated.told_at + REPEATS {
            return;
        }
        self.network.repeated.told_at = now;
        let mut told = Vec::new();
        self.network.repeated.told.retain(|_, repeated| {
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
}
