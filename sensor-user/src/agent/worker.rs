//! The thread that labels what the catalogue names, and has public parts read. It touches files by its [`Hands`], which may hang on a file system
//! that does.

use std::{
    collections::HashSet,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::SyncSender,
    },
    thread,
    time::{Duration, Instant},
};

use claviger_proto::catalogue::Catalogue;
use claviger_sensor_common::PROBES;
use tokio::sync::mpsc;

use super::{
    Own, SelfTestOptions,
    asks::{AskedQueue, Asks, queue},
    copies::{Suspect, Suspects},
    current::Current,
    elsewhere,
    follow::follow,
    hands::{Changed, Hands},
    knowledge::Knowledge,
    labelling::{Labelling, Looked, homes_of_host},
    labels::Meaning,
    messages::{Answer, Ask, Following, Question, Reached, ScanCounts},
    publicly::{Opened, Public},
    search,
    seen_from::SeenFrom,
    self_test::Tested,
};
use crate::{
    credential::{Held, Home, Places},
    decode::ProcessKey,
    kernel::{Labeller, Layers, Purpose, canary},
};

/// Questions and answers under way. At the bound an event goes out without its identities, with that reason.
pub const QUEUE_MAX: usize = 1_024;

/// How much the worker keeps, told by its thread.
#[derive(Debug, Default)]
struct Kept {
    copies_waiting: AtomicUsize,
    public_parts: AtomicUsize,
}

/// How much the worker and its queues hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkerHeld {
    /// Questions that wait, of [`QUEUE_MAX`].
    pub questions: usize,
    /// Answers that wait, of [`QUEUE_MAX`].
    pub answers: usize,
    /// Mount namespaces remembered, of [`NAMESPACES_MAX`].
    pub namespaces: usize,
    /// Files that may be copies and wait to be looked at.
    pub copies_waiting: usize,
    /// Public parts of files that are remembered.
    pub public_parts: usize,
}

/// Mount namespaces remembered. At the bound all are forgotten, and looked for again when they are met.
pub(super) const NAMESPACES_MAX: usize = 4_096;

/// Questions that are taken up before anything else gets its turn: while it labels, that comes in slices, and all that waits is answered between them.
const ASKS_AT_ONCE: usize = 64;

/// A scan that something asked for waits so long, so that what follows at once is in it too.
const SOON: Duration = Duration::from_millis(20);

/// Of the time between scans that something asked for, at most one part in so many is spent on scanning.
const SHARE: u32 = 10;

/// The same for scans that come by themselves: where there is very much to look through, they come more seldom than configured.
const REGULAR_SHARE: u32 = 20;

/// What a worker needs to know.
pub(super) struct Setup {
    pub catalogue: Arc<Catalogue>,
    pub rescan: Duration,
    pub search: Option<Duration>,
    pub extra_homes: Vec<PathBuf>,
    pub self_test: Option<SelfTestOptions>,
    pub own: Own,
    pub layers: Layers,
}

/// The worker's ends.
pub(super) struct Worker {
    asks: Asks,
    current: Current,
    /// Wakes the search, where there is one.
    search: Option<SyncSender<()>>,
    /// Wakes the look into other roots.
    elsewhere: SyncSender<()>,
    /// Mount namespaces that were met.
    namespaces: HashSet<u32>,
    /// Whether it was asked to scan soon and has not heard yet.
    looks: Arc<AtomicBool>,
    kept: Arc<Kept>,
    /// Answers, in the order in which they were found.
    pub answers: mpsc::Receiver<Answer>,
    /// What it knows.
    pub knowledge: Knowledge,
}

