//! procfs as the kernel has it. Whoever may mount can mount over `/proc/PID`, or over `/proc`, and have it say what he likes; so what is read of
//! processes is read from a procfs of the sensor's own, mounted nowhere. Where that is not to be had (before 5.2, or without the capability), it is
//! the one at `/proc` if that is one, and nothing that is mounted over it is followed.

use std::{
    fs::File,
    io::Read as _,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::OnceLock,
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, ResolveFlags, Stat, StatxFlags},
    io::Errno,
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
};

/// include/uapi/linux/magic.h
pub(super) const PROC_SUPER_MAGIC: i64 = 0x9fa0;
/// include/linux/proc_ns.h
pub(super) const PROC_ROOT_INODE: u64 = 1;
/// Bytes of one file that are read; what is behind them is left out. The mounts of a host with thousands of containers take a megabyte.
const READ_MAX: u64 = 16 << 20;
/// Threads of a process that are asked in the place of its first one.
const THREADS_MAX: usize = 16;
const HOLD: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

static PROCFS: OnceLock<Option<OwnedFd>> = OnceLock::new();

fn procfs() -> Option<BorrowedFd<'static>> {
    PROCFS
        .get_or_init(|| detached().or_else(|_| at_its_place()).ok())
        .as_ref()
        .map(|root| root.as_fd())
}

/// A mount of the own pid namespace's that has no place, so nothing can be mounted over it.
fn detached() -> Result<OwnedFd, Errno> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(
        context.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        attributes | MountAttrFlags::MOUNT_ATTR_NOEXEC,
    )
}

fn at_its_place() -> Result<OwnedFd, Errno> {
    let root = rustix::fs::open("/proc", HOLD | OFlags::DIRECTORY, Mode::empty())?;
    let is_procfs = rustix::fs::fstatfs(&root)?.f_type == PROC_SUPER_MAGIC;
    if is_procfs && rustix::fs::fstat(&root)?.st_ino == PROC_ROOT_INODE {
        Ok(root)
    } else {
        Err(Errno::NODEV)
    }
}

fn open(root: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// What tells a file in a mount from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// Of its file system.
    pub device: (u32, u32),
    /// On that.
    pub inode: u64,
    /// The number of its mount, which is given again once that is gone; 0 before Linux 5.8.
    pub mount: u64,
}

/// The directory of one process, to read several of its files as they are of the same process: it stays that process's.
#[derive(Debug)]
pub struct ProcessDirectory(OwnedFd);

impl ProcessDirectory {
    /// Nothing where there is no such process.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Self::named(&pid.to_string())
    }

    /// The own.
    #[must_use]
    pub fn own() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// One of any procfs, wherever that is mounted, that is held already; nothing where it is of none.
    pub(super) fn at(directory: &OwnedFd) -> Option<Self> {
        let is_procfs = rustix::fs::fstatfs(directory).ok()?.f_type == PROC_SUPER_MAGIC;
        Some(Self(directory.try_clone().ok().filter(|_| is_procfs)?))
    }

    /// That of one of its threads, which has the same files.
    #[must_use]
    pub fn thread(&self, tid: u32) -> Option<Self> {
        open(self.0.as_fd(), &format!("task/{tid}"), HOLD | OFlags::DIRECTORY)
            .ok()
            .map(Self)
    }

    fn named(name: &str) -> Option<Self> {
        open(procfs()?, name, HOLD | OFlags::DIRECTORY).ok().map(Self)
    }

    /// What a file holds.
    #[must_use]
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let file = open(self.0.as_fd(), name, OFlags::RDONLY | OFlags::NONBLOCK).ok()?;
        let mut bytes = Vec::new();
        File::from(file).take(READ_MAX).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// As [`Self::read`], of a file that is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        String::from_utf8(self.read(name)?).ok()
    }

    /// Where a link leads, in words.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<Vec<u8>> {
        self.or_of_a_thread(|of| {
            let link = open(of.0.as_fd(), name, HOLD | OFlags::NOFOLLOW).ok()?;
            let path = rustix::fs::readlinkat(&link, "", Vec::new()).ok()?;
            Some(path.into_bytes())
        })
    }

    /// What a link leads to.
    #[must_use]
    pub fn stat(&self, name: &str) -> Option<Stat> {
        self.or_of_a_thread(|of| rustix::fs::statat(&of.0, name, AtFlags::empty()).ok())
    }

    /// The same of another of its threads where the first has ended, whose links lead nowhere then.
    fn or_of_a_thread<T>(&self, ask: impl Fn(&Self) -> Option<T>) -> Option<T> {
        ask(self).or_else(|| {
            let listed = rustix::fs::Dir::read_from(self.listed("task")?).ok()?;
            let tids = listed
                .flatten()
                .filter_map(|entry| entry.file_name().to_str().ok()?.parse().ok());
            tids.take(THREADS_MAX).find_map(|tid| ask(&self.thread(tid)?))
        })
    }

    /// Which directory or file a link leads to, and in which mount, by what is known of it without asking who serves it.
    #[must_use]
    pub fn identity(&self, name: &str) -> Option<Identity> {
        let wanted = StatxFlags::INO | StatxFlags::MNT_ID;
        let known =
            self.or_of_a_thread(|of| rustix::fs::statx(&of.0, name, AtFlags::STATX_DONT_SYNC, wanted).ok())?;
        Some(Identity {
            device: (known.stx_dev_major, known.stx_dev_minor),
            inode: known.stx_ino,
            mount: known.stx_mnt_id,
        })
    }

    /// What a link leads to, held without being opened.
    #[must_use]
    pub fn hold(&self, name: &str) -> Option<OwnedFd> {
        self.or_of_a_thread(|of| rustix::fs::openat(&of.0, name, HOLD, Mode::empty()).ok())
    }

    /// A directory of it, to be listed.
    pub(super) fn listed(&self, name: &str) -> Option<OwnedFd> {
        open(self.0.as_fd(), name, OFlags::RDONLY | OFlags::DIRECTORY).ok()
    }

    /// A namespace by its inode number, as `ns/mnt` names it: `mnt:[4026531841]`.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Option<u32> {
        let link = String::from_utf8(self.link(&format!("ns/{name}"))?).ok()?;
        let (_, number) = link.strip_suffix(']')?.split_once(":[")?;
        number.parse().ok()
    }
}

