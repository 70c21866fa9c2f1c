//! Which secret of a process, or of the machine, a file is that is held without being open: the environment, the memory or the layout of the memory of a process,
//! the kernel's memory, the machine's, a block device. By what it is, and not by how it is called.

use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, fstat, fstatfs, makedev};

use super::{ProcessDirectory, own_pid_namespace, process_in_namespace, procfs, start_ticks_of};
use crate::decode::{ProcessKey, SecretPart, Target};

/// `/dev/mem`
const MEMORY: (u32, u32) = (1, 1);

/// Which secret a file is; nothing where it is none. `lies_in` is the directory in which it was found, where it was found in one, and `who` who sees it.
#[must_use]
pub fn secret_of(
    file: BorrowedFd<'_>,
    lies_in: Option<&OwnedFd>,
    who: ProcessKey,
) -> Option<(SecretPart, Target)> {
    let facts = fstat(file).ok()?;
    match FileType::from_raw_mode(facts.st_mode) {
        FileType::BlockDevice => Some((SecretPart::BlockDevice(facts.st_rdev), Target::Unnamed)),
        FileType::CharacterDevice => {
            let is_memory = facts.st_rdev == makedev(MEMORY.0, MEMORY.1);
            is_memory.then_some((SecretPart::PhysicalMemory, Target::Unnamed))
        }
        FileType::RegularFile if fstatfs(file).ok()?.f_type == procfs::PROC_SUPER_MAGIC => lies_in
            .and_then(|directory| of_directory(file, directory))
            .or_else(|| by_mount(file, who)),
        _ => None,
    }
}

/// By the directory of procfs that it lies in.
fn of_directory(file: BorrowedFd<'_>, directory: &OwnedFd) -> Option<(SecretPart, Target)> {
    let shown = shown(file)?;
    let (_, name) = shown.rsplit_once('/')?;
    let facts = fstat(file).ok()?;
    // Another may be mounted over the one that lies there.
    let there = fstat(procfs::held_in(directory, name)?).ok()?;
    if (there.st_dev, there.st_ino) != (facts.st_dev, facts.st_ino) {
        return None;
    }
    if name == "kcore" && fstat(directory).ok()?.st_ino == procfs::PROC_ROOT_INODE {
        return Some((SecretPart::KernelMemory, Target::Unnamed));
    }
    let part = part_of(name)?;
    let directory = ProcessDirectory::at(directory)?;
    // What else lies in procfs by that name is no process's.
    directory.read("status")?;
    Some((
        part,
        process_of(&directory).map_or(Target::Unnamed, Target::Process),
    ))
}

/// The process of such a directory, of whatever pid namespace the procfs is; nothing where it has ended.
fn process_of(directory: &ProcessDirectory) -> Option<ProcessKey> {
    let status = directory.text("status")?;
    let numbers = status.lines().find_map(|line| line.strip_prefix("NStgid:"))?;
    let innermost = numbers.split_ascii_whitespace().next_back()?.parse().ok()?;
    let namespace = directory.namespace("pid")?;
    if own_pid_namespace() != Some(namespace) {
        return process_in_namespace(namespace, innermost);
    }
    Some(ProcessKey {
        pid: innermost,
        start_ticks: start_ticks_of(innermost)?,
    })
}

/// By its path within procfs: it was mounted elsewhere, or reached through a descriptor. The number of the process is taken as `who` has it.
fn by_mount(file: BorrowedFd<'_>, who: ProcessKey) -> Option<(SecretPart, Target)> {
    let facts = ProcessDirectory::own()?.text(&format!("fdinfo/{}", file.as_raw_fd()))?;
    let number = facts
        .lines()
        .find_map(|line| line.strip_prefix("mnt_id:"))?
        .trim();
    let mounts = ProcessDirectory::of(who.pid)
        .or_else(ProcessDirectory::own)?
        .read("mountinfo")?;
    match root_of_mount(&mounts, number) {
        Some(root) if root != "/" => within(root),
        _ => within(shown(file)?.strip_prefix("/proc")?),
    }
}

/// What of procfs is mounted by the mount of this number.
fn root_of_mount<'a>(mounts: &'a [u8], number: &str) -> Option<&'a str> {
    let mut lines = mounts.split(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        (fields.next()? == number.as_bytes())
            .then(|| std::str::from_utf8(fields.nth(2)?).ok())
            .flatten()
    })
}

