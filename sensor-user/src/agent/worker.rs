//! The thread that touches files: it labels what the catalogue names, and reads public parts. It may hang on a file system that does;
//! the agent then goes on without it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use claviger_proto::catalogue::Catalogue;
use claviger_sensor_common::ObjectKey;
use tokio::sync::mpsc;

use super::{labelling::Labelling, labels::Labels, publicly::Public};
use crate::{
    credential::{Parsed, Places, homes},
    kernel::Labeller,
};

/// Questions and answers under way. At the bound an event goes out without its identities, with that reason.
pub const QUEUE_MAX: usize = 1_024;

/// What the pipeline needs to know of the worker's findings, at any time.
#[derive(Clone)]
pub(super) struct Knowledge {
    labels: Arc<Mutex<Labels>>,
    places: Arc<RwLock<Arc<Places<'static>>>>,
}

impl Knowledge {
    fn new(places: Arc<Places<'static>>) -> Self {
        Self {
            labels: Arc::default(),
            places: Arc::new(RwLock::new(places)),
        }
    }

    /// What labels stand for.
    pub(super) fn labels(&self) -> MutexGuard<'_, Labels> {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where credentials can lie.
    pub(super) fn places(&self) -> Arc<Places<'static>> {
        Arc::clone(&self.places.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Other homes, other places.
    pub(super) fn set_places(&self, places: Arc<Places<'static>>) {
        *self.places.write().unwrap_or_else(PoisonError::into_inner) = places;
    }
}

/// How many there are, after a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ScanCounts {
    /// Credential files labelled.
    pub files: u64,
    /// Directories labelled.
    pub directories: u64,
    /// What could not be labelled: the table or a map was full, or the hook did not answer.
    pub not_labelled: u64,
    /// What the scan left out for its bounds.
    pub left_out: u64,
}

/// A question: whose identities does this object hold?
pub(super) struct Question {
    /// Names the answer.
    pub token: u64,
    /// The object.
    pub object: ObjectKey,
    /// Its kind.
    pub kind: &'static str,
    /// Roots, and paths below them, that may lead to it.
    pub paths: Vec<(PathBuf, PathBuf)>,
}

/// What the worker tells.
pub(super) enum Answer {
    /// The answer to a question.
    Identified {
        /// The question's.
        token: u64,
        /// What it says.
        parsed: Parsed,
    },
    /// A scan is done.
    Scanned(ScanCounts),
}

/// The worker's ends.
pub(super) struct Worker {
    questions: SyncSender<Question>,
    /// Answers, in the order in which they were found.
    pub answers: mpsc::Receiver<Answer>,
    /// What it knows.
    pub knowledge: Knowledge,
}

impl Worker {
    /// Scans once, on the new thread; the first answer is [`Answer::Scanned`]. Ends when the `Worker` is dropped.
    pub(super) fn start(labeller: Labeller, rescan: Duration, extra_homes: Vec<PathBuf>) -> io::Result<Self> {
        let (questions, asked) = sync_channel(QUEUE_MAX);
        let (answer, answers) = mpsc::channel(QUEUE_MAX);
        let homes = homes(Path::new("/"), &extra_homes);
        let places = Arc::new(Places::new(Catalogue::shipped(), homes.clone()));
        let knowledge = Knowledge::new(places);
        let state = State {
            labelling: Labelling::new(labeller, knowledge.clone(), homes, extra_homes),
            public: Public::default(),
        };
        thread::Builder::new()
            .name("claviger-worker".into())
            .spawn(move || state.run(&asked, &answer, rescan))?;
        Ok(Self {
            questions,
            answers,
            knowledge,
        })
    }

    /// Asks; false where too many questions are under way.
    pub(super) fn ask(&self, question: Question) -> bool {
        match self.questions.try_send(question) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

struct State {
    labelling: Labelling,
    public: Public,
}

impl State {
    fn run(mut self, asked: &Receiver<Question>, answer: &mpsc::Sender<Answer>, rescan: Duration) {
        let mut next = Instant::now();
        loop {
            let now = Instant::now();
            if now >= next {
                let counts = self.labelling.scan(&mut self.public);
                next = Instant::now() + rescan;
                if answer.blocking_send(Answer::Scanned(counts)).is_err() {
                    return;
                }
            }
            match asked.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Question {
                    token,
                    object,
                    kind,
                    paths,
                }) => {
                    let parsed = self
                        .public
                        .of_use(&mut self.labelling.labeller, object, kind, &paths);
                    if answer
                        .blocking_send(Answer::Identified { token, parsed })
                        .is_err()
                    {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}
