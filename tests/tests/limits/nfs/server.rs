//! An NFS server (version 3, over TCP, on loopback) that answers, and then lets requests wait until it is told to answer again. It serves one directory
//! with one file, and knows both the mount protocol (RFC 1813, appendix I) and what a client needs to read.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
};

use super::xdr::{Call, Out};

pub(super) const NAME: &str = "config";
const CONTENT: &[u8] = b"apiVersion: v1\nkind: Config\nusers: []\n";

const MOUNT: u32 = 100_005;
const NFS: u32 = 100_003;
/// Of the mount protocol.
const MNT: u32 = 1;

pub(super) const GETATTR: u32 = 1;
pub(super) const LOOKUP: u32 = 3;
const ACCESS: u32 = 4;
pub(super) const READ: u32 = 6;
const READDIR: u32 = 16;
const FSSTAT: u32 = 18;
const FSINFO: u32 = 19;
const PATHCONF: u32 = 20;

const NOT_FOUND: u32 = 2;
const NOT_SUPPORTED: u32 = 10_004;

const ROOT: u64 = 1;
const FILE: u64 = 2;

/// Which calls wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    All,
    Only(u32),
    Nothing,
}

struct Silence {
    waits: Mutex<Waits>,
    changed: Condvar,
}

/// It runs to the end of the process.
pub(super) struct Server {
    pub(super) port: u16,
    silence: Arc<Silence>,
}

impl Server {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let silence = Arc::new(Silence {
            waits: Mutex::new(Waits::Nothing),
            changed: Condvar::new(),
        });
        let theirs = Arc::clone(&silence);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let silence = Arc::clone(&theirs);
                thread::spawn(move || serve(stream, &silence));
            }
        });
        Self { port, silence }
    }

    /// From now on these calls wait.
    pub(super) fn set(&self, waits: Waits) {
        *self.silence.waits.lock().unwrap_or_else(PoisonError::into_inner) = waits;
        self.silence.changed.notify_all();
    }
}

/// Until the client goes.
fn serve(mut stream: TcpStream, silence: &Arc<Silence>) -> Option<()> {
    loop {
        let mut head = [0; 4];
        stream.read_exact(&mut head).ok()?;
        // What is asked here fits into one fragment.
        let length = u32::from_be_bytes(head) & 0x7fff_ffff;
        let mut record = vec![0; usize::try_from(length).ok()?.min(1 << 20)];
        stream.read_exact(&mut record).ok()?;
        let (answers, silence) = (stream.try_clone().ok()?, Arc::clone(silence));
        // One thread for each: the one that waits keeps no other call waiting.
        thread::spawn(move || answer(&answers, &record, &silence));
    }
}

fn answer(mut stream: &TcpStream, record: &[u8], silence: &Silence) -> Option<()> {
    let mut call = Call::read(record)?;
    if call.program == NFS && call.procedure != 0 {
        let mut waits = silence.waits.lock().unwrap_or_else(PoisonError::into_inner);
        while *waits == Waits::All || *waits == Waits::Only(call.procedure) {
            waits = silence
                .changed
                .wait(waits)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
    let mut out = Out::reply(call.xid);
    match (call.program, call.procedure) {
        (_, 0) => {}
        (MOUNT, MNT) => {
            out.number(0);
            out.handle(ROOT);
            // AUTH_SYS alone.
            out.number(1);
            out.number(1);
        }
        (NFS, procedure) => nfs(procedure, &mut call, &mut out)?,
        _ => {}
    }
    stream.write_all(&out.record()).ok()
}

fn nfs(procedure: u32, call: &mut Call<'_>, out: &mut Out) -> Option<()> {
    let of = call.handle()?;
    match procedure {
        GETATTR => {
            out.number(0);
            attributes(of, out);
        }
        LOOKUP if call.opaque()? == NAME.as_bytes() => {
            out.number(0);
            out.handle(FILE);
            some_attributes(FILE, out);
            out.number(0);
        }
        LOOKUP => {
            out.number(NOT_FOUND);
            out.number(0);
        }
        ACCESS => {
            let asked = call.number()?;
            out.number(0);
            some_attributes(of, out);
            out.number(asked);
        }
        READ => {
            let offset = usize::try_from(call.long()?).ok()?.min(CONTENT.len());
            let count = usize::try_from(call.number()?).ok()?;
            let data = &CONTENT[offset..CONTENT.len().min(offset.saturating_add(count))];
            out.number(0);
            some_attributes(of, out);
            out.number(u32::try_from(data.len()).ok()?);
            out.number(u32::from(offset + data.len() == CONTENT.len()));
            out.opaque(data);
        }
        READDIR => {
            let from = call.long()?;
            out.number(0);
            out.number(0);
            out.long(0);
            if from == 0 {
                out.number(1);
                out.long(FILE);
                out.opaque(NAME.as_bytes());
                out.long(1);
            }
            out.number(0);
            out.number(1);
        }
        FSSTAT => {
            out.number(0);
            out.number(0);
            (0..6).for_each(|_| out.long(1 << 20));
            out.number(0);
        }
        FSINFO => {
            out.number(0);
            out.number(0);
            (0..7).for_each(|_| out.number(4_096));
            out.long(1 << 20);
            out.numbers([0, 1, 0x1b]);
        }
        PATHCONF => {
            out.number(0);
            out.number(0);
            out.numbers([1, 255, 1, 1, 0, 1]);
        }
        _ => {
            out.number(NOT_SUPPORTED);
            out.number(0);
        }
    }
    Some(())
}

fn some_attributes(of: u64, out: &mut Out) {
    out.number(1);
    attributes(of, out);
}

fn attributes(of: u64, out: &mut Out) {
    let (kind, mode, size) = if of == ROOT {
        (2, 0o755, 4_096)
    } else {
        (1, 0o600, CONTENT.len() as u64)
    };
    out.numbers([kind, mode, 1, 0, 0]);
    out.long(size);
    out.long(size);
    // No device.
    out.long(0);
    // The file system, and the number in it.
    out.long(7);
    out.long(of);
    (0..3).for_each(|_| out.long(0));
}
