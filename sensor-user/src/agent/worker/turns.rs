//! What the worker's thread does, turn by turn.

use super::*;

/// Questions that are taken up before anything else gets its turn: while it labels, that comes in slices, and all that waits is answered between them.
const ASKS_AT_ONCE: usize = 64;

/// A scan that something asked for waits so long, so that what follows at once is in it too.
const SOON: Duration = Duration::from_millis(20);

/// Of the time between scans that something asked for, at most one part in so many is spent on scanning.
const SHARE: u32 = 10;

/// The same for scans that come by themselves: where there is very much to look through, they come more seldom than configured.
const REGULAR_SHARE: u32 = 20;

/// What it has.
pub(super) struct State {
    pub(super) looks: Arc<AtomicBool>,
    pub(super) kept: Arc<Kept>,
    pub(super) labelling: Labelling,
    pub(super) public: Public,
    pub(super) suspects: Suspects,
    pub(super) layers: Layers,
    pub(super) self_test: Option<SelfTestOptions>,
    pub(super) next_test: Option<Instant>,
    pub(super) lates: Lates,
}

impl State {
    pub(super) fn run(mut self, asked: &AskedQueue, answer: &mpsc::Sender<Answer>, rescan: Duration) {
        let mut next = Instant::now();
        let mut earliest = next;
        let mut is_first = true;
        let mut is_to_look = false;
        loop {
            let now = Instant::now();
            if now >= next {
                if self.layers.have_come() && answer.blocking_send(Answer::LayersKnown).is_err() {
                    return;
                }
                self.labelling.hands.wasted();
                let now_ns = BootClock::read().since_boot_ns();
                self.labelling.labeller.left_opens.forget_old(now_ns);
                let mut counts = self.labelling.scan(&mut self.public);
                is_to_look = false;
                if std::mem::take(&mut is_first) {
                    counts = self.labelling.recall(&mut self.public);
                }
                if let Err(error) = self.labelling.labeller.begin_to_watch() {
                    tracing::error!(%error, "changes by path are not told");
                }
                let done = Instant::now();
                let took = (done - now).saturating_sub(self.labelling.hands.wasted());
                next = done + rescan.max(took * REGULAR_SHARE);
                earliest = done + took * SHARE;
                if answer.blocking_send(Answer::Scanned(counts)).is_err() {
                    return;
                }
            }
            if self.next_test.is_some_and(|next| next <= now)
                && let Some(tested) = self.test()
                && answer.blocking_send(Answer::Tested(tested)).is_err()
            {
                return;
            }
            if !self.look_at_ripe(answer) {
                return;
            }
            for led in self.look_for_late() {
                if answer.blocking_send(led).is_err() {
                    return;
                }
            }
            if let Some(counts) = self.labelling.label_more(&mut self.public)
                && answer.blocking_send(Answer::Counted(counts)).is_err()
            {
                return;
            }
            if let Some(counts) = self.labelling.remember_in_time(now)
                && answer.blocking_send(Answer::Counted(counts)).is_err()
            {
                return;
            }
            self.tell_kept();
            let changed = self.labelling.hands.changed();
            if changed != Changed::default() {
                // What answers again is looked at now.
                if !changed.answering.is_empty() {
                    next = Instant::now();
                }
                if answer.blocking_send(Answer::Hanging(changed)).is_err() {
                    return;
                }
            }
            let others = self.next_test.into_iter().chain(self.suspects.due());
            let others = others.chain(self.lates.due());
            let others = others.chain(self.labelling.hands.due(now));
            let others = others.chain(self.labelling.remembers_at());
            let wake = others.fold(next, Instant::min);
            let wait = match self.labelling.is_under_way() {
                true => Duration::ZERO,
                false => wake.saturating_duration_since(Instant::now()),
            };
            for ask in asked.take(wait, ASKS_AT_ONCE) {
                if matches!(ask, Ask::Look) {
                    self.looks.store(false, Ordering::Relaxed);
                    next = next.min(earliest.max(Instant::now() + SOON));
                    is_to_look = true;
                } else if matches!(ask, Ask::Stop) {
                    return self.end(is_to_look);
                } else if !self.take_up(ask, answer) || !self.look_at_ripe(answer) {
                    return;
                }
            }
        }
    }

