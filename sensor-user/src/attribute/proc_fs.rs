//! What procfs tells of processes, read totally: anything may be gone or different at any moment.

use std::{fs, io, os::fd::OwnedFd, sync::OnceLock};

use super::{
    ProcessFacts,
    procfs::{ProcessDirectory, pids},
};
use crate::decode::{ProcessKey, RootId, display};

/// The kernel's boot id.
///
/// # Errors
/// Where /proc is not mounted.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

/// Field 22 of /proc/PID/stat; nothing where the process is gone.
#[must_use]
pub fn start_ticks_of(pid: u32) -> Option<u64> {
    parse_stat(&ProcessDirectory::of(pid)?.read("stat")?).map(|stat| stat.start_ticks)
}

/// Whether a process is gone or about to be: killed, ending, or ended and not waited for yet.
#[must_use]
pub fn is_ending(pid: u32) -> bool {
    /// Of the flags in field 9 of /proc/PID/stat: it is on its way out.
    const EXITING: u64 = 4;
    const KILL: u64 = 1 << 8;
    let directory = ProcessDirectory::of(pid);
    let read = |name| directory.as_ref().and_then(|directory| directory.text(name));
    let (Some(stat), Some(status)) = (read("stat"), read("status")) else {
        return true;
    };
    // The program's name is in brackets and may hold anything.
    let mut fields = stat
        .rsplit_once(')')
        .map_or("", |(_, behind)| behind)
        .split_whitespace();
    let state = fields.next().unwrap_or_default();
    let flags: u64 = fields.nth(5).and_then(|flags| flags.parse().ok()).unwrap_or(0);
    let is_killed = status
        .lines()
        .filter_map(|line| line.strip_prefix("SigPnd:").or(line.strip_prefix("ShdPnd:")))
        .filter_map(|pending| u64::from_str_radix(pending.trim(), 16).ok())
        .any(|pending| pending & KILL != 0);
    matches!(state, "Z" | "X") || flags & EXITING != 0 || is_killed
}

static OWN_PID_NAMESPACE: OnceLock<u32> = OnceLock::new();

/// The own pid namespace by inode number. A process never leaves it, so it is read once: who takes the sensor's descriptors away later
/// (`prlimit`) does not take this away.
#[must_use]
pub fn own_pid_namespace() -> Option<u32> {
    let read = || namespace_of(std::process::id()).map(|number| *OWN_PID_NAMESPACE.get_or_init(|| number));
    OWN_PID_NAMESPACE.get().copied().or_else(read)
}

/// Whether a pid namespace, by its inode number, is this process's own. Where that cannot be found out it is taken for that: what is done to the
/// sensor is not to be taken for done to another.
#[must_use]
pub fn is_own_pid_namespace(namespace: u32) -> bool {
    is_own(own_pid_namespace(), namespace)
}

fn is_own(own: Option<u32>, namespace: u32) -> bool {
    own.is_none_or(|own| own == namespace)
}

/// Whether a mount namespace, by its inode number, is this process's own.
#[must_use]
pub fn is_own_mount_namespace(namespace: u32) -> bool {
    ProcessDirectory::own().and_then(|own| own.namespace("mnt")) == Some(namespace)
}

/// Whether a user namespace, by its inode number, is this process's own. Where that cannot be found out it is taken for that.
#[must_use]
pub fn is_own_user_namespace(namespace: u32) -> bool {
    let own = ProcessDirectory::own().and_then(|own| own.namespace("user"));
    is_own(own, namespace)
}

/// Whether a tree of files is the one that this process sees. Of a file system that gives stat(2) another device than it has itself (btrfs, overlayfs), the root's number
/// has to be enough.
#[must_use]
pub(super) fn is_own_tree(root: RootId) -> bool {
    let own = ProcessDirectory::own().and_then(|own| own.identity("root"));
    let is_root = own.is_some_and(|own| {
        let (major, minor) = own.device;
        own.inode == root.inode && (major == 0 || major << 20 | minor == root.device)
    });
    is_root && is_own_mount_namespace(root.namespace)
}

/// The process that has a thread of this id; nothing where that is gone.
#[must_use]
pub fn process_of_thread(id: u32) -> Option<ProcessKey> {
    let status = ProcessDirectory::of(id)?.text("status")?;
    let process = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    let pid = process.trim().parse().ok()?;
    let start_ticks = start_ticks_of(pid)?;
    Some(ProcessKey { pid, start_ticks })
}

/// The process that is called `pid` in a pid namespace, by its inode number; nothing where it is gone.
#[must_use]
pub fn process_in_namespace(namespace: u32, pid: u32) -> Option<ProcessKey> {
    let is_it = |candidate: &u32| {
        namespace_of(*candidate) == Some(namespace)
            && ProcessDirectory::of(*candidate)
                .and_then(|process| process.text("status"))
                .and_then(|status| innermost_pid(&status))
                == Some(pid)
    };
    let found = pids().into_iter().find(is_it)?;
    let start_ticks = start_ticks_of(found)?;
    Some(ProcessKey {
        pid: found,
        start_ticks,
    })
}

