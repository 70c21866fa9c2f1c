//! The thread that touches files: it labels what the catalogue names, and reads public parts. It may hang on a file system that does;
//! the agent then goes on without it.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use claviger_proto::catalogue::{Catalogue, Entry};
use claviger_sensor_common::{DIRECTORY_HAS_PATTERNS, Label, NameKey, ObjectKey, name_hash, padded_name};
use rustix::fs::{Mode, OFlags};
use tokio::sync::mpsc;

use super::{
    labels::{Labels, Meaning},
    publicly::Public,
};
use crate::{
    credential::{Home, Parsed, Places, ScanLimits, homes, open_candidate},
    kernel::{Labeller, Purpose},
};

/// Questions and answers under way. At the bound an event goes out without its identities, with that reason.
pub const QUEUE_MAX: usize = 1_024;

/// What the pipeline needs to know of the worker's findings, at any time.
#[derive(Clone)]
pub(super) struct Knowledge {
    /// What labels stand for.
    pub labels: Arc<Mutex<Labels>>,
    /// Where credentials can lie.
    pub places: Arc<RwLock<Arc<Places<'static>>>>,
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
        let knowledge = Knowledge {
            labels: Arc::new(Mutex::new(Labels::default())),
            places: Arc::new(RwLock::new(places)),
        };
        let state = State {
            labeller,
            knowledge: knowledge.clone(),
            public: Public::default(),
            homes,
            extra_homes,
            labelled: HashMap::new(),
            said: ScanCounts::default(),
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

/// A file as stat(2) tells it apart from another that takes its path: device, inode, and the time it was made or moved there.
type Seen = (u64, u64);

struct State {
    labeller: Labeller,
    knowledge: Knowledge,
    public: Public,
    homes: Vec<Home>,
    extra_homes: Vec<PathBuf>,
    /// What is labelled at which path.
    labelled: HashMap<PathBuf, Seen>,
    said: ScanCounts,
}

impl State {
    fn run(mut self, asked: &Receiver<Question>, answer: &mpsc::Sender<Answer>, rescan: Duration) {
        let mut next = Instant::now();
        loop {
            let now = Instant::now();
            if now >= next {
                let counts = self.scan();
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
                    let parsed = self.public.of_use(&mut self.labeller, object, kind, &paths);
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

    fn scan(&mut self) -> ScanCounts {
        let homes = homes(Path::new("/"), &self.extra_homes);
        if homes != self.homes {
            let places = Arc::new(Places::new(Catalogue::shipped(), homes.clone()));
            *self
                .knowledge
                .places
                .write()
                .unwrap_or_else(PoisonError::into_inner) = places;
            self.homes = homes;
        }
        let places = Arc::clone(
            &self
                .knowledge
                .places
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        );
        let mut counts = ScanCounts::default();
        let found = match places.scan(Path::new("/"), &ScanLimits::default()) {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "the places of credentials could not be looked through; only what is labelled already is watched");
                return ScanCounts {
                    not_labelled: 1,
                    ..counts
                };
            }
        };
        // Directories first: a file that appears between is then known by its name.
        for directory in &found.directories {
            match self.label_directory(&directory.path, &directory.names, directory.has_patterns) {
                Labelled::Yes => counts.directories += 1,
                Labelled::Gone => {}
                Labelled::No => counts.not_labelled += 1,
            }
        }
        for file in &found.files {
            match self.label_file(&file.path, file.entry) {
                Labelled::Yes => counts.files += 1,
                Labelled::Gone => {}
                Labelled::No => counts.not_labelled += 1,
            }
        }
        let hit = found.limits_hit;
        counts.left_out =
            hit.names + hit.depth + hit.found + hit.served_elsewhere + hit.unreadable + hit.foreign_links;
        self.say(counts);
        counts
    }

    /// Says what cannot be watched once, and again only when it changes.
    fn say(&mut self, counts: ScanCounts) {
        if counts.not_labelled > 0 && counts.not_labelled != self.said.not_labelled {
            tracing::error!(
                count = counts.not_labelled,
                "credentials could not be labelled and are not watched: a table is full or the hook does not answer"
            );
        }
        if counts.left_out > 0 && counts.left_out != self.said.left_out {
            tracing::warn!(
                count = counts.left_out,
                "places were left out of the search for credentials: too many names, too deep, or served by another host"
            );
        }
        self.said = counts;
    }

    fn label_directory(
        &mut self,
        path: &Path,
        names: &[(Vec<u8>, &'static Entry)],
        has_patterns: bool,
    ) -> Labelled {
        let Ok(metadata) = fs::metadata(path) else {
            return Labelled::Gone;
        };
        let seen = (metadata.dev(), metadata.ino());
        if self.labelled.get(path) == Some(&seen) {
            return Labelled::Yes;
        }
        let Some(id) = self.id_of(Meaning::Directory {
            path: path.to_owned(),
        }) else {
            return Labelled::No;
        };
        let flags = if has_patterns { DIRECTORY_HAS_PATTERNS } else { 0 };
        // As a directory or not at all: whoever puts a FIFO in its place must not make this thread wait.
        let open = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let asked = self.labeller.ask(Purpose::Directory(Label { id, flags }), || {
            rustix::fs::open(path, open, Mode::empty())
        });
        let directory = match asked {
            Ok((Err(_), _)) => return Labelled::Gone,
            Ok((Ok(_), Some(directory))) => directory,
            Ok((Ok(_), None)) | Err(_) => return Labelled::No,
        };
        for (name, entry) in names {
            let path = path.join(OsStr::from_bytes(name));
            let label = self.id_of(Meaning::Credential { entry, path });
            let hash = padded_name(name).map(|padded| name_hash(&padded));
            let (Some(id), Some(name_hash)) = (label, hash) else {
                return Labelled::No;
            };
            if let Err(error) = self
                .labeller
                .watch_name(NameKey { directory, name_hash }, Label { id, flags: 0 })
            {
                tracing::debug!(%error, "a name cannot be watched");
                return Labelled::No;
            }
        }
        self.labelled.insert(path.to_owned(), seen);
        Labelled::Yes
    }

    fn label_file(&mut self, path: &Path, entry: &'static Entry) -> Labelled {
        let Ok(metadata) = fs::metadata(path) else {
            return Labelled::Gone;
        };
        let seen = (metadata.dev(), metadata.ino());
        if self.labelled.get(path) == Some(&seen) {
            return Labelled::Yes;
        }
        let Some(id) = self.id_of(Meaning::Credential {
            entry,
            path: path.to_owned(),
        }) else {
            return Labelled::No;
        };
        let root = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(root) = rustix::fs::open("/", root, Mode::empty()) else {
            return Labelled::No;
        };
        let label = Purpose::Object(Label { id, flags: 0 });
        match self.labeller.ask(label, || open_candidate(&root, path)) {
            Ok((Ok(file), Some(object))) => {
                // Read now, so that it can still be named when it is gone right after its use.
                self.public.of_file(object, entry.kind(), path, file);
                self.labelled.insert(path.to_owned(), seen);
                Labelled::Yes
            }
            Ok((Err(_), _)) => Labelled::Gone,
            Ok((Ok(_), None)) | Err(_) => Labelled::No,
        }
    }

    fn id_of(&self, meaning: Meaning) -> Option<u32> {
        self.knowledge
            .labels
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .id_of(meaning)
    }
}

enum Labelled {
    Yes,
    /// Nothing is there, or nothing that can be opened: no credential.
    Gone,
    No,
}
