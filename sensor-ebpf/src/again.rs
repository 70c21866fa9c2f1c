//! A use that the program run has made before: counted, by what plain loads tell of the file.
//!
//! [`crate::file_use`] asks of every use what can be read by a helper alone, which costs several times as much. Most uses are repeats, which need none of it.

use claviger_sensor_common::LABEL_OF_SENSOR;

use crate::{
    file_use::{ACCESS_AT, access},
    labels,
    numbers::{numbers, object},
    offsets::offset,
    overlay,
    read::{Read, pointer},
    repeats,
};

/// Counts a use of a file whose number the prefilter has let through, where it is a repeat; false where that is not known. `how`: the probe and the operation, a byte each.
/// A file of an overlay is known by the file of its layer, which plain loads do not tell.
#[inline(always)]
pub fn is_counted<R: Read>(how: u32, file: *const u8, mode: u32) -> bool {
    if R::GOES_OVER_MEMBERS {
        return false;
    }
    let inode = pointer::<R>(file, offset!(file_inode));
    if overlay::is_of_overlay::<R>(inode) {
        return false;
    }
    let key = labels::key::<R>(inode);
    count(how | access(mode) << ACCESS_AT, key.inode, numbers(key)) != 0
}

/// Global, so that the verifier looks at it once for each program.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn count(how: u32, inode: u64, numbers: u64) -> u32 {
    let object = object(inode, numbers);
    let is_known = labels::of_object(&object).is_some_and(|label| label.flags & LABEL_OF_SENSOR == 0);
    if !is_known {
        return 0;
    }
    let key = repeats::key(how >> 8 & 0xff, object, how >> ACCESS_AT, 0);
    repeats::is_counted(how & 0xff, &key) as u32
}
