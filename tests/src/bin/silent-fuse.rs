//! A file system that does not answer: `silent-fuse CALL=DIRECTORY…` mounts one over each directory, says `mounted`, and then lets every request of that
//! call wait: `lookup`, `getattr`, `open`, `readdir`, `read`, `all`, or `none`. What it answers: each root holds the files of [`NAMES`].
//!
//! A line on standard input, `answer` or `hang`, has it answer what waits and all that follows, or let all of that wait, and is repeated once that holds. It ends with its input.
//! Needs nothing but `/dev/fuse`. What is mounted goes with the mount namespace: start it in one of its own.

use std::{
    env,
    error::Error,
    io::{self, BufRead as _},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
};

use rustix::{
    fs::{Mode, OFlags},
    mount::{MountFlags, mount},
};

const CONTENT: &[u8] = b"machine example.com login decoy password decoy\n";
const NAMES: [&str; 5] = ["key", "id_decoy", "credentials", "config", "config.json"];
const ROOT: u64 = 1;
/// The node of the first name; the others follow.
const FIRST: u64 = 2;

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const READDIR: u32 = 28;
const RELEASEDIR: u32 = 29;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

/// The type of a file in a listing.
const REGULAR: u32 = 8;

const ENOENT: i32 = 2;
const ENOSYS: i32 = 38;

/// Which requests wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    All,
    Only(u32),
    Nothing,
}

impl Waits {
    fn of(call: &str) -> Option<Self> {
        Some(match call {
            "all" => Self::All,
            "none" => Self::Nothing,
            "lookup" => Self::Only(LOOKUP),
            "getattr" => Self::Only(GETATTR),
            "open" => Self::Only(OPEN),
            "read" => Self::Only(READ),
            "readdir" => Self::Only(READDIR),
            _ => return None,
        })
    }
}

struct Silence {
    waits: Mutex<Waits>,
    changed: Condvar,
}

impl Silence {
    fn set(&self, waits: Waits) {
        *self.waits.lock().unwrap_or_else(PoisonError::into_inner) = waits;
        self.changed.notify_all();
    }

    fn wait(&self, call: u32) {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        while *waits == Waits::All || *waits == Waits::Only(call) {
            waits = self.changed.wait(waits).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut all = Vec::new();
    for argument in env::args().skip(1) {
        let (call, directory) = argument.split_once('=').ok_or("CALL=DIRECTORY")?;
        let waits = Waits::of(call).ok_or("no such call")?;
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let device = Arc::new(rustix::fs::open("/dev/fuse", flags, Mode::empty())?);
        let options = format!(
            "fd={},rootmode=40000,user_id=0,group_id=0,allow_other",
            device.as_raw_fd()
        );
        let options = std::ffi::CString::new(options)?;
        mount("silent", directory, "fuse", MountFlags::empty(), &*options)?;
        let silence = Arc::new(Silence {
            waits: Mutex::new(waits),
            changed: Condvar::new(),
        });
        all.push(Arc::clone(&silence));
        thread::spawn(move || serve(&device, &silence));
    }
    println!("mounted");
    for line in io::stdin().lock().lines() {
        let line = line?;
        let waits = match line.as_str() {
            "answer" => Waits::Nothing,
            "hang" => Waits::All,
            _ => return Err("answer, or hang".into()),
        };
        all.iter().for_each(|silence| silence.set(waits));
        println!("{line}");
    }
    Ok(())
}

/// Until the mount is gone.
fn serve(device: &Arc<OwnedFd>, silence: &Arc<Silence>) {
    let mut request = vec![0; 256 << 10];
    while let Ok(length) = rustix::io::read(device.as_fd(), &mut request) {
        let request = request[..length].to_vec();
        if number(&request, 4) == u64::from(INIT) {
            answer(device, &request);
            continue;
        }
        // One thread for each: the one that waits keeps nobody else waiting once the silence is over.
        let (device, silence) = (Arc::clone(device), Arc::clone(silence));
        thread::spawn(move || {
            silence.wait(u32::try_from(number(&request, 4)).expect("four bytes"));
            answer(&device, &request);
        });
    }
}

fn answer(device: &OwnedFd, request: &[u8]) {
    let node = u64::from_ne_bytes(request[16..24].try_into().expect("eight"));
    let body: Result<Vec<u8>, i32> = match u32::try_from(number(request, 4)).expect("four bytes") {
        FORGET | BATCH_FORGET | INTERRUPT => return,
        INIT => {
            let mut body = vec![0; 64];
            body[0..4].copy_from_slice(&7_u32.to_ne_bytes());
            body[4..8].copy_from_slice(&31_u32.to_ne_bytes());
            body[20..24].copy_from_slice(&4096_u32.to_ne_bytes());
            Ok(body)
        }
        LOOKUP if let Some(node) = node_of(&request[40..]) => {
            let mut body = node.to_ne_bytes().to_vec();
            body.resize(40, 0);
            body.extend(attributes(node));
            Ok(body)
        }
        LOOKUP => Err(ENOENT),
        GETATTR => Ok([vec![0; 16], attributes(node)].concat()),
        OPEN | OPENDIR => Ok(vec![0; 16]),
        READ if node != ROOT => {
            let offset = usize::try_from(number(request, 48)).expect("small");
            Ok(CONTENT[offset.min(CONTENT.len())..].to_vec())
        }
        READDIR => Ok(listing(number(request, 48))),
        FLUSH | RELEASE | RELEASEDIR => Ok(Vec::new()),
        _ => Err(ENOSYS),
    };
    let (error, body) = match body {
        Ok(body) => (0, body),
        Err(error) => (-error, Vec::new()),
    };
    let length = u32::try_from(16 + body.len()).expect("small");
    let head = [length.to_ne_bytes(), error.to_ne_bytes()].concat();
    let whole = [&head, &request[8..16], &body].concat();
    // Who asked may be gone.
    let _gone = rustix::io::write(device, &whole);
}

/// The node of a name, which ends with a zero.
fn node_of(name: &[u8]) -> Option<u64> {
    let name = name.split(|byte| *byte == 0).next()?;
    let at = NAMES.iter().position(|one| one.as_bytes() == name)?;
    Some(FIRST + at as u64)
}

/// The names of a root from the one of this number on.
fn listing(from: u64) -> Vec<u8> {
    let mut entries = Vec::new();
    for (node, name) in (FIRST..).zip(NAMES) {
        let next = node - FIRST + 1;
        if next <= from {
            continue;
        }
        entries.extend(node.to_ne_bytes());
        entries.extend(next.to_ne_bytes());
        let length = u32::try_from(name.len()).expect("short");
        entries.extend(length.to_ne_bytes());
        entries.extend(REGULAR.to_ne_bytes());
        entries.extend(name.as_bytes());
        entries.resize(entries.len().next_multiple_of(8), 0);
    }
    entries
}

/// The 32-bit number at a place of the request.
fn number(request: &[u8], at: usize) -> u64 {
    u32::from_ne_bytes(request[at..at + 4].try_into().expect("four")).into()
}

fn attributes(node: u64) -> Vec<u8> {
    let (mode, size) = if node == ROOT {
        (0o040_755_u32, 0)
    } else {
        (0o100_600, CONTENT.len() as u64)
    };
    let mut all = node.to_ne_bytes().to_vec();
    all.extend(size.to_ne_bytes());
    all.extend([0; 32 + 12]);
    all.extend(mode.to_ne_bytes());
    all.extend(1_u32.to_ne_bytes());
    all.extend([0; 20]);
    all
}
