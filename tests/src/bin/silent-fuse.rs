//! A file system that does not answer: `silent-fuse DIRECTORY…` mounts one over each directory, says `mounted`, and then lets every request wait.
//! A line on standard input has it answer them, and all that follow: each root holds the file `key`. It ends with its input.
//!
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
const ROOT: u64 = 1;
const KEY: u64 = 2;

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const RELEASEDIR: u32 = 29;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

const ENOENT: i32 = 2;
const ENOSYS: i32 = 38;

#[derive(Default)]
struct Silence {
    is_over: Mutex<bool>,
    ended: Condvar,
}

impl Silence {
    fn end(&self) {
        *self.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ended.notify_all();
    }

    fn wait(&self) {
        let mut is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        while !*is_over {
            is_over = self.ended.wait(is_over).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let silence = Arc::new(Silence::default());
    for directory in env::args_os().skip(1) {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let device = Arc::new(rustix::fs::open("/dev/fuse", flags, Mode::empty())?);
        let options = format!(
            "fd={},rootmode=40000,user_id=0,group_id=0,allow_other",
            device.as_raw_fd()
        );
        let options = std::ffi::CString::new(options)?;
        mount("silent", &directory, "fuse", MountFlags::empty(), &*options)?;
        let silence = Arc::clone(&silence);
        thread::spawn(move || serve(&device, &silence));
    }
    println!("mounted");
    for line in io::stdin().lock().lines() {
        line?;
        silence.end();
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
            silence.wait();
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
        LOOKUP if request[40..].starts_with(b"key\0") => {
            let mut body = KEY.to_ne_bytes().to_vec();
            body.resize(40, 0);
            body.extend(attributes(KEY));
            Ok(body)
        }
        LOOKUP => Err(ENOENT),
        GETATTR => Ok([vec![0; 16], attributes(node)].concat()),
        OPEN | OPENDIR => Ok(vec![0; 16]),
        READ if node == KEY => {
            let offset = usize::try_from(number(request, 48)).expect("small");
            Ok(CONTENT[offset.min(CONTENT.len())..].to_vec())
        }
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
