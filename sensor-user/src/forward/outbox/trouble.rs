//! What the outbox says in the log: that something lasts is said when it begins and when it ends.

use super::*;

impl Inner {
    /// Logs what the spool has noticed at an append.
    pub(super) fn log_trouble(&mut self, spool: &Spool<OsFileSystem>) {
        let removals = spool.removals();
        if removals > std::mem::replace(&mut self.removals, removals) {
            tracing::error!(
                "files of the spool were removed while the sensor runs; find out who did that. a gap tells which events are lost"
            );
        }
        let unanchored = !spool.is_anchored();
        match (std::mem::replace(&mut self.unanchored, unanchored), unanchored) {
            (false, true) => tracing::warn!(
                "how far the sensor has come cannot be written down beside its identity; if the spool is removed now, not all of that \
                 will be told"
            ),
            (true, false) => tracing::info!("how far the sensor has come can be written down again"),
            _ => {}
        }
    }

    pub(super) fn log_change(&mut self, error: Option<&OutboxError>) {
        let refused = match error {
            Some(error @ OutboxError::NotKept { .. }) => Some(error),
            _ => None,
        };
        match (self.refusing, refused) {
            (false, Some(error)) => {
                tracing::error!(
                    reason = in_one_line(error),
                    "events cannot be kept and are lost until there is room; a gap will tell how many"
                );
            }
            (true, None) => tracing::info!("events can be kept again"),
            _ => {}
        }
        self.refusing = refused.is_some();
    }
}
