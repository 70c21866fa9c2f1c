//! Who answers at a socket of this host that has a name: a process that has the listening socket open. Who called `listen` may have ended since (an agent that
//! forks), and its pid may be another's by now; or it was a service manager, which listens for others.

use std::os::fd::OwnedFd;

use rustix::fs::Dir;

use super::{
    proc_fs::start_ticks_of,
    procfs::{ProcessDirectory, pids},
};
use crate::decode::ProcessKey;

/// Descriptors that are looked at, of all processes.
const DESCRIPTORS_MAX: usize = 200_000;
/// include/uapi/linux/net.h: it listens.
const SO_ACCEPTCON: u32 = 1 << 16;
/// Sockets of one name, at most: the file was removed, and another made.
const NAMESAKES_MAX: usize = 64;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answering {
    /// This process.
    Process(ProcessKey),
    /// No process has such a socket open, as far as is seen.
    Nobody,
    /// Several sockets have this name, and which was meant is not known.
    Several,
}

/// Who answers at a socket of this name: a path, or a name of the abstract namespace behind an `@`. The sockets are those of the network namespaces of
/// `client` and of this process. `maker` is who called `listen`.
#[must_use]
pub fn who_answers(name: &[u8], client: ProcessKey, maker: Option<u32>) -> Answering {
    let places = [Some(client.pid), Some(std::process::id()), maker];
    let mut sockets: Vec<Named> = Vec::new();
    for pid in places.into_iter().flatten() {
        let table = ProcessDirectory::of(pid).and_then(|directory| directory.read("net/unix"));
        sockets.extend(listening(&table.unwrap_or_default(), name));
    }
    // A path may be bound by another way than the one by which it is used.
    let exact = sockets.iter().any(|socket| socket.is_exact);
    sockets.retain(|socket| socket.is_exact || !exact);
    let mut inodes: Vec<u64> = sockets.iter().map(|socket| socket.inode).collect();
    inodes.sort_unstable();
    inodes.dedup();
    inodes.truncate(NAMESAKES_MAX);
    if inodes.is_empty() {
        return Answering::Nobody;
    }
    choose(&holders(&inodes), maker)
}

/// A socket that listens.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    inode: u64,
    /// It is bound by that very name; else by a path with the same last part.
    is_exact: bool,
}

/// Those of a table (`/proc/net/unix`) that may be the one of this name. A name may hold any byte, and stands there as it is: also the end of a line, and what looks
/// like another one.
fn listening<'a>(table: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = Named> + 'a {
    let exact = lines_of(table, name);
    let lines = table.split(|&byte| byte == b'\n').skip(1);
    exact.into_iter().chain(lines).filter_map(move |line| {
        // Address, references, protocol, flags, type, state, inode; then, behind one space, the name, which may hold any byte.
        let mut rest = line;
        let mut fields = [&line[..0]; 7];
        for field in &mut fields {
            rest = rest.trim_ascii_start();
            let end = rest.iter().position(|&byte| byte == b' ')?;
            (*field, rest) = rest.split_at(end);
        }
        let text = |field: &'a [u8]| std::str::from_utf8(field).ok();
        let flags = u32::from_str_radix(text(fields[3])?, 16).ok()?;
        let inode = text(fields[6])?.parse().ok()?;
        let bound = rest.get(1..)?;
        let is_exact = bound == name;
        let is_path = |name: &[u8]| !name.starts_with(b"@");
        let may_be_it = is_exact || (is_path(bound) && is_path(name) && last(bound) == last(name));
        (flags & SO_ACCEPTCON != 0 && may_be_it).then_some(Named { inode, is_exact })
    })
}

/// Lines that end in a name of more than one line.
fn lines_of<'a>(table: &'a [u8], name: &[u8]) -> Vec<&'a [u8]> {
    if !name.contains(&b'\n') {
        return Vec::new();
    }
    let ends = table
        .windows(name.len())
        .enumerate()
        .filter(|(_, window)| *window == name);
    ends.filter_map(|(at, _)| {
        let begins = table[..at].iter().rposition(|&byte| byte == b'\n')? + 1;
        table.get(begins..at + name.len())
    })
    .collect()
}

