//! How much an unusual read matters.
//!
//! | kind | let happen | refused |
//! | --- | --- | --- |
//! | opens the host, or the cluster, to whoever has it (`OPENS_ALL`) | high | medium |
//! | any other | medium | low |

use claviger_proto::v1::{Outcome, Severity};

/// Kinds that are the key to all others of their host or cluster.
const OPENS_ALL: [&str; 4] = [
    "host_password_hashes",
    "kubernetes_pki_key",
    "ssh_host_key",
    "sudo_rules",
];

pub(super) fn severity(kind: &str, outcome: Outcome) -> Severity {
    match (OPENS_ALL.contains(&kind), outcome == Outcome::Denied) {
        (true, false) => Severity::High,
        (true, true) | (false, false) => Severity::Medium,
        (false, true) => Severity::Low,
    }
}

#[cfg(test)]
mod tests {
    use claviger_proto::catalogue::Catalogue;

    use super::*;

    #[test]
    fn the_table_holds() {
        assert_eq!(severity("ssh_host_key", Outcome::Succeeded), Severity::High);
        assert_eq!(severity("ssh_host_key", Outcome::Denied), Severity::Medium);
        assert_eq!(severity("aws_access_key", Outcome::Unknown), Severity::Medium);
        assert_eq!(severity("aws_access_key", Outcome::Denied), Severity::Low);
    }

    #[test]
    fn every_kind_of_the_table_is_in_the_catalogue() {
        for kind in OPENS_ALL {
            assert!(Catalogue::shipped().kind(kind).is_some(), "{kind}");
        }
    }
}