/// What lies in a directory by this name, whatever is mounted over it.
pub(super) fn held_in(directory: &OwnedFd, name: &str) -> Option<OwnedFd> {
    open(directory.as_fd(), name, HOLD | OFlags::NOFOLLOW).ok()
}

/// The processes of this moment.
#[must_use]
pub fn pids() -> Vec<u32> {
    let root = procfs().and_then(|root| open(root, ".", OFlags::RDONLY | OFlags::DIRECTORY).ok());
    let entries = root.and_then(|root| rustix::fs::Dir::read_from(root).ok());
    let names = entries.into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().to_str().ok()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{
        process::Command,
        time::{Duration, Instant},
    };

    use super::*;

    #[test]
    fn processes_are_read_without_a_place() {
        let own = ProcessDirectory::own().expect("this process");
        assert!(own.text("status").expect("there").starts_with("Name:"));
        let program = own.link("exe").expect("a link");
        assert_eq!(program.first(), Some(&b'/'));
        let by_std = std::fs::read_link("/proc/self/ns/mnt").expect("there");
        let namespace = own.namespace("mnt").expect("a number");
        assert_eq!(by_std.to_string_lossy(), format!("mnt:[{namespace}]"));
        assert!(pids().contains(&std::process::id()));
        assert!(ProcessDirectory::of(u32::MAX).is_none());
    }

    #[test]
    fn of_a_process_whose_first_thread_has_ended_another_is_asked() {
        let script = format!(
            "import ctypes, threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\nctypes.CDLL(None).syscall({}, 0)",
            libc::SYS_exit
        );
        let mut child = match Command::new("python3").args(["-c", &script]).spawn() {
            Ok(child) => child,
            Err(error) => {
                eprintln!("not tested: python3: {error}");
                return;
            }
        };
        let begun = Instant::now();
        while std::fs::read_link(format!("/proc/{}/root", child.id())).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(20), "its first thread ends");
            std::thread::sleep(Duration::from_millis(10));
        }
        let directory = ProcessDirectory::of(child.id()).expect("it lives");
        let own = ProcessDirectory::own().expect("this process");
        assert_eq!(directory.link("root").as_deref(), Some(&b"/"[..]));
        assert_eq!(directory.identity("root"), own.identity("root"));
        assert!(directory.hold("root").is_some() && directory.stat("exe").is_some());
        assert_eq!(directory.namespace("mnt"), own.namespace("mnt"));
        child.kill().expect("it lives");
        child.wait().expect("it ends");
        assert!(directory.hold("root").is_none());
    }

    #[test]
    fn the_one_at_its_place_is_known_for_one() {
        let root = at_its_place().expect("/proc is mounted where tests run");
        assert!(open(root.as_fd(), "self/status", OFlags::RDONLY).is_ok());
    }
}
