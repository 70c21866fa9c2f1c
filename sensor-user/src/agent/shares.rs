//! What many users share, so that none can use up what the others need.
//!
//! Nobody says how many users there will be, so nobody has a fixed part: one may take one more while he has less than a quarter of what is left for all. One
//! alone comes to a fifth of all, and whoever comes anew may have a fifth of what is left then. A user and not a process is counted, nor its
//! ancestors: to begin a process costs nothing, and who has let his parent end has other ancestors; another user id has only who was given one. Who has many (a
//! range for containers) has as many shares.

use std::collections::BTreeMap;

/// So many times what one has must be left for all, that he may take one more.
const MORE_LEFT: u32 = 4;

/// Whether one who has so many may take one more, while so many are left.
pub(super) const fn may_take(taken: u32, left: u32) -> bool {
    taken.saturating_mul(MORE_LEFT) < left
}

/// A number of equal things, and who has how many of them. It keeps no more users than things.
#[derive(Debug)]
pub(super) struct Shares {
    left: u32,
    taken: BTreeMap<Option<u32>, u32>,
}

impl Shares {
    /// So many things.
    pub(super) const fn of(all: u32) -> Self {
        Self {
            left: all,
            taken: BTreeMap::new(),
        }
    }

    /// Whether a user, or one that is not known, may take one more.
    pub(super) fn has_room(&self, user: Option<u32>) -> bool {
        may_take(self.taken.get(&user).copied().unwrap_or_default(), self.left)
    }

    /// Takes one; false where he may not.
    pub(super) fn take(&mut self, user: Option<u32>) -> bool {
        if !self.has_room(user) {
            return false;
        }
        self.left -= 1;
        *self.taken.entry(user).or_default() += 1;
        true
    }

    /// Gives one back that was taken.
    pub(super) fn give_back(&mut self, user: Option<u32>) {
        if let Some(taken) = self.taken.get_mut(&user) {
            *taken -= 1;
            self.left += 1;
            if *taken == 0 {
                self.taken.remove(&user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_after_the_other_leaves_four_fifths_to_all_that_follow() {
        let mut shares = Shares::of(1_024);
        let mut parts = Vec::new();
        for user in 0..4 {
            while shares.take(Some(user)) {}
            parts.push(shares.taken[&Some(user)]);
        }
        assert_eq!(parts, [205, 164, 131, 105]);
        assert!(!shares.has_room(Some(0)) && shares.has_room(None));
        shares.give_back(Some(0));
        shares.give_back(Some(17));
        assert_eq!(shares.left, 1_024 - 205 - 164 - 131 - 105 + 1);
    }

    proptest! {
        /// Whatever eleven others do, who has nothing gets something.
        #[test]
        fn nobody_uses_up_what_another_needs(
            turns in proptest::collection::vec((0_u32..12, any::<bool>()), 0..2_000),
        ) {
            const ALL: u32 = 256;
            let mut shares = Shares::of(ALL);
            for (user, takes) in turns {
                let before = shares.taken.get(&Some(user)).copied().unwrap_or_default();
                if takes {
                    prop_assert!(shares.take(Some(user)) || before > 0);
                } else {
                    shares.give_back(Some(user));
                }
                let taken: u32 = shares.taken.values().sum();
                prop_assert_eq!(taken + shares.left, ALL);
                prop_assert!(shares.taken.len() <= ALL as usize);
                prop_assert!(shares.taken.values().all(|taken| (1..=ALL / 5 + 1).contains(taken)));
                prop_assert!(shares.left > 0, "one more user finds something");
            }
        }
    }
}
