//! Connections of strangers: those whose handshake is under way, and those that showed no certificate.
//!
//! Bounds: so many at the same time, of these so many of one source. When a bound is reached the oldest makes room: of that source,
//! or of the one that has most. A new one is never refused, so whoever stalls drops its own, and who goes on is done before its
//! turn comes.

use std::collections::{BTreeMap, HashMap};
use std::future::{Future as _, poll_fn};
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// All that are here, with their bounds.
#[derive(Clone, Debug)]
pub(super) struct Strangers {
    present: Arc<Mutex<Present>>,
    most: usize,
    most_each: usize,
}

#[derive(Debug, Default)]
struct Present {
    next: u64,
    /// In the order in which they came. To drop the sender is to drop the connection.
    by_age: BTreeMap<u64, (IpAddr, oneshot::Sender<()>)>,
    per_source: HashMap<IpAddr, usize>,
}

/// The place of one of them; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    all: Strangers,
    number: u64,
    dropped: oneshot::Receiver<()>,
    is_lost: bool,
}

impl Strangers {
    pub(super) fn new(most: usize, most_each: usize) -> Self {
        Self {
            present: Arc::default(),
            most,
            most_each,
        }
    }

    /// Takes a place, another's where there is none.
    pub(super) fn enter(&self, address: IpAddr) -> Place {
        let source = source(address);
        let (stays, dropped) = oneshot::channel();
        let mut present = self.lock();
        if present
            .per_source
            .get(&source)
            .is_some_and(|held| *held >= self.most_each)
        {
            present.drop_oldest_of(source);
        } else if present.by_age.len() >= self.most {
            let most = present.per_source.iter().max_by_key(|(_, held)| **held);
            if let Some(most) = most.map(|(source, _)| *source) {
                present.drop_oldest_of(most);
            }
        }
        let number = present.next;
        present.next += 1;
        present.by_age.insert(number, (source, stays));
        *present.per_source.entry(source).or_default() += 1;
        drop(present);
        Place {
            all: self.clone(),
            number,
            dropped,
            is_lost: false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Present {
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
    /// Ready when another has taken the place.
    pub(super) fn poll_lost(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // Nothing is ever sent; it ends with the sender, and may not be asked again then.
        if !self.is_lost && Pin::new(&mut self.dropped).poll(context).is_ready() {
            self.is_lost = true;
        }
        if self.is_lost {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Returns when another has taken the place.
    pub(super) async fn lost(&mut self) {
        poll_fn(|context| self.poll_lost(context)).await;
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    const MAX: usize = 16;
    const MAX_EACH: usize = 8;

    fn v4(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn is_lost(place: &mut Place) -> bool {
        place.dropped.try_recv() == Err(TryRecvError::Closed)
    }

    #[tokio::test]
    async fn who_lost_a_place_hears_of_it_as_often_as_it_asks() {
        let all = Strangers::new(1, 1);
        let mut first = all.enter(v4(1));
        let _second = all.enter(v4(2));
        first.lost().await;
        first.lost().await;
    }

    #[test]
    fn one_source_drops_its_own_oldest() {
        let all = Strangers::new(MAX, MAX_EACH);
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
        let all = Strangers::new(MAX, MAX_EACH);
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
        let all = Strangers::new(MAX, MAX_EACH);
        let places: Vec<_> = (0..2 * MAX_EACH).map(|_| all.enter(v4(1))).collect();
        drop(places);
        let present = all.lock();
        assert!(present.by_age.is_empty() && present.per_source.is_empty());
    }

    #[test]
    fn a_host_is_one_source_however_it_writes_its_address() {
        let parse = |text: &str| source(text.parse().expect("is one"));
        assert_eq!(parse("2001:db8::1"), parse("2001:db8::ffff:1"));
        assert_ne!(parse("2001:db8::1"), parse("2001:db8:0:1::1"));
        assert_eq!(parse("::ffff:192.0.2.1"), v4(1));
    }
}