/// Its pid namespace by inode number.
fn namespace_of(pid: u32) -> Option<u32> {
    ProcessDirectory::of(pid)?.namespace("pid")
}

/// Its mount namespace by inode number; nothing where it is gone.
#[must_use]
pub fn mount_namespace_of(pid: u32) -> Option<u32> {
    ProcessDirectory::of(pid)?.namespace("mnt")
}

/// What a process is called in its own pid namespace.
fn innermost_pid(status: &str) -> Option<u32> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))?
        .split_ascii_whitespace()
        .next_back()?
        .parse()
        .ok()
}

/// What /proc tells of a process that is running now; nothing where it is gone.
pub(super) fn read_process(pid: u32) -> Option<(ProcessKey, ProcessFacts)> {
    let directory = ProcessDirectory::of(pid)?;
    let stat = parse_stat(&directory.read("stat")?)?;
    let exe = directory.stat("exe");
    let exe_path = directory
        .link("exe")
        .map(|path| display(without_mark(&path, exe.is_some_and(|exe| exe.st_nlink == 0))))
        .unwrap_or_default();
    let uid = directory.text("status").and_then(|status| parse_uid(&status));
    let key = ProcessKey {
        pid,
        start_ticks: stat.start_ticks,
    };
    let parent = start_ticks_of(stat.parent_pid).map(|start_ticks| ProcessKey {
        pid: stat.parent_pid,
        start_ticks,
    });
    let facts = ProcessFacts {
        comm: stat.comm,
        exe_path,
        exe_inode: exe.map(|exe| exe.st_ino),
        uid,
        parent,
        ..ProcessFacts::default()
    };
    Some((key, facts))
}

/// The program that a process runs, by device and inode as stat(2) has them, with the start of the process; nothing where it is gone.
#[must_use]
pub fn program_of(pid: u32) -> Option<(ProcessKey, (u64, u64))> {
    let directory = ProcessDirectory::of(pid)?;
    let stat = parse_stat(&directory.read("stat")?)?;
    let exe = directory.stat("exe")?;
    let key = ProcessKey {
        pid,
        start_ticks: stat.start_ticks,
    };
    Some((key, (exe.st_dev, exe.st_ino)))
}

/// The path of a process's cgroup in the unified hierarchy, as cgroups(7) has it; nothing where it has ended.
#[must_use]
pub fn cgroup_of(process: ProcessKey) -> Option<String> {
    let directory = ProcessDirectory::of(process.pid)?;
    let cgroups = directory.text("cgroup")?;
    let path = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
    (start_ticks_of(process.pid)? == process.start_ticks).then(|| path.to_owned())
}

/// The root of a process, held; nothing where it is gone.
#[must_use]
pub fn root_of(process: ProcessKey) -> Option<OwnedFd> {
    let directory = ProcessDirectory::of(process.pid)?;
    let root = directory.hold("root")?;
    // Asked after: that of another process with the same number would not be told from it before.
    holds(&directory, process).then_some(root)
}

/// What procfs has of one thread of a process, which can have a root and a mount namespace of its own; nothing where it is gone.
#[must_use]
pub fn thread_of(process: ProcessKey, tid: u32) -> Option<ProcessDirectory> {
    let directory = ProcessDirectory::of(process.pid)?;
    let thread = directory.thread(tid)?;
    holds(&directory, process).then_some(thread)
}

/// Whether a directory is that of this process, and not of another that had its number.
pub(super) fn holds(directory: &ProcessDirectory, process: ProcessKey) -> bool {
    let stat = directory.read("stat").and_then(|stat| parse_stat(&stat));
    stat.is_some_and(|stat| stat.start_ticks == process.start_ticks)
}

/// The path without what procfs puts behind that of a deleted file, and, of one in memory, before it.
fn without_mark(path: &[u8], is_deleted: bool) -> &[u8] {
    match path.strip_suffix(b" (deleted)") {
        Some(path) if is_deleted && path.starts_with(b"/memfd:") => &path[1..],
        Some(path) if is_deleted => path,
        _ => path,
    }
}

struct Stat {
    comm: String,
    parent_pid: u32,
    start_ticks: u64,
}

/// proc_pid_stat(5). The command name stands in parentheses and may hold any byte, parentheses and line ends too; so the last one ends
/// it.
fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    let open = bytes.iter().position(|byte| *byte == b'(')?;
    let close = bytes.iter().rposition(|byte| *byte == b')')?;
    let comm = bytes.get(open + 1..close)?;
    let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    // The rest begins with field 3.
    let parent_pid = fields.nth(1)?.parse().ok()?;
    let start_ticks = fields.nth(17)?.parse().ok()?;
    Some(Stat {
        comm: display(comm),
        parent_pid,
        start_ticks,
    })
}

