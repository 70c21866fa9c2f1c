//! What was sent and has no answer yet. Pure.

use std::collections::VecDeque;

use claviger_proto::envelope::Sha256Digest;

use crate::spool::Mark;

/// Most batches without an answer.
pub const MAX_IN_FLIGHT: usize = 64;
/// Most bytes without an answer; a larger batch goes alone.
pub const MAX_IN_FLIGHT_BYTES: usize = 2 << 20;

/// A batch that was sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) mark: Mark,
    pub(super) first_sequence: u64,
    pub(super) bytes: usize,
}

/// What became of batches, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Settled {
    /// The detector has this one and all before it.
    Acknowledged(Mark),
    /// The detector will never take this one.
    Rejected { mark: Mark, first_sequence: u64 },
}

/// The batches without an answer, oldest first.
#[derive(Debug, Default)]
pub(super) struct Window {
    sent: VecDeque<(Sent, Option<Verdict>)>,
    bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Rejected,
    Stored,
}

impl Window {
    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// How many there are, and their bytes.
    pub(super) fn size(&self) -> (u64, u64) {
        (self.sent.len() as u64, self.bytes as u64)
    }

    pub(super) fn has_room(&self) -> bool {
        self.sent.len() < MAX_IN_FLIGHT && self.bytes < MAX_IN_FLIGHT_BYTES
    }

    pub(super) fn push(&mut self, sent: Sent) {
        self.bytes += sent.bytes;
        self.sent.push_back((sent, None));
    }

    /// A receipt: stands for its batch and all before it. Nothing where no such batch is awaited, as with a receipt that comes twice.
    pub(super) fn stored(&mut self, digest: &[u8]) -> Option<Vec<Settled>> {
        let at = self.position(digest)?;
        for (_, verdict) in self.sent.iter_mut().take(at + 1) {
            verdict.get_or_insert(Verdict::Stored);
        }
        Some(self.settle())
    }

    /// A rejection: stands for its batch alone.
    pub(super) fn rejected(&mut self, digest: &[u8]) -> Option<Vec<Settled>> {
        let at = self.position(digest)?;
        if let Some((_, verdict)) = self.sent.get_mut(at) {
            *verdict = Some(Verdict::Rejected);
        }
        Some(self.settle())
    }

    fn position(&self, digest: &[u8]) -> Option<usize> {
        let digest: &Sha256Digest = digest.try_into().ok()?;
        self.sent
            .iter()
            .position(|(sent, _)| sent.mark.digest() == digest)
    }

    /// Takes out what is answered from the front: a later answer waits for the earlier ones.
    fn settle(&mut self) -> Vec<Settled> {
        let mut settled = Vec::new();
        while let Some((_, Some(_))) = self.sent.front() {
            let Some((
                Sent {
                    mark,
                    first_sequence,
                    bytes,
                },
                verdict,
            )) = self.sent.pop_front()
            else {
                break;
            };
            self.bytes -= bytes;
            match (verdict, settled.last_mut()) {
                (Some(Verdict::Rejected), _) => settled.push(Settled::Rejected { mark, first_sequence }),
                // One acknowledgement for all in a row.
                (_, Some(Settled::Acknowledged(last))) => *last = mark,
                _ => settled.push(Settled::Acknowledged(mark)),
            }
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::SystemClock;
    use crate::config::{Spool as SpoolConfig, WhenFull};
    use crate::sign::{BootId, ChainState, Sealed};
    use crate::spool::{OsFileSystem, Spool};

    /// Marks come from a spool only.
    fn marks(count: u64) -> Vec<Sent> {
        let dir = tempfile::tempdir().expect("made");
        let config = SpoolConfig {
            max_bytes: 1 << 20,
            segment_bytes: 1 << 19,
            when_full: WhenFull::DropOldest,
        };
        let (mut spool, _) =
            Spool::open(OsFileSystem, dir.path(), &config, Arc::new(SystemClock)).expect("opens");
        let mut chain = ChainState::start(BootId::from_bytes([1; 16]));
        let mut sent: Vec<Sent> = Vec::new();
        for number in 1..=count {
            let mut digest = [0; 32];
            digest[0] = u8::try_from(number).expect("few");
            let sealed = Sealed {
                envelope: bytes::Bytes::from_static(b"x"),
                boot_id: chain.boot_id,
                first_sequence: number,
                last_sequence: number,
                digest,
                previous_digest: chain.previous_digest,
                sealed_at: std::time::UNIX_EPOCH,
            };
            spool.append(&sealed).expect("appended");
            chain = ChainState::after(chain.boot_id, number, digest);
            let waiting = spool
                .next_after(sent.last().map(|sent| &sent.mark))
                .expect("read")
                .expect("there");
            sent.push(Sent {
                mark: waiting.mark,
                first_sequence: number,
                bytes: 100,
            });
        }
        sent
    }

    fn window(sent: &[Sent]) -> Window {
        let mut window = Window::default();
        sent.iter().for_each(|sent| window.push(sent.clone()));
        window
    }

    #[test]
    fn a_receipt_stands_for_all_before_it() {
        let sent = marks(4);
        let mut window = window(&sent);
        let settled = window.stored(sent[2].mark.digest()).expect("awaited");
        assert_eq!(settled, [Settled::Acknowledged(sent[2].mark)]);
        assert!(!window.is_empty());
        assert_eq!(
            window.stored(sent[1].mark.digest()),
            None,
            "a receipt that comes twice"
        );
        assert_eq!(window.stored(b"short"), None);
        window.stored(sent[3].mark.digest()).expect("awaited");
        assert!(window.is_empty());
    }

    #[test]
    fn a_rejection_waits_for_those_before_it_and_stays_one() {
        let sent = marks(4);
        let mut window = window(&sent);
        assert_eq!(window.rejected(sent[1].mark.digest()), Some(vec![]));
        let settled = window.stored(sent[3].mark.digest()).expect("awaited");
        let rejected = Settled::Rejected {
            mark: sent[1].mark,
            first_sequence: 2,
        };
        let stored = |at: usize| Settled::Acknowledged(sent[at].mark);
        assert_eq!(settled, [stored(0), rejected, stored(3)]);
    }

    #[test]
    fn the_window_is_bounded_both_ways() {
        let sent = marks(1).remove(0);
        let mut window = Window::default();
        for _ in 0..MAX_IN_FLIGHT {
            assert!(window.has_room());
            window.push(sent.clone());
        }
        assert!(!window.has_room());
        let mut window = Window::default();
        window.push(Sent {
            bytes: MAX_IN_FLIGHT_BYTES,
            ..sent
        });
        assert!(!window.has_room());
    }
}