impl Worker {
    /// Scans once, on the new thread; the first answer is [`Answer::Scanned`]. Ends when the `Worker` is dropped. Must be called within a tokio runtime.
    pub(super) fn start(labeller: Labeller, setup: Setup) -> io::Result<Self> {
        let Setup {
            catalogue,
            rescan,
            search,
            extra_homes,
            self_test,
            own,
            layers,
        } = setup;
        let mut hands = Hands::default();
        let (asks, asked) = queue();
        let (answer, answers) = mpsc::channel(QUEUE_MAX);
        let current = Current::new(Arc::clone(&catalogue));
        let elsewhere = elsewhere::start(current.clone(), asks.clone(), hands.others())?;
        let others = hands.others();
        let start = |interval| {
            search::start(
                current.clone(),
                extra_homes.clone(),
                interval,
                asks.clone(),
                others,
            )
        };
        let search = search.map(start).transpose()?;
        let no_homes = |_| extra_homes.iter().filter_map(|path| Home::new(path)).collect();
        let homes = homes_of_host(&mut hands, &extra_homes).unwrap_or_else(no_homes);
        let knowledge = Knowledge::new(Arc::new(Places::new(&catalogue, homes.clone())));
        let looks = Arc::new(AtomicBool::new(false));
        let kept = Arc::new(Kept::default());
        let state = State {
            looks: Arc::clone(&looks),
            kept: Arc::clone(&kept),
            labelling: Labelling::new(
                (labeller, hands),
                knowledge.clone(),
                catalogue,
                homes,
                extra_homes,
                own,
            ),
            public: Public::new(knowledge.clone()),
            suspects: Suspects::default(),
            layers,
            next_test: self_test.as_ref().map(|_| Instant::now()),
            self_test,
        };
        thread::Builder::new()
            .name("claviger-worker".into())
            .spawn(move || state.run(&asked, &answer, rescan))?;
        Ok(Self {
            asks,
            current,
            search,
            elsewhere,
            namespaces: HashSet::new(),
            looks,
            kept,
            answers,
            knowledge,
        })
    }

    /// A process was met in this mount namespace: where it is new, its root is looked into soon.
    pub(super) fn met_namespace(&mut self, namespace: u32) {
        if self.namespaces.contains(&namespace) {
            return;
        }
        if self.namespaces.len() >= NAMESPACES_MAX {
            self.namespaces.clear();
        }
        self.namespaces.insert(namespace);
        // One that waits already serves.
        let _full = self.elsewhere.try_send(());
    }

    /// Asks; false where too many questions are under way.
    pub(super) fn ask(&self, question: Question) -> bool {
        self.asks.try_send(Ask::Question(question))
    }

    /// Asks where a path leads; false where too many questions are under way.
    pub(super) fn follow(&self, following: Following) -> bool {
        self.asks.try_send(Ask::Follow(following))
    }

    /// Has it find out whether a file is a copy; false where too many questions are under way.
    pub(super) fn suspect(&self, writer: ProcessKey, suspect: Suspect) -> bool {
        self.asks.try_send(Ask::Suspect(writer, suspect))
    }

    /// Tells it that a process has read another credential which may have written copies; false where too many questions are under way.
    pub(super) fn has_read_more(&self, writer: ProcessKey) -> bool {
        self.asks.try_send(Ask::HasReadMore(writer))
    }

    /// Tells it that a process ended which may have written copies. Where the queue is full, they are looked at in their time.
    pub(super) fn writer_ended(&self, writer: ProcessKey) {
        self.asks.try_send(Ask::WriterEnded(writer));
    }

    /// Has it take another catalogue; [`Answer::InForce`] tells when it has. False where too many questions are under way.
    pub(super) fn take(&self, catalogue: Arc<Catalogue>) -> bool {
        self.current.set(Arc::clone(&catalogue));
        for wake in self.search.iter().chain([&self.elsewhere]) {
            // One that waits already serves.
            let _full = wake.try_send(());
        }
        self.asks.try_send(Ask::Catalogue(catalogue))
    }

    /// Has it scan soon: something appeared or changed.
    pub(super) fn look(&self) {
        if !self.looks.swap(true, Ordering::Relaxed) && !self.asks.try_send(Ask::Look) {
            self.looks.store(false, Ordering::Relaxed);
        }
    }