fn parse_uid(status: &str) -> Option<u32> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))?
        .split_ascii_whitespace()
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_the_own_one_by_its_root_and_its_mounts() {
        let this = ProcessDirectory::own().expect("procfs");
        let root = this.identity("root").expect("a root");
        let own = RootId {
            namespace: this.namespace("mnt").expect("a number"),
            sequence: 0,
            device: root.device.0 << 20 | root.device.1,
            inode: root.inode,
        };
        assert!(is_own_tree(own));
        let of_another_root = RootId {
            inode: own.inode + 1,
            ..own
        };
        assert!(!is_own_tree(of_another_root));
        let of_other_mounts = RootId { namespace: 1, ..own };
        assert!(!is_own_tree(of_other_mounts));
    }

    #[test]
    fn who_was_killed_is_ending_and_who_runs_is_not() {
        assert!(!is_ending(std::process::id()));
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("600")
            .spawn()
            .expect("starts");
        assert!(!is_ending(child.id()));
        child.kill().expect("ours");
        // At once: the signal is there before the process has heard of it.
        assert!(is_ending(child.id()));
        child.wait().expect("ours");
        assert!(is_ending(child.id()));
    }

    #[test]
    fn stat_is_read_whatever_the_command_is_called() {
        let line =
            b"42 (a) (b\n) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 9876 1000 10 18446744073709551615";
        let stat = parse_stat(line).expect("parses");
        assert_eq!(
            (stat.comm.as_str(), stat.parent_pid, stat.start_ticks),
            ("a) (b\\x0a", 7, 9876)
        );
    }

    #[test]
    fn a_process_is_found_by_the_number_of_its_namespace() {
        assert_eq!(innermost_pid("Pid:\t812\nNSpid:\t812\t7\n"), Some(7));
        let own = std::process::id();
        let namespace = namespace_of(own).expect("/proc is there");
        assert!(is_own_pid_namespace(namespace));
        let found = process_in_namespace(namespace, own).expect("it runs");
        assert_eq!(Some(found.start_ticks), start_ticks_of(own));
        assert_eq!(process_in_namespace(1, own), None, "no such namespace");
    }

    #[test]
    fn a_thread_stands_for_its_process() {
        let own = std::process::id();
        let of_thread = std::thread::spawn(|| {
            let id = rustix::thread::gettid().as_raw_nonzero().get();
            process_of_thread(id.try_into().expect("positive"))
        });
        let found = of_thread.join().expect("it ends").expect("it ran");
        assert_eq!((found.pid, Some(found.start_ticks)), (own, start_ticks_of(own)));
        assert_eq!(process_of_thread(u32::MAX), None);
    }

    /// Runs itself once more, for what it does to its limits would be done to all tests of the process.
    #[test]
    fn the_own_pid_namespace_is_known_when_nothing_can_be_opened_any_more() {
        use rustix::process::{Resource, Rlimit, setrlimit};
        const IS_INNER: &str = "CLAVIGER_TEST_WITHOUT_DESCRIPTORS";
        if std::env::var_os(IS_INNER).is_none() {
            let name = std::thread::current().name().map(ToOwned::to_owned);
            let inner = std::process::Command::new(std::env::current_exe().expect("there"))
                .args(["--exact", &name.expect("the test's"), "--nocapture"])
                .env(IS_INNER, "")
                .output()
                .expect("runs");
            let said = String::from_utf8_lossy(&inner.stdout);
            assert!(inner.status.success() && said.contains("1 passed"), "{inner:?}");
            return;
        }
        let own = own_pid_namespace().expect("/proc is there");
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        setrlimit(Resource::Nofile, none).expect("lower");
        assert_eq!(namespace_of(std::process::id()), None, "it can still be read");
        assert!(is_own_pid_namespace(own));
        assert!(!is_own_pid_namespace(own + 1));
    }

    #[test]
    fn what_cannot_be_found_out_is_not_another() {
        assert!(is_own(None, 1));
        assert!(is_own(Some(1), 1));
        assert!(!is_own(Some(2), 1));
    }

    #[test]
    fn a_deleted_program_is_called_what_it_was() {
        assert_eq!(without_mark(b"/usr/bin/x (deleted)", true), b"/usr/bin/x");
        assert_eq!(
            without_mark(b"/usr/bin/x (deleted)", false),
            b"/usr/bin/x (deleted)"
        );
        assert_eq!(without_mark(b"/memfd:x (deleted)", true), b"memfd:x");
        assert_eq!(without_mark(b"/memfd:x", true), b"/memfd:x");
    }

    #[test]
    fn broken_lines_give_nothing() {
        for line in [
            &b""[..],
            b"42",
            b"42 (x",
            b"42 )x( S 1",
            b"42 (x) S",
            b"42 (x) S one",
        ] {
            assert!(parse_stat(line).is_none());
        }
    }

    #[test]
    fn this_process_is_found() {
        let pid = std::process::id();
        let (key, facts) = read_process(pid).expect("it runs");
        assert_eq!(start_ticks_of(pid), Some(key.start_ticks));
        assert!(facts.exe_path.starts_with('/'));
        assert!(facts.parent.is_some());
    }
}
