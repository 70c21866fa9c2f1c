//! Files of a file system reached by a request of its own (ioctl(2)), past the calls that open them: `syscalls:sys_exit_ioctl`. Root's alone.
//!
//! - XFS opens by handle by one, as `open_by_handle_at` does. LSM and fentry see that by themselves.
//! - btrfs writes a whole subvolume into a descriptor (`btrfs send`), or hands out its tree, where what small files hold stands among the rest. No hook of files
//!   sees that.

use aya_ebpf::{helpers::bpf_probe_read_user, macros::tracepoint, programs::TracePointContext};
use claviger_sensor_common::{Ancestor, Calls, Counter, PART_SUBVOLUME, Probe};

use crate::{
    arguments::{Arguments, result},
    begun, descriptors,
    file_open::returned,
    offsets::{agent_pid, offset},
    process_secrets::report,
    read::{Probed, Read, pointer},
    report::lose,
    task,
};

/// fs/xfs/libxfs/xfs_fs.h: `XFS_IOC_OPEN_BY_HANDLE`.
const XFS_OPEN_BY_HANDLE: u32 = 0xc038_586b;
/// include/uapi/linux/btrfs.h: `BTRFS_IOC_SEND`.
const BTRFS_SEND: u32 = 0x4048_9426;
/// `BTRFS_IOC_SEND_32`, as 32-bit programs lay its argument out; others may ask so too.
const BTRFS_SEND_32: u32 = 0x4044_9426;
/// `BTRFS_IOC_TREE_SEARCH`, and with a buffer of any size.
const BTRFS_TREE_SEARCH: u32 = 0xd000_9411;
const BTRFS_TREE_SEARCH_V2: u32 = 0xc070_9411;

/// include/uapi/linux/magic.h
const XFS_SUPER_MAGIC: u64 = 0x5846_5342;
const BTRFS_SUPER_MAGIC: u64 = 0x9123_683e;

/// include/uapi/linux/btrfs_tree.h: the kind of what a file holds.
const EXTENT_DATA: u8 = 108;
/// The first tree that is a subvolume, but for the topmost, and that which the caller is in.
const FIRST_SUBVOLUME: u64 = 256;
const TOPMOST_SUBVOLUME: u64 = 5;
const OWN_SUBVOLUME: u64 = 0;

/// `struct btrfs_ioctl_search_key`, as far as it is looked at.
#[repr(C)]
#[derive(Clone, Copy)]
struct Search {
    tree: u64,
    number_min: u64,
    number_max: u64,
    ranges: [u64; 4],
    /// Of which the kernel takes the lowest byte.
    kind_min: u32,
    kind_max: u32,
}

/// One that is told from its end is asked for.
#[tracepoint]
pub fn sys_enter_ioctl(_ctx: TracePointContext) -> u32 {
    if is_told(Arguments::current().second() as u32) {
        begun::begins(Calls::Ioctls);
    }
    0
}

#[inline(always)]
const fn is_told(command: u32) -> bool {
    matches!(
        command,
        BTRFS_SEND | BTRFS_SEND_32 | BTRFS_TREE_SEARCH | BTRFS_TREE_SEARCH_V2
    )
}

/// Where opens are seen by tracepoints.
#[tracepoint]
pub fn sys_exit_ioctl_opens(ctx: TracePointContext) -> u32 {
    let result = result(&ctx);
    if result < 0 || Arguments::current().second() as u32 != XFS_OPEN_BY_HANDLE {
        return 0;
    }
    let file = descriptors::checked_file(result as u32);
    if superblock(file).1 == XFS_SUPER_MAGIC {
        returned::<Probed>(file);
    } else {
        // Another thread can have closed it since, or have put another file in its place.
        lose(Probe::FileOpen, Counter::LostDescriptorGone);
    }
    0
}

/// At every level.
#[tracepoint]
pub fn sys_exit_ioctl_reaches(ctx: TracePointContext) -> u32 {
    let arguments = Arguments::current();
    let command = arguments.second() as u32;
    if !is_told(command) || !begun::began(Calls::Ioctls) {
        return 0;
    }
    let is_search = matches!(command, BTRFS_TREE_SEARCH | BTRFS_TREE_SEARCH_V2);
    if (is_search && !searches_files(arguments.third()))
        || result(&ctx) < 0
        || task::current_pid() == agent_pid()
    {
        return 0;
    }
    let (device, magic) = superblock(descriptors::checked_file(arguments.first() as u32));
    if magic == BTRFS_SUPER_MAGIC {
        const NOBODY: Ancestor = Ancestor {
            pid: 0,
            exec_id: 0,
            start_boottime_ns: 0,
        };
        report(Probe::ProcessSecret, PART_SUBVOLUME, NOBODY, 0, 0, 0, device);
    } else {
        // As above: to send a subvolume takes long.
        lose(Probe::ProcessSecret, Counter::LostDescriptorGone);
    }
    0
}

/// Whether what files of a subvolume hold is searched for. Who lists subvolumes searches another tree.
#[inline(always)]
fn searches_files(given: u64) -> bool {
    // SAFETY: the helper copies from any address and reports a fault instead of taking it.
    let search = unsafe { bpf_probe_read_user(given as *const Search) };
    search.is_ok_and(|search| {
        (search.tree >= FIRST_SUBVOLUME || search.tree == TOPMOST_SUBVOLUME || search.tree == OWN_SUBVOLUME)
            && search.comes_by_extents()
    })
}

impl Search {
    /// Keys are ordered by number, then by kind: the bounds of the kind are those of the first and the last number alone.
    #[inline(always)]
    fn comes_by_extents(&self) -> bool {
        let of_first = self.kind_min as u8 <= EXTENT_DATA;
        let of_last = self.kind_max as u8 >= EXTENT_DATA;
        match self.number_max.wrapping_sub(self.number_min) {
            _ if self.number_max < self.number_min => false,
            0 => of_first && of_last,
            1 => of_first || of_last,
            _ => true,
        }
    }
}

/// Device and magic number of the file system of a file; zeros for no file.
#[inline(always)]
fn superblock(file: *const u8) -> (u32, u64) {
    let inode = pointer::<Probed>(file, offset!(file_inode));
    let superblock = pointer::<Probed>(inode, offset!(inode_sb));
    (
        Probed::read(superblock, offset!(sb_dev)),
        Probed::read(superblock, offset!(sb_magic)),
    )
}