/// By a path from the root of procfs.
fn within(path: &str) -> Option<(SecretPart, Target)> {
    if path == "/kcore" {
        return Some((SecretPart::KernelMemory, Target::Unnamed));
    }
    let mut names = path.strip_prefix('/')?.split('/');
    let pid = names.next()?.parse().ok()?;
    let rest = (names.next()?, names.next(), names.next(), names.next());
    let (("task", Some(_), Some(file), None) | (file, None, None, None)) = rest else {
        return None;
    };
    Some((part_of(file)?, Target::Given(pid)))
}

/// The file of a process by its name, as the kernel shows it.
#[must_use]
pub fn part_of(name: &str) -> Option<SecretPart> {
    match name {
        "environ" => Some(SecretPart::Environ),
        "mem" => Some(SecretPart::Mem),
        "maps" | "smaps" => Some(SecretPart::Maps),
        _ => None,
    }
}

/// The path at which the kernel shows it.
fn shown(file: BorrowedFd<'_>) -> Option<String> {
    let link = ProcessDirectory::own()?.link(&format!("fd/{}", file.as_raw_fd()))?;
    let shown = String::from_utf8(link).ok()?;
    // So of a process that has ended.
    Some(shown.strip_suffix(" (deleted)").unwrap_or(&shown).to_owned())
}

#[cfg(test)]
mod tests {
    use std::{os::fd::AsFd as _, process::Command};

    use rustix::fs::{CWD, Mode, OFlags, openat};

    use super::*;
    use crate::attribute::start_ticks_of;

    fn hold(path: &str) -> OwnedFd {
        openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).expect("there")
    }

    fn own() -> ProcessKey {
        let pid = std::process::id();
        let start_ticks = start_ticks_of(pid).expect("it runs");
        ProcessKey { pid, start_ticks }
    }

    #[test]
    fn a_secret_is_known_by_what_it_is() {
        let mut child = Command::new("sleep")
            .arg("1000")
            .spawn()
            .expect("coreutils are everywhere");
        let pid = child.id();
        let process = ProcessKey {
            pid,
            start_ticks: start_ticks_of(pid).expect("it runs"),
        };
        let found = |directory: &str, name: &str| {
            let (directory, file) = (hold(directory), hold(&format!("{directory}/{name}")));
            secret_of(file.as_fd(), Some(&directory), own())
        };
        let of_child = |part| Some((part, Target::Process(process)));
        let at = format!("/proc/{pid}");
        assert_eq!(found(&at, "environ"), of_child(SecretPart::Environ));
        assert_eq!(found(&at, "smaps"), of_child(SecretPart::Maps));
        assert_eq!(
            found(&format!("{at}/task/{pid}"), "mem"),
            of_child(SecretPart::Mem)
        );
        assert_eq!(found(&at, "stat"), None);
        assert_eq!(found("/proc", "uptime"), None);
        let environ = hold(&format!("{at}/environ"));
        let other = hold("/proc/self");
        assert_eq!(
            secret_of(environ.as_fd(), None, own()),
            Some((SecretPart::Environ, Target::Given(pid))),
            "as through a descriptor"
        );
        assert_eq!(
            secret_of(environ.as_fd(), Some(&other), own()),
            Some((SecretPart::Environ, Target::Given(pid))),
            "it does not lie there"
        );
        child.kill().expect("it runs");
        child.wait().expect("it ended");
    }

    #[test]
    fn what_is_mounted_elsewhere_is_known_by_its_root() {
        let mounts =
            b"12 1 0:5 / /proc rw - proc proc rw\n13 1 0:5 /42/task/43/mem /tmp/x rw - proc proc rw\n";
        assert_eq!(root_of_mount(mounts, "13"), Some("/42/task/43/mem"));
        assert_eq!(root_of_mount(mounts, "1"), None);
        let given = |part| Some((part, Target::Given(42)));
        assert_eq!(within("/42/task/43/mem"), given(SecretPart::Mem));
        assert_eq!(within("/42/environ"), given(SecretPart::Environ));
        assert_eq!(
            within("/kcore"),
            Some((SecretPart::KernelMemory, Target::Unnamed))
        );
        for other in ["/42/net/maps", "/sys/environ", "/42", "42/environ", "/42/kcore"] {
            assert_eq!(within(other), None, "{other}");
        }
    }

    #[test]
    fn a_device_is_known_by_its_number() {
        let none = hold("/dev/null");
        assert_eq!(secret_of(none.as_fd(), None, own()), None);
    }
}
