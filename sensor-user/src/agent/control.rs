//! The control socket: how `claviger-sensor status`, `flush` and `trace` talk to a running sensor. One JSON object a line each way.
//!
//! The socket lies in the runtime directory, 0600: who may connect is root. A request is at most [`REQUEST_MAX`] bytes and must come within
//! [`PATIENCE`]; its answer must be taken within that too. At most [`CLIENTS_MAX`] requests are answered at a time; a further one is told so. At most
//! [`SILENT_MAX`] clients may be connected without having asked: beyond, the one that has been silent for longest is cut off, so that whoever
//! connects and asks is answered, however many only connect.
//!
//! A socket that is removed, or replaced, is made anew within [`LOOK_INTERVAL`]; that it was removed is told as with every file of the sensor's own.

mod said;

use std::{
    collections::VecDeque,
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc, oneshot},
    task::AbortHandle,
    time::{MissedTickBehavior, interval, timeout},
};

pub use said::{Answer, CpuReport, Flushed, ProbeReport, Request, Status};

const REQUEST_MAX: u64 = 4_096;
const PATIENCE: Duration = Duration::from_secs(5);
const CLIENTS_MAX: usize = 16;
const SILENT_MAX: usize = 32;
/// How often is looked whether the socket is still there.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const NAME: &str = "control.sock";

