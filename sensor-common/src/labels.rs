//! How objects are known: keys made of the kernel's own numbers, and the handshake by which the agent learns and sets them.
//!
//! User space cannot learn these numbers on every file system, so it does not try: the agent arms a [`LabelRequest`] and opens the
//! candidate, and the hook that sees this very thread open a file writes the numbers.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A file system object by the kernel's numbers.
#[repr(C)]
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
pub struct ObjectKey {
    /// Inode number.
    pub inode: u64,
    /// Device of the superblock in the kernel's own encoding (20 bits of minor).
    pub device: u32,
    /// Generation of the inode; 0 on file systems without.
    pub generation: u32,
}

/// A name in a labelled directory.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct NameKey {
    /// The directory.
    pub directory: ObjectKey,
    /// [`crate::name_hash`] of the name.
    pub name_hash: u64,
}

/// What is known of an object, a directory or a name.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Label {
    /// Index in the agent's own table.
    pub id: u32,
    /// The bits below, in the lowest four. For an object also the number of the last look through all open descriptors that had begun when it was
    /// labelled, which the kernel half puts behind them ([`Label::at_look`]).
    pub flags: u32,
}

/// Where the number of a look stands in the flags of a label, and how much of it: the three highest bits are the kernel half's own.
const LOOK_AT: u32 = 4;
const LOOKS: u32 = (1 << 25) - 1;

impl Label {
    /// The label of an object that was labelled after a look had begun.
    #[inline(always)]
    #[must_use]
    pub const fn at_look(self, number: u32) -> Self {
        Self {
            id: self.id,
            flags: self.flags & ((1 << LOOK_AT) - 1) | (number & LOOKS) << LOOK_AT,
        }
    }

    /// How many looks have begun since an object was labelled, at the look of this number.
    #[inline(always)]
    #[must_use]
    pub const fn looks_since(self, number: u32) -> u32 {
        number.wrapping_sub(self.flags >> LOOK_AT) & LOOKS
    }
}

/// Names are not all known beforehand: every regular file opened in this directory is reported and the agent looks at its name.
pub const DIRECTORY_HAS_PATTERNS: u32 = 1;
/// It is there for credentials, so whoever lists it looks for some. A directory in which others lie too, as `/etc` or a home, is not.
pub const DIRECTORY_OF_CREDENTIALS: u32 = 4;
/// A file of the sensor itself, or a directory of such: that it is read is not reported.
pub const LABEL_OF_SENSOR: u32 = 8;

/// Directories that appear in this one matter too: a regular file that is opened in one that is not labelled yet is reported and the agent looks
/// at its path.
pub const DIRECTORY_LEADS_ON: u32 = 2;

/// The handshake: the agent arms it and opens a file; the hook fills in the numbers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct LabelRequest {
    /// One of the `REQUEST_` states.
    pub state: u32,
    /// The thread that will open, in the initial pid namespace.
    pub tid: u32,
    /// What to set.
    pub label: Label,
    /// Answer: the object.
    pub object: ObjectKey,
}

/// Nothing is asked.
pub const REQUEST_IDLE: u32 = 0;
/// Asked, not yet answered: any `REQUEST_*` purpose below added to it.
pub const REQUEST_ARMED: u32 = 0x100;
/// Answered.
pub const REQUEST_DONE: u32 = 0x200;
/// The bits of the purpose.
pub const REQUEST_PURPOSE: u32 = 0xff;
/// Purpose: only tell the numbers.
pub const REQUEST_IDENTIFY: u32 = 0x1;
/// Purpose: label the object.
pub const REQUEST_OBJECT: u32 = 0x2;
/// Purpose: label the object as a directory.
pub const REQUEST_DIRECTORY: u32 = 0x3;
/// Purpose: tell that a refused open of this thread was seen; there is no object.
pub const REQUEST_DENIED: u32 = 0x4;
/// Purpose: tell that this thread's receiving of a descriptor was seen.
pub const REQUEST_RECEIVED: u32 = 0x5;
/// Purpose: tell that this thread's mapping of a file was seen.
pub const REQUEST_MAPPED: u32 = 0x6;
/// Purpose: tell that this thread's reach for another process was seen.
pub const REQUEST_REACHED: u32 = 0x7;
/// Purpose: remember the operations of `/proc/self/environ`, by which that file of any process is known.
pub const REQUEST_ENVIRON: u32 = 0x8;
/// Purpose: as [`REQUEST_ENVIRON`], of `/proc/self/mem`.
pub const REQUEST_MEM: u32 = 0x9;
/// Purpose: as [`REQUEST_ENVIRON`], of `/proc/self/maps`.
pub const REQUEST_MAPS: u32 = 0xa;
/// Purpose: to remember what is opened as a place of the sensor's own, or above one; the label's id has the `COVERS_` bits.
pub const REQUEST_PLACE: u32 = 0x1a;
/// Purpose: as [`REQUEST_ENVIRON`], of `/proc/self/smaps`.
pub const REQUEST_SMAPS: u32 = 0x19;
/// Purpose: as [`REQUEST_ENVIRON`], of `/proc/kcore`.
pub const REQUEST_KCORE: u32 = 0xb;
/// Purpose: tell that this thread's signal to its own process was seen.
pub const REQUEST_SIGNAL: u32 = 0x10;
/// Purpose: tell that this thread's call of `keyctl` was seen.
pub const REQUEST_KEY: u32 = 0x11;
/// Purpose: tell that this thread's listing of a directory was seen.
pub const REQUEST_LISTED: u32 = 0x18;
/// Purpose: tell that the look through all open descriptors met this process's.
pub const REQUEST_HELD: u32 = 0x15;
/// Purpose: tell that this thread's change of a file was seen.
pub const REQUEST_CHANGED: u32 = 0xc;
/// Purpose: take the directory for one whose names matter: new directories in it lead on, or a credential lies in it.
pub const REQUEST_WAY: u32 = 0xd;
/// Purpose: the agent has called `io_uring_enter`, in vain.
pub const REQUEST_RING_ENTERED: u32 = 0x20;
/// Purpose: the agent has read a setting of the kernel.
pub const REQUEST_SETTING: u32 = 0x21;
/// Purpose: a connection of the agent's to a socket of its own is seen.
pub const REQUEST_SOCKET: u32 = 0x22;
/// Purpose: a connection of the agent's to an address is seen.
pub const REQUEST_CONNECT: u32 = 0x23;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_labels_have_bits_of_their_own() {
        let flags = [
            DIRECTORY_HAS_PATTERNS,
            DIRECTORY_LEADS_ON,
            DIRECTORY_OF_CREDENTIALS,
            LABEL_OF_SENSOR,
        ];
        assert_eq!(flags.map(u32::count_ones), [1; 4]);
        assert_eq!(flags.iter().fold(0, |all, flag| all | flag).count_ones(), 4);
    }

    #[test]
    fn the_number_of_a_look_is_no_flag() {
        let label = Label {
            id: 7,
            flags: LABEL_OF_SENSOR,
        };
        for number in [0, 1, 8, 13, 4_095, LOOKS, LOOKS + 5] {
            let labelled = label.at_look(number);
            assert_eq!((labelled.id, labelled.flags & 0b1111), (7, LABEL_OF_SENSOR));
            assert!(labelled.flags < 1 << 29, "the rest is the kernel half's");
            assert_eq!(labelled.looks_since(number), 0);
            assert_eq!(labelled.looks_since(number + 3), 3);
        }
    }
}