fn last(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

/// One that has a socket open.
#[derive(Clone, Copy, Debug)]
struct Holder {
    inode: u64,
    process: ProcessKey,
    /// It is a service manager, which makes sockets for others.
    is_manager: bool,
}

fn holders(inodes: &[u64]) -> Vec<Holder> {
    let links: Vec<(u64, Vec<u8>)> = inodes
        .iter()
        .map(|&inode| (inode, format!("socket:[{inode}]").into_bytes()))
        .collect();
    let mut left = DESCRIPTORS_MAX;
    let mut found = Vec::new();
    for pid in pids() {
        let Some(directory) = ProcessDirectory::of(pid) else {
            continue;
        };
        let Some(descriptors) = directory.listed("fd") else {
            continue;
        };
        let held = held_of(&descriptors, &links, &mut left);
        let Some(start_ticks) = held.is_some().then(|| start_ticks_of(pid)).flatten() else {
            continue;
        };
        found.extend(held.map(|inode| {
            Holder {
                inode,
                process: ProcessKey { pid, start_ticks },
                is_manager: pid == 1
                    || directory
                        .link("exe")
                        .is_some_and(|program| last(&program) == b"systemd"),
            }
        }));
        if left == 0 {
            break;
        }
    }
    found
}

/// The first of these sockets that is among descriptors.
fn held_of(descriptors: &OwnedFd, links: &[(u64, Vec<u8>)], left: &mut usize) -> Option<u64> {
    let entries = Dir::read_from(descriptors).ok()?.flatten();
    for entry in entries {
        *left = left.checked_sub(1)?;
        let Ok(link) = rustix::fs::readlinkat(descriptors, entry.file_name(), Vec::new()) else {
            continue;
        };
        if let Some((inode, _)) = links.iter().find(|(_, known)| known == link.as_bytes()) {
            return Some(*inode);
        }
    }
    None
}

/// Who of those that have sockets of the name open answers.
fn choose(holders: &[Holder], maker: Option<u32>) -> Answering {
    let made = holders.iter().find(|holder| Some(holder.process.pid) == maker);
    let inode = match (made, holders) {
        (Some(made), _) => made.inode,
        (None, []) => return Answering::Nobody,
        (None, [first, others @ ..]) if others.iter().all(|other| other.inode == first.inode) => first.inode,
        (None, _) => return Answering::Several,
    };
    if let Some(made) = made
        && !made.is_manager
    {
        return Answering::Process(made.process);
    }
    // Others have it from the first of them.
    let of_it = holders.iter().filter(|holder| holder.inode == inode);
    let first = of_it.min_by_key(|holder| (holder.is_manager, holder.process.start_ticks));
    first.map_or(Answering::Nobody, |first| Answering::Process(first.process))
}

#[cfg(test)]
mod tests {
    use std::os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener},
    };

    use super::*;
    use crate::attribute::program_of;

    const TABLE: &[u8] = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
          ffff888100000000: 00000002 00000000 00010000 0001 01    77 /run/a b/agent.sock\n\
          ffff888100000001: 00000003 00000000 00000000 0001 03 77001 /run/a b/agent.sock\n\
          ffff888100000002: 00000002 00000000 00010000 0001 01 77002 agent.sock\n\
          ffff888100000003: 00000002 00000000 00010000 0005 01 77003 @agent.sock\n\
          ffff888100000004: 00000002 00000000 00010000 0001 01 77004\n\
          short\n";

    fn inodes(name: &[u8]) -> Vec<(u64, bool)> {
        listening(TABLE, name)
            .map(|socket| (socket.inode, socket.is_exact))
            .collect()
    }

    #[test]
    fn those_that_listen_are_found_by_their_names() {
        assert_eq!(inodes(b"/run/a b/agent.sock"), [(77, true), (77002, false)]);
        assert_eq!(inodes(b"@agent.sock"), [(77003, true)]);
        assert_eq!(inodes(b"/run/other"), []);
        assert_eq!(inodes(b""), []);
        let table = b"Num\nffff: 00000002 00000000 00010000 0001 01 7 /run/a\nffff: 00000002 00000000 00010000 0001 01 8 /run/b\n";
        let found = |name: &[u8]| {
            listening(table, name)
                .filter(|socket| socket.is_exact)
                .map(|socket| socket.inode)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            found(b"/run/a\nffff: 00000002 00000000 00010000 0001 01 8 /run/b"),
            [7]
        );
    }

    fn holder(inode: u64, pid: u32, is_manager: bool) -> Holder {
        Holder {
            inode,
            process: ProcessKey {
                pid,
                start_ticks: u64::from(pid) * 10,
            },
            is_manager,
        }
    }

    fn chosen(holders: &[Holder], maker: Option<u32>) -> Option<u32> {
        match choose(holders, maker) {
            Answering::Process(process) => Some(process.pid),
            Answering::Nobody | Answering::Several => None,
        }
    }

    #[test]
    fn who_has_it_open_answers_and_a_manager_only_where_nobody_else_does() {
        let (agent, child) = (holder(7, 20, false), holder(7, 30, false));
        assert_eq!(chosen(&[child, agent], Some(20)), Some(20), "who made it");
        assert_eq!(
            chosen(&[child, agent], Some(10)),
            Some(20),
            "who made it has ended"
        );
        let manager = holder(7, 1, true);
        assert_eq!(chosen(&[manager, agent], Some(1)), Some(20));
        assert_eq!(chosen(&[manager], Some(1)), Some(1), "it is not started yet");
        let another = holder(8, 40, false);
        assert_eq!(choose(&[agent, another], Some(10)), Answering::Several);
        assert_eq!(chosen(&[another, agent], Some(20)), Some(20));
        assert_eq!(choose(&[], Some(20)), Answering::Nobody);
    }

    #[test]
    fn a_socket_of_this_process_is_answered_by_it() {
        let name = format!("claviger-listening-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let (own, _) = program_of(std::process::id()).expect("this process");
        let name = format!("@{name}").into_bytes();
        assert_eq!(who_answers(&name, own, None), Answering::Nobody);
        let _listens = UnixListener::bind_addr(&address).expect("bound");
        assert_eq!(
            who_answers(&name, own, Some(u32::MAX)),
            Answering::Process(own),
            "its maker is said to be another, which is gone"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_table_is_read(table in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            listening(&table, b"/x").for_each(drop);
        }
    }
}