/// Why a running sensor could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// None runs, or it is not ours to ask.
    #[error("no running sensor answers at {path}; is it started, and are you root?")]
    Connect {
        /// The socket.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The conversation broke.
    #[error("talking to the running sensor")]
    Io(#[from] io::Error),
    /// What came back is no answer.
    #[error("the running sensor's answer cannot be read; is it of another version?")]
    Malformed(#[from] serde_json::Error),
    /// It did not answer in time.
    #[error("the running sensor did not answer within {0:?}")]
    Silent(Duration),
    /// It refused.
    #[error("the running sensor says: {0}")]
    Refused(String),
}

/// Asks a running sensor.
///
/// # Errors
/// [`ControlError`].
pub async fn ask(runtime_dir: &Path, request: Request, patience: Duration) -> Result<Answer, ControlError> {
    let path = runtime_dir.join(NAME);
    let connected = UnixStream::connect(&path).await;
    let mut stream = connected.map_err(|source| ControlError::Connect {
        path: path.display().to_string(),
        source,
    })?;
    let conversation = async {
        let mut line = serde_json::to_vec(&request)?;
        line.push(b'\n');
        stream.write_all(&line).await?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await?;
        Ok::<_, ControlError>(serde_json::from_str(&answer)?)
    };
    match timeout(patience, conversation)
        .await
        .map_err(|_| ControlError::Silent(patience))??
    {
        Answer::Error(message) => Err(ControlError::Refused(message)),
        answer => Ok(answer),
    }
}

/// A request, who asks, and the way back.
pub(super) struct Asked {
    pub request: Request,
    /// The process at the other end, by the kernel; nothing where it has no id here.
    pub asker: Option<u32>,
    pub back: oneshot::Sender<Answer>,
}

/// Listens until it is dropped with its runtime.
///
/// # Errors
/// Where the socket cannot be made.
pub(super) fn listen(runtime_dir: &Path) -> io::Result<mpsc::Receiver<Asked>> {
    let path = runtime_dir.join(NAME);
    let (mut listener, mut bound) = bind(&path)?;
    let (requests, asked) = mpsc::channel(CLIENTS_MAX);
    let answering = Arc::new(Semaphore::new(CLIENTS_MAX));
    tokio::spawn(async move {
        let mut silent: VecDeque<Client> = VecDeque::new();
        let mut look = interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_told = false;
        // Said once, however often it is tried again: where descriptors have run out, all that is asked of this host's log counts.
        let mut is_accepting = true;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = look.tick() => {
                    if object_at(&path) == Some(bound) || requests.is_closed() {
                        continue;
                    }
                    match bind(&path) {
                        Ok(again) => {
                            (listener, bound) = again;
                            is_told = false;
                            tracing::error!(path = %path.display(), "the control socket was removed, and is made anew; find out who did that");
                            if requests.is_closed() {
                                // It was closed meanwhile.
                                let _gone = std::fs::remove_file(&path);
                            }
                        }
                        Err(error) if !is_told => {
                            is_told = true;
                            tracing::error!(%error, path = %path.display(), "the control socket was removed, and cannot be made anew yet");
                        }
                        Err(_) => {}
                    }
                    continue;
                }
            };
            let stream = match accepted {
                Ok((stream, _)) => {
                    is_accepting = true;
                    stream
                }
                Err(error) => {
                    if is_accepting {
                        is_accepting = false;
                        tracing::warn!(%error, "nobody can be answered on the control socket until this is over");
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            silent.retain(Client::is_silent);
            while silent.len() >= SILENT_MAX {
                if let Some(longest) = silent.pop_front() {
                    longest.task.abort();
                }
            }
            let has_asked = Arc::new(AtomicBool::new(false));
            let (requests, answering) = (requests.clone(), Arc::clone(&answering));
            let asks = Arc::clone(&has_asked);
            let task = tokio::spawn(async move {
                if let Err(error) = serve(stream, &requests, &answering, &asks).await {
                    tracing::debug!(%error, "a control client went away");
                }
            });
            silent.push_back(Client {
                task: task.abort_handle(),
                has_asked,
            });
        }
    });
    Ok(asked)
}

/// Makes the socket, in the place of what is there, and gives by what it is known.
fn bind(path: &Path) -> io::Result<(UnixListener, Object)> {
    // The run lock is held, so a socket that is there is a dead one.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    let object = object_at(path).ok_or(io::ErrorKind::NotFound)?;
    Ok((listener, object))
}

/// By what is known what lies at a path: device and inode, and when that was changed last, for an inode number is given again.
type Object = (u64, u64, i64, i64);

fn object_at(path: &Path) -> Option<Object> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some((
        metadata.dev(),
        metadata.ino(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    ))
}

/// A client that is connected.
struct Client {
    task: AbortHandle,
    has_asked: Arc<AtomicBool>,
}

impl Client {
    fn is_silent(&self) -> bool {
        !self.task.is_finished() && !self.has_asked.load(Ordering::Acquire)
    }
}

/// Takes the socket away, so that who asks is told that no sensor runs; what [`listen`] returned is dropped before. The run lock must still be held.
pub(super) fn close(runtime_dir: &Path) {
    // It is made anew at the next start, whatever becomes of it now.
    let _gone = std::fs::remove_file(runtime_dir.join(NAME));
}

async fn serve(
    mut stream: UnixStream,
    requests: &mpsc::Sender<Asked>,
    answering: &Semaphore,
    has_asked: &AtomicBool,
) -> io::Result<()> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    let asker = stream.peer_cred()?.pid().and_then(|pid| u32::try_from(pid).ok());
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(REQUEST_MAX));
    timeout(PATIENCE, reader.read_line(&mut line))
        .await
        .map_err(late)??;
    let permit = answering.try_acquire();
    has_asked.store(true, Ordering::Release);
    let answer = match (serde_json::from_str(&line), &permit) {
        (Ok(request), Ok(_)) => {
            let (back, answer) = oneshot::channel();
            let asked = Asked { request, asker, back };
            let sent = requests.send(asked).await.is_ok();
            match (sent, answer.await) {
                (true, Ok(answer)) => answer,
                _ => Answer::Error("the sensor is stopping".into()),
            }
        }
        (Ok(_), Err(_)) => Answer::Error(format!("{CLIENTS_MAX} ask at this moment; ask again")),
        (Err(error), _) => Answer::Error(format!(
            "not a request: {error}; expected {{\"request\":\"status\"}}, \"flush\" or \"announce\""
        )),
    };
    let mut line = serde_json::to_vec(&answer).map_err(io::Error::other)?;
    line.push(b'\n');
    timeout(PATIENCE, writer.write_all(&line)).await.map_err(late)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_is_removed_or_replaced_is_made_anew_until_it_is_closed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(NAME);
        let asked = listen(directory.path()).expect("listens");
        let remade = async |before: Option<Object>| {
            let made = async {
                loop {
                    if object_at(&path) != before && UnixStream::connect(&path).await.is_ok() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            timeout(Duration::from_secs(30), made).await.expect("made anew");
        };
        std::fs::remove_file(&path).expect("removed");
        remade(None).await;
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, "in its place").expect("written");
        remade(object_at(&path)).await;
        drop(asked);
        close(directory.path());
        tokio::time::sleep(LOOK_INTERVAL * 2).await;
        assert_eq!(object_at(&path), None, "it came back");
    }

    #[tokio::test]
    async fn a_question_comes_through_and_nonsense_is_told_so() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut asked = listen(directory.path()).expect("listens");
        let mode = std::fs::metadata(directory.path().join(NAME))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        tokio::spawn(async move {
            while let Some(Asked {
                request: Request::Flush,
                asker,
                back,
            }) = asked.recv().await
            {
                assert_eq!(asker, Some(std::process::id()));
                let flushed = Flushed {
                    sensor_id: "s".into(),
                    boot_id: "b".into(),
                    sequence: 9,
                    refusing: false,
                    rejected_batches: 0,
                };
                back.send(Answer::Flushed(flushed)).expect("the client waits");
            }
        });
        let answer = ask(directory.path(), Request::Flush, PATIENCE)
            .await
            .expect("answered");
        assert!(matches!(answer, Answer::Flushed(Flushed { sequence: 9, .. })));

        let mut stream = UnixStream::connect(directory.path().join(NAME))
            .await
            .expect("connects");
        stream.write_all(b"nonsense\n").await.expect("sent");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await.expect("read");
        assert!(line.contains("not a request"), "{line}");
    }

    #[tokio::test]
    async fn who_only_connects_keeps_nobody_from_asking() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut asked = listen(directory.path()).expect("listens");
        let mut silent = Vec::new();
        for _ in 0..4 * SILENT_MAX {
            silent.push(
                UnixStream::connect(directory.path().join(NAME))
                    .await
                    .expect("connects"),
            );
        }
        tokio::spawn(async move {
            while let Some(Asked { back, .. }) = asked.recv().await {
                // Who asked may be gone.
                let _gone = back.send(Answer::Announced);
            }
        });
        // Far less than what each of the silent may take.
        let answer = ask(directory.path(), Request::Announce, Duration::from_secs(4)).await;
        assert!(matches!(answer, Ok(Answer::Announced)), "{answer:?}");
        // The first was cut off, the last is still there.
        let first = silent.first_mut().expect("some");
        assert_eq!(first.read(&mut [0]).await.expect("closed"), 0);
        let last = silent.last_mut().expect("some");
        last.write_all(b"{\"request\":\"announce\"}\n")
            .await
            .expect("sent");
        let mut line = String::new();
        BufReader::new(last).read_line(&mut line).await.expect("read");
        assert!(line.contains("announced"), "{line}");
    }

    #[tokio::test]
    async fn too_many_requests_at_once_are_told_so() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut asked = listen(directory.path()).expect("listens");
        let mut waiting = Vec::new();
        let mut kept = Vec::new();
        for _ in 0..CLIENTS_MAX {
            let path = directory.path().to_owned();
            waiting.push(tokio::spawn(async move {
                ask(&path, Request::Status, PATIENCE).await
            }));
            kept.push(asked.recv().await.expect("asked"));
        }
        let refused = ask(directory.path(), Request::Status, PATIENCE).await;
        assert!(matches!(refused, Err(ControlError::Refused(_))), "{refused:?}");
        for one in kept {
            one.back.send(Answer::Announced).expect("the client waits");
        }
        for one in waiting {
            assert!(matches!(one.await.expect("done"), Ok(Answer::Announced)));
        }
    }

    #[tokio::test]
    async fn without_a_sensor_the_error_says_what_to_do() {
        let directory = tempfile::tempdir().expect("a directory");
        let error = ask(directory.path(), Request::Status, PATIENCE)
            .await
            .expect_err("nobody is there");
        assert!(error.to_string().contains("is it started"), "{error}");
    }
}
