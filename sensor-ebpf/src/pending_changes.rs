//! Changes under way: what is known of them from their beginning, which their end destroys.

use aya_ebpf::{helpers::bpf_probe_read_kernel_buf, macros::map, maps::HashMap};
use claviger_sensor_common::{
    CHANGES_IN_FLIGHT_MAX, Counter, GivenPath, KnownFile, PATH_BYTES, PathBytes, Probe,
};

use crate::{
    changes::{Attributes, Facts, NOTHING_KNOWN, nothing_given, on_file_system, one, two},
    labels,
    path::{self, Place},
    read::Probed,
    report::count,
    task,
};

/// A change under way.
#[repr(C)]
#[derive(Clone, Copy)]
struct Pending {
    what: u32,
    overwrote: u32,
    before: Attributes,
    /// Who began it: what stands here longer than its change lasts is nobody's.
    tid: u32,
    file: KnownFile,
    place: KnownFile,
    path: PathBytes,
}

/// What a new entry begins with: it is too large to be put together anywhere else than in its place.
#[unsafe(no_mangle)]
static NOTHING_PENDING: Pending = Pending {
    what: 0,
    overwrote: 0,
    before: Attributes {
        mode: 0,
        uid: 0,
        gid: 0,
    },
    tid: 0,
    file: NOTHING_KNOWN,
    place: NOTHING_KNOWN,
    path: PathBytes {
        length: 0,
        truncated: 0,
        components: [0; PATH_BYTES],
    },
};

/// Changes under way, by the address of their dentry: the kernel holds a lock while it changes one.
#[map]
static PENDING: HashMap<u64, Pending> = HashMap::with_max_entries(CHANGES_IN_FLIGHT_MAX, 1);

/// Whether a change of this dentry is under way that was of interest when it began.
#[inline(always)]
pub fn is_pending(dentry: *const u8) -> bool {
    PENDING.get_ptr(dentry as u64).is_some()
}

/// Keeps what is known of a change until its end.
#[inline(always)]
pub fn begin(
    key: *const u8,
    what: u32,
    dentry: *const u8,
    inode: *const u8,
    file: &KnownFile,
    place: &KnownFile,
    overwrote: bool,
) {
    let key = key as u64;
    let nothing: &Pending = &NOTHING_PENDING;
    if PENDING.insert(key, nothing, 0).is_err() {
        count(Probe::CredentialChange, Counter::Seen);
        count(Probe::CredentialChange, Counter::LostInFlight);
        return;
    }
    let Some(pending) = PENDING.get_ptr_mut(key) else {
        return;
    };
    // SAFETY: a value of the map, which nothing else touches while its dentry is being changed.
    let pending = unsafe { &mut *pending };
    pending.what = what;
    pending.overwrote = u32::from(overwrote);
    pending.tid = task::current_tid();
    pending.before = Attributes::of(inode);
    pending.file = *file;
    pending.place = *place;
    if file.matched == 0 {
        pending.file.object = labels::key::<Probed>(inode);
    }
    path::walk(
        &Place {
            dentry,
            mount: core::ptr::null(),
        },
        &mut pending.path,
    );
}

#[inline(always)]
fn facts_of(pending: &Pending) -> Facts {
    Facts {
        overwrote: pending.overwrote != 0,
        before: pending.before,
        file: pending.file,
        place: pending.place,
        ..Facts::new(pending.what)
    }
}

/// A change has ended that has one path.
#[inline(always)]
pub fn ended(dentry: *const u8, succeeded: bool, add: impl FnOnce(&mut Facts)) {
    let Some(pending) = PENDING.get_ptr(dentry as u64) else {
        return;
    };
    // SAFETY: a value of the map that stays until it is removed below.
    let pending = unsafe { &*pending };
    if succeeded && pending.tid == task::current_tid() {
        let mut facts = facts_of(pending);
        add(&mut facts);
        one(&facts, |path| copy(&pending.path, path));
    }
    let _removed = PENDING.remove(dentry as u64);
}

/// A change has ended that has a second path, where `second` lies now.
#[inline(always)]
pub fn ended_with_second(dentry: *const u8, second: *const u8, succeeded: bool) {
    let Some(pending) = PENDING.get_ptr(dentry as u64) else {
        return;
    };
    // SAFETY: as above.
    let pending = unsafe { &*pending };
    if succeeded && pending.tid == task::current_tid() {
        two(&facts_of(pending), |path, out| {
            on_file_system(second, out);
            copy(&pending.path, path)
        });
    }
    let _removed = PENDING.remove(dentry as u64);
}

#[inline(always)]
fn copy(from: &PathBytes, path: &mut GivenPath) -> bool {
    nothing_given(path);
    path.base.length = from.length;
    path.base.truncated = from.truncated;
    // SAFETY: the helper copies from any address and reports a fault instead of taking it.
    unsafe { bpf_probe_read_kernel_buf(from.components.as_ptr(), &mut path.base.components) }.is_ok()
}
