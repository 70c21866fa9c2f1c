//! Which name an address had last, by what resolvers answered. No input or output, and no clock.
//!
//! - By network namespace: another one may have another resolver, and the same addresses for other hosts.
//! - By user: whoever asks may have a resolver of his own, which answers what he likes. What system users were told (those below 1,000: resolvers' caches run as
//!   one) counts for all, for users without an answer of their own.
//! - Bounded: [`NAMES_MAX`] addresses; the one that was told of first is forgotten for another one.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use super::dns::Answer;

/// Addresses of which a name is known at a time.
pub const NAMES_MAX: usize = 8_192;

/// Nanoseconds for which a name is kept at least, whatever the answer says: clients go on with an address for longer than that.
const KEPT_NS: u64 = 600 * 1_000_000_000;
/// And at most.
const KEPT_NS_MAX: u64 = 86_400 * 1_000_000_000;

/// The first of the users that are people's.
const PERSONS_FIRST: u32 = 1_000;

/// A network namespace, a user, 0 for all of the system's, and an address.
type Place = (u32, u32, IpAddr);

const fn owner(user: u32) -> u32 {
    if user < PERSONS_FIRST { 0 } else { user }
}

/// All of them.
#[derive(Default)]
pub struct Names {
    known: HashMap<Place, Known>,
    order: BTreeMap<u64, Place>,
    told: u64,
}

struct Known {
    told: u64,
    name: String,
    until_boot_ns: u64,
}

impl Names {
    /// An answer came for this user, in this network namespace, at this time (nanoseconds since boot).
    pub fn take(&mut self, (namespace, user): (u32, u32), answer: &Answer, now_boot_ns: u64) {
        for (address, seconds) in &answer.addresses {
            let place = (namespace, owner(user), address.to_canonical());
            self.forget(place);
            if self.known.len() >= NAMES_MAX
                && let Some((_, first)) = self.order.pop_first()
            {
                self.known.remove(&first);
            }
            self.told += 1;
            let lifetime = u64::from(*seconds).saturating_mul(1_000_000_000);
            let known = Known {
                told: self.told,
                name: answer.name.clone(),
                until_boot_ns: now_boot_ns.saturating_add(lifetime.clamp(KEPT_NS, KEPT_NS_MAX)),
            };
            self.order.insert(self.told, place);
            self.known.insert(place, known);
        }
    }

    /// The name of an address for a user in a network namespace, at this time (nanoseconds since boot).
    #[must_use]
    pub fn of(&self, (namespace, user): (u32, u32), address: IpAddr, now_boot_ns: u64) -> Option<&str> {
        let of = |owner| {
            let known = self.known.get(&(namespace, owner, address.to_canonical()))?;
            (now_boot_ns <= known.until_boot_ns).then_some(&*known.name)
        };
        of(owner(user)).or_else(|| of(0))
    }

    /// How many are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn forget(&mut self, place: Place) {
        if let Some(known) = self.known.remove(&place) {
            self.order.remove(&known.told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(name: &str, addresses: &[&str], seconds: u32) -> Answer {
        let address = |text: &&str| (text.parse().expect("an address"), seconds);
        Answer {
            name: name.to_owned(),
            addresses: addresses.iter().map(address).collect(),
        }
    }

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_has_the_name_that_was_told_last_in_its_namespace() {
        let mut names = Names::default();
        names.take(
            (1, 0),
            &answer("sts.amazonaws.com", &["192.0.2.1", "192.0.2.2"], 60),
            0,
        );
        names.take((1, 0), &answer("other.example", &["192.0.2.2"], 60), 0);
        assert_eq!(names.of((1, 0), at("192.0.2.1"), 1), Some("sts.amazonaws.com"));
        assert_eq!(
            names.of((1, 0), at("::ffff:192.0.2.1"), 1),
            Some("sts.amazonaws.com")
        );
        assert_eq!(names.of((1, 0), at("192.0.2.2"), 1), Some("other.example"));
        assert_eq!(names.of((2, 0), at("192.0.2.1"), 1), None);
        assert_eq!(names.of((1, 0), at("192.0.2.3"), 1), None);
    }

    #[test]
    fn a_name_ends_with_its_lifetime_and_not_before_ten_minutes() {
        let mut names = Names::default();
        names.take((1, 0), &answer("short.example", &["192.0.2.1"], 1), 0);
        names.take((1, 0), &answer("long.example", &["192.0.2.2"], u32::MAX), 0);
        assert!(names.of((1, 0), at("192.0.2.1"), KEPT_NS).is_some());
        assert!(names.of((1, 0), at("192.0.2.1"), KEPT_NS + 1).is_none());
        assert!(names.of((1, 0), at("192.0.2.2"), KEPT_NS_MAX).is_some());
        assert!(names.of((1, 0), at("192.0.2.2"), KEPT_NS_MAX + 1).is_none());
    }

    #[test]
    fn the_first_is_forgotten_for_another_one() {
        let mut names = Names::default();
        let all = u32::try_from(NAMES_MAX).expect("few");
        for number in 0..=all {
            let address = std::net::Ipv4Addr::from(number).to_string();
            names.take((1, 0), &answer("one.example", &[&address], 60), 0);
        }
        assert_eq!((names.len(), names.order.len()), (NAMES_MAX, NAMES_MAX));
        assert!(names.of((1, 0), at("0.0.0.0"), 1).is_none());
        assert!(names.of((1, 0), at("0.0.0.1"), 1).is_some());
        names.take((1, 0), &answer("other.example", &["0.0.0.1"], 60), 0);
        assert_eq!((names.len(), names.order.len()), (NAMES_MAX, NAMES_MAX));
    }

    #[test]
    fn what_a_user_is_told_names_nothing_of_others_and_what_the_system_is_told_does() {
        let mut names = Names::default();
        names.take((1, 1_001), &answer("lie.example", &["192.0.2.1"], 60), 0);
        assert_eq!(names.of((1, 1_001), at("192.0.2.1"), 1), Some("lie.example"));
        assert_eq!(names.of((1, 1_002), at("192.0.2.1"), 1), None);
        assert_eq!(names.of((1, 0), at("192.0.2.1"), 1), None);
        names.take((1, 101), &answer("true.example", &["192.0.2.1"], 60), 0);
        assert_eq!(names.of((1, 1_002), at("192.0.2.1"), 1), Some("true.example"));
        assert_eq!(names.of((1, 0), at("192.0.2.1"), 1), Some("true.example"));
    }
}
