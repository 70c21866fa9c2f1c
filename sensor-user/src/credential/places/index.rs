//! Finds the few patterns that a path can match, by its last name. Those of entries that only the content decides are not among them.

use std::collections::HashMap;

use claviger_proto::catalogue::Component;

use super::Rule;

/// Patterns by their last name. The numbers are positions in the list of rules and ascend.
#[derive(Debug)]
pub(super) struct Index {
    by_name: HashMap<Vec<u8>, Vec<usize>>,
    by_wildcard: Vec<(Component, usize)>,
}

impl Index {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut index = Self {
            by_name: HashMap::new(),
            by_wildcard: Vec::new(),
        };
        let by_name_alone = |rule: &Rule| !rule.entry.needs_content();
        for (at, rule) in rules.iter().enumerate().filter(|(_, rule)| by_name_alone(rule)) {
            match rule.pattern().components().last() {
                Some(Component::Literal(name)) => index
                    .by_name
                    .entry(name.clone().into_bytes())
                    .or_default()
                    .push(at),
                Some(other) => index.by_wildcard.push((other.clone(), at)),
                None => {}
            }
        }
        index
    }

    /// The rules whose last name takes this one, in order.
    pub(super) fn candidates(&self, name: &[u8]) -> impl Iterator<Item = usize> {
        let named = self
            .by_name
            .get(name)
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .copied();
        let wild = self
            .by_wildcard
            .iter()
            .filter(|(component, _)| component.matches(name))
            .map(|(_, at)| *at);
        let mut all: Vec<usize> = named.chain(wild).collect();
        all.sort_unstable();
        all.into_iter()
    }
}