    /// How much it and its queues hold now.
    pub(super) fn held(&self) -> WorkerHeld {
        WorkerHeld {
            questions: self.asks.waiting(),
            answers: self.answers.len(),
            namespaces: self.namespaces.len(),
            copies_waiting: self.kept.copies_waiting.load(Ordering::Relaxed),
            public_parts: self.kept.public_parts.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Where the queue is full, the thread notices at its next answer.
        self.asks.try_send(Ask::Stop);
    }
}

struct State {
    looks: Arc<AtomicBool>,
    kept: Arc<Kept>,
    labelling: Labelling,
    public: Public,
    suspects: Suspects,
    layers: Layers,
    self_test: Option<SelfTestOptions>,
    next_test: Option<Instant>,
}

impl State {
    fn run(mut self, asked: &AskedQueue, answer: &mpsc::Sender<Answer>, rescan: Duration) {
        let mut next = Instant::now();
        let mut earliest = next;
        loop {
            let now = Instant::now();
            if now >= next {
                if self.layers.have_come() && answer.blocking_send(Answer::LayersKnown).is_err() {
                    return;
                }
                self.labelling.hands.wasted();
                let counts = self.labelling.scan(&mut self.public);
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
            if let Some(counts) = self.labelling.label_more(&mut self.public)
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
            let others = others.chain(self.labelling.hands.due(now));
            let wake = others.fold(next, Instant::min);
            let wait = match self.labelling.is_under_way() {
                true => Duration::ZERO,
                false => wake.saturating_duration_since(Instant::now()),
            };
            for ask in asked.take(wait, ASKS_AT_ONCE) {
                if matches!(ask, Ask::Look) {
                    self.looks.store(false, Ordering::Relaxed);
                    next = next.min(earliest.max(Instant::now() + SOON));
                } else if !self.take_up(ask, answer) || !self.look_at_ripe(answer) {
                    return;
                }
            }
        }
    }

    /// Does what is asked for, but for a scan; false where it is to end.
    fn take_up(&mut self, ask: Ask, answer: &mpsc::Sender<Answer>) -> bool {
        let tell = |told| answer.blocking_send(told).is_ok();
        match ask {
            Ask::Follow(following) => tell(Answer::Reached {
                number: following.number,
                reached: self.follow(following),
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

    /// Where a path leads for a process. What is no credential is opened, so that the kernel half says what it is, and not read.
    fn follow(&mut self, following: Following) -> Reached {
        let Labelling {
            hands,
            labeller,
            knowledge,
            ..
        } = &mut self.labelling;
        let Following {
            process,
            mount_namespace,
            path,
            words,
            ..
        } = following;
        let at = SeenFrom::Process(process).reach(&path);
        let theirs = path.clone();
        let Ok(Ok(held)) = hands.run(&at, move |_| follow(process, mount_namespace, &theirs)) else {
            return Reached::Nothing;
        };
        let seen = held.seen();
        let asked = hands.ask(labeller, Purpose::Identify, &at, move || Opened::of(&held));
        let found = match asked {
            Ok((Ok(opened), Some(object))) => labeller
                .label_of(object)
                .and_then(|label| knowledge.labels().meaning(label.id).cloned())
                .map(|meaning| (opened, object, meaning)),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(error = %error, "asking the kernel half failed");
                return Reached::Nothing;
            }
        };
        if let Some((opened, object, Meaning::Credential { entry, path })) = found {
            let parsed = self.public.of_file((hands, &at), object, &entry, &path, opened);
            return Reached::Credential {
                entry,
                object,
                parsed,
            };
        }
        let here = words.clone();
        let means_the_same = hands.run(&words, move |_| {
            let root = SeenFrom::Here.hold()?;
            Some(Held::at(root, &here).ok()?.seen() == seen)
        });
        Reached::Other {
            means_the_same: means_the_same == Ok(Some(true)),
        }
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
        let labeller = &mut self.labelling.labeller;
        Some(Tested {
            canaries: PROBES
                .into_iter()
                .filter_map(|probe| Some((probe, canary::of(probe)?(labeller))))
                .collect(),
            started: canary::start_one(&options.canary_command).map_err(|error| error.to_string()),
        })
    }
}
