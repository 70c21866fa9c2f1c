//! Which directories are on file systems that others serve, by what the kernel says about mounts: asking such a file system itself
//! (also by statfs) can wait for ever.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

/// How far a file system can be trusted to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// By a program of some user (FUSE): not entered at all.
    Program,
    /// By a program that root mounted (FUSE with `user_id=0`): the root of a container on fuse-overlayfs, and the like. Looked into, by who can be
    /// given up. In a user namespace that user is not the host's root; there the kernel refuses it to the agent without asking the program.
    RootProgram,
    /// By the kernel itself, which keeps no files in it: a search has nothing to look for there.
    Kernel,
    /// By another host: only exact names are looked up, nothing is listed.
    Network,
}

/// The mount points where that is so.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    served: HashMap<PathBuf, Option<Served>>,
}

impl Mounts {
    /// Reads a mountinfo(5). A line that is not understood is passed over. Of several mounts at one place the last is on top.
    pub(super) fn parse(mountinfo: &[u8]) -> Self {
        let served = mountinfo.split(|byte| *byte == b'\n').filter_map(mount).collect();
        Self { served }
    }

    /// Whether what lies at a path is not even looked at: a program of some user is there.
    pub(super) fn is_untouchable(&self, path: &Path) -> bool {
        self.at(path) == Some(Some(Served::Program))
    }

    /// The mount in which a path lies, where a program or another host serves it.
    pub(super) fn served_from<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        let mount = path.ancestors().find(|above| self.at(above).is_some())?;
        let served = self.at(mount)??;
        (served != Served::Kernel).then_some(mount)
    }

    /// What begins at this directory: `None` where it is no mount point, `Some(None)` where it is one of an ordinary file system.
    pub(super) fn at(&self, path: &Path) -> Option<Option<Served>> {
        self.served.get(path).copied()
    }
}

/// The mount in which a path of this process lies, where a program or another host serves it. A path through `/proc/PID/root` is one of that process.
/// Touches no file system but proc.
pub fn served_from(path: &Path) -> Option<PathBuf> {
    let Some((process, below)) = through_root(path) else {
        let mountinfo = std::fs::read("/proc/self/mountinfo").ok()?;
        return Mounts::parse(&mountinfo).served_from(path).map(Path::to_owned);
    };
    let mountinfo = std::fs::read(process.join("mountinfo")).ok()?;
    let served = Mounts::parse(&mountinfo);
    let mount = served.served_from(&below)?;
    Some(seen_through(&process.join("root"), mount))
}

/// The path by which this process reaches one below another's root, which it has as `/proc/PID/root`; of its own root nothing is put before it.
pub fn seen_through(root: &Path, path: &Path) -> PathBuf {
    match path.strip_prefix("/") {
        Ok(below) if below.as_os_str().is_empty() && !root.as_os_str().is_empty() => root.to_owned(),
        Ok(below) if !root.as_os_str().is_empty() => root.join(below),
        _ => path.to_owned(),
    }
}

/// `/proc/PID`, and the path below the root of that process.
fn through_root(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut names = path.strip_prefix("/proc").ok()?.components();
    let Component::Normal(pid) = names.next()? else {
        return None;
    };
    let is_pid = pid.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let is_root = names.next()? == Component::Normal("root".as_ref());
    (is_pid && is_root).then(|| (Path::new("/proc").join(pid), Path::new("/").join(names.as_path())))
}

/// A mount of this process, of a file system that keeps files and that neither a program nor another host serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// The major and minor number of its superblock's device.
    pub device: (u32, u32),
    /// Where it is mounted.
    pub point: PathBuf,
    /// Its type, as `ext4`.
    pub kind: Vec<u8>,
    /// What is mounted, as `/dev/vda`.
    pub source: Vec<u8>,
}

impl Mounted {
    /// All that there are now. Touches no file system but proc.
    #[must_use]
    pub fn all() -> Vec<Self> {
        Self::parse(&std::fs::read("/proc/self/mountinfo").unwrap_or_default())
    }

    fn parse(mountinfo: &[u8]) -> Vec<Self> {
        let lines = mountinfo.split(|byte| *byte == b'\n');
        lines.filter_map(Self::of_line).collect()
    }

