//! The thread that labels what the catalogue names, and has public parts read. It touches files by its [`Hands`], which may hang on a file system
//! that does.

mod late;
mod paths;
mod turns;

use std::{
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
    boot_clock::BootClock,
    copies::{Suspect, Suspects},
    current::Current,
    elsewhere::{self, Elsewhere, MountedElsewhere},
    follow::{Leads, follow},
    hands::{Changed, Hands},
    knowledge::Knowledge,
    labelling::{Labelling, Looked, homes_of_host},
    labels::Meaning,
    messages::{Answer, Ask, Following, Listening, Question, Reached, ScanCounts},
    publicly::{Opened, Public},
    remembered::RememberedFile,
    search,
    seen_from::SeenFrom,
    self_test::Tested,
};
use late::Lates;
use turns::State;

use crate::{
    attribute::who_answers,
    credential::{Held, Home, Places},
    decode::{ProcessKey, RootId},
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
    /// Roots in which a program was seen to start.
    pub roots_met: usize,
    /// Files that may be copies and wait to be looked at.
    pub copies_waiting: usize,
    /// Public parts of files that are remembered.
    pub public_parts: usize,
}

/// For so long its end is waited for.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a worker needs to know.
pub(super) struct Setup {
    pub catalogue: Arc<Catalogue>,
    pub rescan: Duration,
    pub search: Option<Duration>,
    pub extra_homes: Vec<PathBuf>,
    pub self_test: Option<SelfTestOptions>,
    pub own: Own,
    pub remembered: Option<RememberedFile>,
    pub layers: Layers,
}

/// The worker's ends.
pub(super) struct Worker {
    asks: Asks,
    current: Current,
    /// Wakes the search, where there is one.
    search: Option<SyncSender<()>>,
    elsewhere: Elsewhere,
    mounted: MountedElsewhere,
    /// Whether it was asked to scan soon and has not heard yet.
    looks: Arc<AtomicBool>,
    kept: Arc<Kept>,
    /// Whether it has something to write down before it ends.
    remembers: bool,
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
            remembered,
            layers,
        } = setup;
        let remembers = remembered.is_some();
        let mut hands = Hands::default();
        let (asks, asked) = queue();
        let (answer, answers) = mpsc::channel(QUEUE_MAX);
        let current = Current::new(Arc::clone(&catalogue));
        let mounted = MountedElsewhere::default();
        let elsewhere = elsewhere::start(
            current.clone(),
            extra_homes.clone(),
            asks.clone(),
            hands.others(),
            mounted.clone(),
        )?;
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
                (own, remembered),
                mounted.clone(),
            ),
            public: Public::new(knowledge.clone()),
            suspects: Suspects::default(),
            layers,
            next_test: self_test.as_ref().map(|_| Instant::now()),
            self_test,
            lates: Lates::default(),
        };
        thread::Builder::new()
            .name("claviger-worker".into())
            .spawn(move || state.run(&asked, &answer, rescan))?;
        Ok(Self {
            asks,
            current,
            search,
            elsewhere,
            mounted,
            looks,
            kept,
            remembers,
            answers,
            knowledge,
        })
    }

    /// A process started a program, and this is its root: where it is new, it is looked into at once.
    pub(super) fn started_in(&self, process: ProcessKey, root: RootId) {
        self.elsewhere.started_in(process, root);
    }

    /// How many trees of containers or services were not looked into in time since this was asked last.
    pub(super) fn take_missed_trees(&self) -> u64 {
        self.elsewhere.take_missed()
    }

    /// A process in another mount namespace has mounted something: its root is looked into soon.
    pub(super) fn mounted_by(&self, process: ProcessKey, namespace: u32) {
        self.elsewhere.mounted_by(process, namespace);
    }

    /// Whether a block device, by its `st_rdev`, holds a file system that is mounted, here or in a mount namespace whose root is looked into.
    pub(super) fn is_mounted(&self, device: u64) -> bool {
        self.mounted.or_here(device)
    }

    /// Asks; false where too many questions are under way.
    pub(super) fn ask(&self, question: Question) -> bool {
        self.asks.try_send(Ask::Question(question))
    }

    /// Asks where a path leads; false where too many questions are under way.
    pub(super) fn follow(&self, following: Following) -> bool {
        self.asks.try_send(Ask::Follow(following))
    }

    /// Asks who answers at a socket; false where too many questions are under way.
    pub(super) fn who_answers(&self, listening: Listening) -> bool {
        self.asks.try_send(Ask::Listening(listening))
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
        if let Some(wake) = &self.search {
            // One that waits already serves.
            let _full = wake.try_send(());
        }
        self.elsewhere.look();
        self.asks.try_send(Ask::Catalogue(catalogue))
    }

    /// Has it scan soon: something appeared or changed.
    pub(super) fn look(&self) {
        if !self.looks.swap(true, Ordering::Relaxed) && !self.asks.try_send(Ask::Look) {
            self.looks.store(false, Ordering::Relaxed);
        }
    }

    /// Has it end, and waits, not for long, until it has written down what the next start is to know. It answers nothing more.
    pub(super) async fn end(&mut self) {
        if self.remembers && self.asks.try_send(Ask::Stop) {
            let all = async { while self.answers.recv().await.is_some() {} };
            if tokio::time::timeout(FAREWELL, all).await.is_err() {
                tracing::warn!(
                    "the thread that labels files does not end: the next start knows what was written down before"
                );
            }
        }
    }

    /// How much it and its queues hold now.
    pub(super) fn held(&self) -> WorkerHeld {
        WorkerHeld {
            questions: self.asks.waiting(),
            answers: self.answers.len(),
            roots_met: self.elsewhere.met(),
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
