//! What functions of their own are given, which take numbers only, and pointers to records of a fixed size: pointers, objects and labels as numbers.

use claviger_sensor_common::{Label, ObjectKey};

use crate::read::{Probed, Read as _};

/// A pointer as a mere number: a function of its own may be given numbers, and pointers to records of a fixed size, only.
#[inline(always)]
pub fn untyped(pointer: *const u8) -> u64 {
    let place = &raw const pointer;
    Probed::read::<u64>(place.cast(), 0)
}

/// Device and generation of an object, for a function that may be given numbers only.
#[inline(always)]
pub fn numbers(object: ObjectKey) -> u64 {
    u64::from(object.device) | u64::from(object.generation) << 32
}

/// The object of this inode number, device and generation.
#[inline(always)]
pub fn object(inode: u64, numbers: u64) -> ObjectKey {
    ObjectKey {
        inode,
        device: numbers as u32,
        generation: (numbers >> 32) as u32,
    }
}

/// A label as a number.
#[inline(always)]
pub fn bits(label: Label) -> u64 {
    u64::from(label.id) | u64::from(label.flags) << 32
}

/// The label of this number.
#[inline(always)]
pub fn label(bits: u64) -> Label {
    Label {
        id: bits as u32,
        flags: (bits >> 32) as u32,
    }
}

/// Where in the flags of a label, of which no more are in use, it stands how it matched: one of the `MATCHED_` values.
const MATCHED_AT: u32 = 29;

/// A label, and how it matched, as a number that is never 0.
#[inline(always)]
pub fn matched_bits(label: Label, matched: u32) -> u64 {
    bits(Label {
        flags: label.flags & ((1 << MATCHED_AT) - 1) | matched << MATCHED_AT,
        ..label
    })
}

/// The label of this number, and how it matched.
#[inline(always)]
pub fn matched_label(bits: u64) -> (Label, u32) {
    let Label { id, flags } = label(bits);
    let flags_alone = flags & ((1 << MATCHED_AT) - 1);
    (
        Label {
            id,
            flags: flags_alone,
        },
        flags >> MATCHED_AT,
    )
}
