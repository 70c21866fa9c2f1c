//! The ways, by the rows of docs/coverage-required.md.
//!
//! In each way stands, for the levels LSM, fentry and tracepoint in this order, whether it is built. Who builds one changes the word.

mod attacks;
mod changes;
mod reads;
mod refused;
mod secrets;
mod unused;

use super::Way;

/// All of them.
#[must_use]
pub fn all() -> Vec<Way> {
    [
        reads::ways(),
        refused::ways(),
        changes::ways(),
        secrets::ways(),
        attacks::ways(),
        unused::ways(),
    ]
    .concat()
}

/// Ways that the row with this beginning asks for.
fn row<const N: usize>(beginning: &'static str, ways: [Way; N]) -> Vec<Way> {
    ways.map(|way| Way {
        row: beginning,
        ..way
    })
    .to_vec()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_ways_have_one_name() {
        let ways = all();
        let names: BTreeSet<_> = ways.iter().map(|way| way.name).collect();
        assert_eq!(names.len(), ways.len());
    }
}
