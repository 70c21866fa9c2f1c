//! How far each pattern has come on the way to a directory: the steps of an automaton over names.

use std::os::unix::ffi::OsStrExt as _;

use claviger_proto::catalogue::{Anchor, Component};

use crate::credential::places::{Places, Rule};

/// A way through names, and how many of its steps are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// On the way to the home of this number.
    Home(usize, usize),
    /// On the way through the pattern of the rule of this number.
    Rule(usize, usize),
}

/// What a way wants next.
pub(super) enum Next<'a> {
    Name(&'a [u8]),
    Wildcard(&'a Component),
    /// Any directory, and then this again.
    AnyDepth,
}

/// The beginning of all ways.
pub(super) fn start(places: &Places) -> Vec<State> {
    let anywhere = rules_with(places, Anchor::Anywhere).filter(|_| places.searches);
    let rules = rules_with(places, Anchor::Root).chain(anywhere);
    let homes = (0..places.homes.len()).map(|home| State::Home(home, 0));
    close(places, rules.chain(homes).collect())
}

/// All ways that go on through this name.
pub(super) fn advance(places: &Places, states: &[State], name: &[u8]) -> Vec<State> {
    advance_where(places, states, name, |_| true)
}

/// The same for those ways only that name it exactly.
pub(super) fn advance_exact(places: &Places, states: &[State], name: &[u8]) -> Vec<State> {
    advance_where(places, states, name, |next| matches!(next, Next::Name(_)))
}

fn advance_where(
    places: &Places,
    states: &[State],
    name: &[u8],
    want: impl Fn(&Next<'_>) -> bool,
) -> Vec<State> {
    let go = |state: &State| {
        let next = next(places, *state)?;
        match next {
            _ if !want(&next) => None,
            Next::Name(wanted) => (wanted == name).then(|| state.forward()),
            Next::Wildcard(component) => component.matches(name).then(|| state.forward()),
            Next::AnyDepth => Some(*state),
        }
    };
    close(places, states.iter().filter_map(go).collect())
}

/// What a way wants next; nothing at its end.
pub(super) fn next<'a>(places: &'a Places, state: State) -> Option<Next<'a>> {
    match state {
        State::Home(home, at) => {
            let path = places.homes[home].path().as_os_str().as_bytes();
            let name = path
                .split(|byte| *byte == b'/')
                .filter(|name| !name.is_empty())
                .nth(at)?;
            Some(Next::Name(name))
        }
        State::Rule(rule, at) => Some(match places.rules[rule].pattern().components().get(at)? {
            Component::Literal(name) => Next::Name(name.as_bytes()),
            wildcard @ Component::Wildcard(_) => Next::Wildcard(wildcard),
            Component::AnyDepth => Next::AnyDepth,
        }),
    }
}

/// The rule of which this is the end.
pub(super) fn finished(places: &Places, state: State) -> Option<usize> {
    match state {
        State::Rule(rule, at) if at == places.rules[rule].pattern().components().len() => Some(rule),
        _ => None,
    }
}

/// Whether the name after this state would be the last: what the directory has to be labelled for.
pub(super) fn is_last_step(places: &Places, state: State) -> bool {
    matches!(state, State::Rule(rule, at) if at + 1 == places.rules[rule].pattern().components().len())
}

/// Whether the name after this state would be the last, in a directory that the pattern names as one of its own: by a name below a home, or by
/// two below the root.
pub(super) fn ends_in_own_directory(places: &Places, state: State) -> bool {
    let State::Rule(rule, at) = state else {
        return false;
    };
    let pattern = places.rules[rule].pattern();
    let named = pattern.components().iter().take(at);
    let names = named
        .filter(|component| **component != Component::AnyDepth)
        .count();
    let enough = match pattern.anchor() {
        Anchor::Home => 1,
        Anchor::Root => 2,
        Anchor::Anywhere => return false,
    };
    is_last_step(places, state) && names >= enough
}

/// Whether what the pattern names could lie in a directory that appears here, whatever its name.
pub(super) fn leads_on(places: &Places, state: State) -> bool {
    match next(places, state) {
        Some(Next::AnyDepth) => true,
        Some(Next::Wildcard(_)) => is_last_step(places, state.forward()),
        _ => false,
    }
}

/// All ways but those that were free to go through any directories to get here.
pub(super) fn without_any_depth(places: &Places, states: &[State]) -> Vec<State> {
    let is_named = |state: &&State| match **state {
        State::Home(..) => true,
        State::Rule(rule, at) => {
            let components = places.rules[rule].pattern().components();
            !components
                .iter()
                .take(at + 1)
                .any(|one| *one == Component::AnyDepth)
        }
    };
    states.iter().filter(is_named).copied().collect()
}

/// Whether the way to a home ends here.
pub(super) fn reaches_home(places: &Places, states: &[State]) -> bool {
    states
        .iter()
        .any(|state| matches!(state, State::Home(..)) && next(places, *state).is_none())
}

/// Adds what a state also is: behind a home, the beginning of the patterns of homes; at `**`, also behind it.
fn close(places: &Places, mut states: Vec<State>) -> Vec<State> {
    let mut at = 0;
    let mut in_home = false;
    while let Some(state) = states.get(at).copied() {
        at += 1;
        match (state, next(places, state)) {
            (State::Home(..), None) if !in_home => {
                in_home = true;
                states.extend(rules_with(places, Anchor::Home));
            }
            (State::Rule(..), Some(Next::AnyDepth)) => states.push(state.forward()),
            _ => {}
        }
    }
    states.sort_unstable();
    states.dedup();
    states
}

fn rules_with(places: &Places, anchor: Anchor) -> impl Iterator<Item = State> {
    let is_of = move |(_, rule): &(usize, &Rule)| {
        rule.pattern().anchor() == anchor && rule.is_searched() == places.searches
    };
    places
        .rules
        .iter()
        .enumerate()
        .filter(is_of)
        .map(|(at, _)| State::Rule(at, 0))
}

impl State {
    fn forward(self) -> Self {
        match self {
            Self::Home(home, at) => Self::Home(home, at + 1),
            Self::Rule(rule, at) => Self::Rule(rule, at + 1),
        }
    }
}