    fn of_line(line: &[u8]) -> Option<Self> {
        let (point, served) = mount(line)?;
        if served.is_some() {
            return None;
        }
        let mut fields = line.split(|byte| *byte == b' ').skip(2);
        let (major, minor) = std::str::from_utf8(fields.next()?).ok()?.split_once(':')?;
        let mut behind = fields.skip_while(|field| *field != b"-").skip(1);
        Some(Self {
            device: (major.parse().ok()?, minor.parse().ok()?),
            point,
            kind: behind.next()?.to_vec(),
            source: unescape(behind.next()?),
        })
    }
}

/// The mount points of this process on the file system of a device, by its major and minor number. Touches no file system but proc.
pub fn mounts_of(device: (u32, u32)) -> Vec<PathBuf> {
    let mountinfo = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    points_of(&mountinfo, device)
}

fn points_of(mountinfo: &[u8], (major, minor): (u32, u32)) -> Vec<PathBuf> {
    let wanted = format!("{major}:{minor}").into_bytes();
    let point = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == b' ').skip(2);
        let is_it = fields.next()? == wanted;
        let point = fields.nth(1)?;
        is_it.then(|| mounted_path(point))
    };
    mountinfo.split(|byte| *byte == b'\n').filter_map(point).collect()
}

fn mount(line: &[u8]) -> Option<(PathBuf, Option<Served>)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let point = fields.nth(4)?;
    let mut behind = fields.skip_while(|field| *field != b"-").skip(1);
    let kind = behind.next()?;
    let options = behind.nth(1).unwrap_or_default();
    let is_roots = || {
        options
            .split(|byte| *byte == b',')
            .any(|option| option == b"user_id=0")
    };
    let served = match kind {
        b"nfs" | b"nfs4" | b"cifs" | b"smb3" | b"smbfs" | b"ceph" | b"afs" | b"9p" | b"lustre" | b"gpfs"
        | b"glusterfs" | b"ocfs2" | b"gfs2" | b"orangefs" | b"coda" | b"ncpfs" | b"autofs" => {
            Some(Served::Network)
        }
        b"proc" | b"sysfs" | b"cgroup" | b"cgroup2" | b"devtmpfs" | b"devpts" | b"debugfs" | b"tracefs"
        | b"securityfs" | b"bpf" | b"pstore" | b"configfs" | b"fusectl" | b"mqueue" | b"hugetlbfs"
        | b"binfmt_misc" | b"efivarfs" | b"nsfs" | b"rpc_pipefs" | b"selinuxfs" => Some(Served::Kernel),
        _ if kind.starts_with(b"fuse") && is_roots() => Some(Served::RootProgram),
        _ if kind.starts_with(b"fuse") => Some(Served::Program),
        _ => None,
    };
    Some((mounted_path(point), served))
}

/// The path that a field of mountinfo(5) stands for.
#[must_use]
pub fn mounted_path(field: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(unescape(field)))
}