    /// Writes down what the next start is to know; what changed last may have to be looked at for that.
    fn end(mut self, is_to_look: bool) {
        self.labelling.remember();
        if is_to_look {
            self.labelling.scan(&mut self.public);
            self.labelling.remember();
        }
    }

    /// Does what is asked for, but for a scan; false where it is to end.
    fn take_up(&mut self, ask: Ask, answer: &mpsc::Sender<Answer>) -> bool {
        let tell = |told| answer.blocking_send(told).is_ok();
        match ask {
            Ask::Follow(following) => self.take_up_path(following).is_none_or(tell),
            Ask::Listening(Listening {
                number,
                name,
                client,
                maker,
            }) => tell(Answer::Answering {
                number,
                who: who_answers(&name, client, maker),
            }),
            Ask::Question(Question {
                token,
                object,
                entry,
                paths,
            }) => {
                let Labelling { hands, labeller, .. } = &mut self.labelling;
                let parsed = self.public.of_use(hands, labeller, object, &entry, &paths);
                tell(Answer::Identified { token, parsed })
            }
            Ask::Catalogue(catalogue) => {
                let digest = catalogue.digest();
                let counts = self.labelling.replace_catalogue(catalogue, &mut self.public);
                tell(Answer::Scanned(counts)) && tell(Answer::InForce(digest))
            }
            Ask::Found(found) => tell(Answer::Counted(self.labelling.found(found, &mut self.public))),
            Ask::Suspect(writer, suspect) => {
                self.suspects.take(writer, suspect, Instant::now()) || tell(Answer::NotLookedAt)
            }
            Ask::HasReadMore(writer) => {
                self.suspects.has_read_more(writer, Instant::now());
                true
            }
            Ask::WriterEnded(writer) => {
                self.suspects.ended(writer, Instant::now());
                true
            }
            Ask::Look => true,
            Ask::Stop => false,
        }
    }

    /// Looks at the file that is to be looked at next, if it is time; false where nobody waits for answers any more.
    fn look_at_ripe(&mut self, answer: &mpsc::Sender<Answer>) -> bool {
        let ripe = self.suspects.ripe(Instant::now());
        let counts = ripe.and_then(|suspect| self.look_at(&suspect));
        counts.is_none_or(|counts| answer.blocking_send(Answer::Counted(counts)).is_ok())
    }

    fn tell_kept(&self) {
        let (copies, public) = (self.suspects.len(), self.public.len());
        self.kept.copies_waiting.store(copies, Ordering::Relaxed);
        self.kept.public_parts.store(public, Ordering::Relaxed);
    }

    /// Looks whether a file is a copy; how much is labelled, where it is one.
    fn look_at(&mut self, suspect: &Suspect) -> Option<ScanCounts> {
        match self.labelling.look_at(suspect, &mut self.public) {
            Looked::No => None,
            Looked::Known => {
                self.suspects.forget(suspect.object);
                None
            }
            Looked::Copy(counts) => {
                self.suspects.forget(suspect.object);
                Some(counts)
            }
        }
    }

    /// Does what the probes are there to see.
    fn test(&mut self) -> Option<Tested> {
        let options = self.self_test.as_ref()?;
        self.next_test = Some(Instant::now() + options.interval);
        let opens = SeenFrom::Here
            .hold()
            .and_then(|root| self.labelling.label_self_test(&root));
        let labeller = &mut self.labelling.labeller;
        let canaries = PROBES
            .into_iter()
            .filter_map(|probe| Some((probe, canary::of(probe)?(labeller))))
            .collect();
        let started = canary::start_one(&options.canary_command, opens.as_deref());
        Some(Tested {
            canaries,
            opened_labelled: started.as_ref().is_ok_and(|opened| *opened),
            started: started.map(drop).map_err(|error| error.to_string()),
        })
    }
}
