//! Connections whose handshake is under way: strangers, as far as anybody knows yet.
//!
//! Bounds: [`MAX`] at the same time, of these [`MAX_EACH`] of one source. When a bound is reached the oldest makes room: of that
//! source, or of the one that has most. A new one is never refused, so whoever stalls drops its own, and a handshake that goes
//! on is over before its turn comes.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Handshakes at the same time.
pub(super) const MAX: usize = 256;
/// Of these of one source.
pub(super) const MAX_EACH: usize = 128;

/// All handshakes that are under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshakes(Arc<Mutex<UnderWay>>);

#[derive(Debug, Default)]
struct UnderWay {
    next: u64,
    /// In the order in which they came. To drop the sender is to drop the connection.
    by_age: BTreeMap<u64, (IpAddr, oneshot::Sender<()>)>,
    per_source: HashMap<IpAddr, usize>,
}

/// The place of one handshake; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    all: Handshakes,
    number: u64,
    dropped: oneshot::Receiver<()>,
}

impl Handshakes {
    /// Takes a place, another's where there is none.
    pub(super) fn enter(&self, address: IpAddr) -> Place {
        let source = source(address);
        let (stays, dropped) = oneshot::channel();
        let mut under_way = self.lock();
        if under_way
            .per_source
            .get(&source)
            .is_some_and(|held| *held >= MAX_EACH)
        {
            under_way.drop_oldest_of(source);
        } else if under_way.by_age.len() >= MAX {
            let most = under_way.per_source.iter().max_by_key(|(_, held)| **held);
            if let Some(most) = most.map(|(source, _)| *source) {
                under_way.drop_oldest_of(most);
            }
        }
        let number = under_way.next;
        under_way.next += 1;
        under_way.by_age.insert(number, (source, stays));
        *under_way.per_source.entry(source).or_default() += 1;
        drop(under_way);
        Place {
            all: self.clone(),
            number,
            dropped,
        }
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    fn drop_oldest_of(&mut self, source: IpAddr) {
        let oldest = self.by_age.iter().find(|(_, (of, _))| *of == source);
        if let Some(number) = oldest.map(|(number, _)| *number) {
            self.remove(number);
        }
    }

    fn remove(&mut self, number: u64) {
        let Some((source, _)) = self.by_age.remove(&number) else {
            return;
        };
        if let Some(held) = self.per_source.get_mut(&source) {
            *held -= 1;
            if *held == 0 {
                self.per_source.remove(&source);
            }
        }
    }
}

impl Place {
    /// Returns when another has taken the place.
    pub(super) async fn lost(&mut self) {
        // Nothing is ever sent; it ends with the sender.
        let _ = (&mut self.dropped).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.lock().remove(self.number);
    }
}

/// Whom an address counts for: with IPv6 one host has a whole /64.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

/// Handshakes that came to nothing since it was last told.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) failed: AtomicU64,
    pub(super) timed_out: AtomicU64,
    pub(super) dropped: AtomicU64,
}

impl Failures {
    /// Says in one line what has come up, so that strangers cannot fill the log.
    pub(super) fn tell(&self) {
        let [failed, timed_out, dropped] =
            [&self.failed, &self.timed_out, &self.dropped].map(|count| count.swap(0, Ordering::Relaxed));
        if failed + timed_out + dropped > 0 {
            tracing::info!(
                failed,
                timed_out,
                dropped,
                "TLS handshakes came to nothing; each is told at the level debug"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    fn v4(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn is_lost(place: &mut Place) -> bool {
        place.dropped.try_recv() == Err(TryRecvError::Closed)
    }

    #[test]
    fn one_source_drops_its_own_oldest() {
        let all = Handshakes::default();
        let mut other = all.enter(v4(2));
        let mut places: Vec<_> = (0..MAX_EACH).map(|_| all.enter(v4(1))).collect();
        assert!(!places.iter_mut().any(is_lost));
        places.push(all.enter(v4(1)));
        let lost: Vec<_> = places.iter_mut().map(is_lost).collect();
        assert!(lost[0] && !lost[1..].contains(&true), "{lost:?}");
        assert!(!is_lost(&mut other));
    }

    #[test]
    fn many_sources_drop_the_oldest_of_the_one_with_most() {
        let all = Handshakes::default();
        let mut few = all.enter(v4(1));
        let mut most: Vec<_> = (0..MAX_EACH).map(|_| all.enter(v4(2))).collect();
        let mut rest: Vec<_> = (1..MAX - MAX_EACH).map(|_| all.enter(v4(3))).collect();
        let mut new = all.enter(v4(4));
        assert!(is_lost(&mut most[0]));
        assert!(
            ![&mut few, &mut new, &mut rest[0], &mut most[1]]
                .into_iter()
                .any(is_lost)
        );
        assert_eq!(all.lock().by_age.len(), MAX);
    }

    #[test]
    fn what_ends_leaves_nothing() {
        let all = Handshakes::default();
        let places: Vec<_> = (0..2 * MAX_EACH).map(|_| all.enter(v4(1))).collect();
        drop(places);
        let under_way = all.lock();
        assert!(under_way.by_age.is_empty() && under_way.per_source.is_empty());
    }

    #[test]
    fn a_host_is_one_source_however_it_writes_its_address() {
        let parse = |text: &str| source(text.parse().expect("is one"));
        assert_eq!(parse("2001:db8::1"), parse("2001:db8::ffff:1"));
        assert_ne!(parse("2001:db8::1"), parse("2001:db8:0:1::1"));
        assert_eq!(parse("::ffff:192.0.2.1"), v4(1));
    }
}
