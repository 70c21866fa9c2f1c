//! System calls that had begun before their beginnings were seen: threads that wait in one are looked for once, so that its end is not taken for an answer of
//! somebody else's. One that runs just then ends some microseconds later, and is told as what came before the sensor is: not at all.

use std::{fs, path::Path};

use aya::{
    Ebpf,
    maps::{Array, HashMap, MapError},
};
use claviger_sensor_common::Calls;

use crate::error::in_one_line;

const BEGUN: &str = "BEGUN";
const BEGINNINGS_SEEN: &str = "BEGINNINGS_SEEN";

/// From now on the beginnings of these calls count. Called once their programs are attached.
///
/// # Errors
/// In words, where a map cannot be written: then the ends of calls alone count.
pub(super) fn are_seen(ebpf: &mut Ebpf, seen: &[Calls]) -> Result<(), String> {
    let said = |name: &str, error: &MapError| format!("writing map {name}: {}", in_one_line(error));
    let missing = |name: &str| format!("map {name} is not in the object");
    {
        let map = ebpf.map_mut(BEGUN).ok_or_else(|| missing(BEGUN))?;
        let mut begun: HashMap<_, u32, u32> = HashMap::try_from(map).map_err(|error| said(BEGUN, &error))?;
        for (thread, calls) in waiting(Path::new("/proc")) {
            if seen.contains(&calls) {
                begun
                    .insert(thread, calls as u32, 0)
                    .map_err(|error| said(BEGUN, &error))?;
            }
        }
    }
    let map = ebpf
        .map_mut(BEGINNINGS_SEEN)
        .ok_or_else(|| missing(BEGINNINGS_SEEN))?;
    let mut flags: Array<_, u32> = Array::try_from(map).map_err(|error| said(BEGINNINGS_SEEN, &error))?;
    for calls in seen {
        flags
            .set(*calls as u32, 1, 0)
            .map_err(|error| said(BEGINNINGS_SEEN, &error))?;
    }
    Ok(())
}

/// Threads that wait in a system call of a family.
fn waiting(proc: &Path) -> Vec<(u32, Calls)> {
    let number = |entry: std::io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse::<u32>().ok();
    let processes = fs::read_dir(proc).into_iter().flatten().filter_map(number);
    let threads = processes.flat_map(|process| {
        let tasks = proc.join(process.to_string()).join("task");
        let threads = fs::read_dir(&tasks).into_iter().flatten().filter_map(number);
        threads
            .map(|thread| (thread, tasks.join(thread.to_string()).join("syscall")))
            .collect::<Vec<_>>()
    });
    threads
        .filter_map(|(thread, file)| Some((thread, family(&fs::read_to_string(file).ok()?)?)))
        .collect()
}

/// The family of the call that `/proc/PID/task/TID/syscall` tells of: its number and its arguments, or `running`, or -1.
fn family(text: &str) -> Option<Calls> {
    let mut words = text.split_ascii_whitespace();
    let number: u32 = words.next()?.parse().ok()?;
    // arch/x86/entry/syscalls/syscall_64.tbl
    Some(match number {
        82 | 86 | 87 | 88 | 263..=266 | 316 => Calls::Names,
        76 | 90 | 92 | 94 | 188 | 189 | 197 | 198 | 260 | 268 | 452 | 463 | 466 => Calls::Paths,
        77 | 91 | 93 | 190 | 199 => Calls::Descriptors,
        101 | 310 | 311 => Calls::Requests,
        438 | 440 => Calls::RequestsByDescriptor,
        16 => {
            let command = words.nth(1)?.strip_prefix("0x")?;
            // include/uapi/linux/btrfs.h: what is sent, and what is searched.
            let command = u32::from_str_radix(command, 16).ok()?;
            let is_told = [0x4048_9426, 0x4044_9426, 0xd000_9411, 0xc070_9411].contains(&command);
            return is_told.then_some(Calls::Ioctls);
        }
        250 => Calls::Keys,
        165 | 429 => Calls::Mounts,
        141 | 142 | 144 | 203 | 251 | 302 | 314 => Calls::Holds,
        321 => Calls::Bpf,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_of_a_call_is_told_by_its_number() {
        for (text, calls) in [
            ("165 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8\n", Some(Calls::Mounts)),
            (
                "91 0x3 0x1a4 0x0 0x0 0x0 0x0 0x7ffc 0x7f\n",
                Some(Calls::Descriptors),
            ),
            (
                "16 0x3 0x40489426 0x0 0x0 0x0 0x0 0x7ffc 0x7f\n",
                Some(Calls::Ioctls),
            ),
            ("16 0x3 0x5401 0x0 0x0 0x0 0x0 0x7ffc 0x7f\n", None),
            ("0 0x3 0x0 0x0\n", None),
            ("running\n", None),
            ("-1 0x0 0x0\n", None),
            ("", None),
        ] {
            assert_eq!(family(text), calls, "{text}");
        }
    }

    #[test]
    fn threads_are_looked_for_where_they_are_listed() {
        let proc = tempfile::tempdir().expect("a directory");
        for (place, text) in [
            ("7/task/7", "202 0x0"),
            ("7/task/9", "90 0x1 0x1ff"),
            ("self/task/7", "90 0x1"),
        ] {
            let directory = proc.path().join(place);
            fs::create_dir_all(&directory).expect("made");
            fs::write(directory.join("syscall"), text).expect("written");
        }
        assert_eq!(waiting(proc.path()), [(9, Calls::Paths)]);
    }
}