/// Space, tab, newline and backslash stand there as `\040` and the like.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let octal = match (byte, after.first_chunk::<3>()) {
            (b'\\', Some(digits)) if digits.iter().all(|digit| (b'0'..=b'7').contains(digit)) => {
                u8::try_from(
                    digits
                        .iter()
                        .fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0')),
                )
                .ok()
            }
            _ => None,
        };
        match octal {
            Some(value) => {
                out.push(value);
                rest = &after[3..];
            }
            None => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mounts_are_told_apart() {
        let mounts = Mounts::parse(
            b"25 30 0:23 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n\
              36 25 0:32 / /home/a\\040b rw shared:1 master:2 - nfs4 server:/x rw\n\
              37 25 0:33 / /home/c/mnt rw - fuse.sshfs host: rw,user_id=1000,group_id=0,allow_other\n\
              38 25 0:34 / /srv rw,user_id=0 - fuse.x a,user_id=0 rw,user_id=01\n\
              39 25 0:35 / / rw - fuse.fuse-overlayfs fuse-overlayfs rw,user_id=0,group_id=0\n\
              garbage\n",
        );
        assert_eq!(mounts.at(Path::new("/srv")), Some(Some(Served::Program)));
        assert_eq!(mounts.at(Path::new("/")), Some(Some(Served::RootProgram)));
        assert_eq!(mounts.at(Path::new("/sys")), Some(Some(Served::Kernel)));
        assert_eq!(mounts.at(Path::new("/home/a b")), Some(Some(Served::Network)));
        assert_eq!(mounts.at(Path::new("/home/c/mnt")), Some(Some(Served::Program)));
        assert_eq!(mounts.at(Path::new("/home/c")), None);
    }

    #[test]
    fn what_serves_a_path_and_what_is_not_touched_is_known() {
        let mounts = Mounts::parse(
            b"1 0 0:1 / / rw - ext4 x rw\n36 25 0:32 / /home rw - nfs4 server:/x rw\n37 25 0:33 / /home/c/mnt rw - fuse x rw\n\
              38 25 0:34 / /home/d rw - tmpfs x rw\n",
        );
        let from = |path| mounts.served_from(Path::new(path)).and_then(Path::to_str);
        assert_eq!(from("/home/c/.aws"), Some("/home"));
        assert_eq!(from("/home/c/mnt/x"), Some("/home/c/mnt"));
        assert_eq!(from("/home/d/.aws"), None);
        assert_eq!(from("/etc/x"), None);
        let untouchable = |path| mounts.is_untouchable(Path::new(path));
        assert!(untouchable("/home/c/mnt"));
        assert!(!untouchable("/home") && !untouchable("/etc"));
    }

    #[test]
    fn the_mounts_of_a_device_are_found() {
        let mounts = b"1 0 8:1 / / rw - ext4 x rw\n36 25 0:32 / /a\\040b rw - tmpfs x rw\n9 1 8:1 /x /srv rw - ext4 x rw\n8:1\n";
        let points = points_of(mounts, (8, 1));
        assert_eq!(points, [Path::new("/"), Path::new("/srv")]);
        assert_eq!(points_of(mounts, (0, 32)), [Path::new("/a b")]);
        assert!(points_of(mounts, (8, 2)).is_empty());
    }

    #[test]
    fn what_keeps_files_here_is_told_with_its_type_and_source() {
        let mounts = b"25 30 0:23 / /sys rw shared:7 - sysfs sysfs rw\n1 0 8:1 / / rw shared:1 - ext4 /dev/a\\040b rw\n\
            36 25 0:32 / /home rw - nfs4 server:/x rw\n37 25 0:33 / /m rw - fuse x rw\n9 1 8:x / /srv rw - ext4 x rw\n2 1 8:2 /\n";
        let told = Mounted {
            device: (8, 1),
            point: "/".into(),
            kind: b"ext4".to_vec(),
            source: b"/dev/a b".to_vec(),
        };
        assert_eq!(Mounted::parse(mounts), [told]);
    }

    #[test]
    fn a_path_through_the_root_of_a_process_is_taken_apart_and_put_together() {
        let through = |path| through_root(Path::new(path));
        let apart = |process: &str, below: &str| Some((process.into(), below.into()));
        assert_eq!(through("/proc/17/root/home/a"), apart("/proc/17", "/home/a"));
        assert_eq!(through("/proc/17/root"), apart("/proc/17", "/"));
        for other in [
            "/proc/17/cwd/a",
            "/proc/self/root/a",
            "/proc/17",
            "/home/17/root",
            "/",
        ] {
            assert_eq!(through(other), None, "{other}");
        }
        let put = |root: &str, path: &str| seen_through(Path::new(root), Path::new(path));
        assert_eq!(put("/proc/17/root", "/home/a"), Path::new("/proc/17/root/home/a"));
        assert_eq!(put("/proc/17/root", "/").as_os_str(), "/proc/17/root");
        assert_eq!(put("", "/home/a"), Path::new("/home/a"));
    }

    #[test]
    fn what_looks_like_an_escape_and_is_none_stays() {
        assert_eq!(unescape(b"a\\777b\\04\\x"), b"a\\777b\\04\\x");
    }

    proptest! {
        #[test]
        fn any_mountinfo_is_read(content in proptest::collection::vec(any::<u8>(), 0..500)) {
            let _ = Mounts::parse(&content);
            let _ = Mounted::parse(&content);
        }
    }
}
