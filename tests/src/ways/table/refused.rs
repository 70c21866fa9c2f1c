//! Attempts that the kernel refuses.

use super::row;
use crate::ways::Place::Written;
use crate::ways::Sees::Access;
use crate::ways::State::Built;
use crate::ways::Way;

pub(super) fn ways() -> Vec<Way> {
    let read = Access("read");
    let by_permissions = row(
        "refused with EACCES or EPERM",
        [
            Way::new("denied_open", read, [Built, Built, Built]),
            Way::new("denied_openat", read, [Built, Built, Built]),
            Way::new("denied_openat2", read, [Built, Built, Built]),
            Way::new("denied_openat2_in_root", read, [Built, Built, Built]),
            Way::new("denied_relative", read, [Built, Built, Built]),
            Way::new("denied_creat", Access("write"), [Built, Built, Built]).to(Written),
            Way::new("denied_open_by_handle_at", read, [Built, Built, Built]),
            Way::new("denied_int80_open", read, [Built, Built, Built]),
            Way::new("denied_uring_openat", read, [Built, Built, Built]),
            Way::new("denied_uring_worker", read, [Built, Built, Built]),
            Way::new("denied_uring_overflow", read, [Built, Built, Built]),
            Way::new("denied_uring_ended_openat", read, [Built, Built, Built]),
        ],
    );
    let by_another_name = row(
        "the same by another name",
        [
            Way::new("denied_through_symlink", read, [Built, Built, Built]),
            Way::new("denied_through_symlinked_directory", read, [Built, Built, Built]),
            Way::new("denied_through_hard_link", read, [Built, Built, Built]),
            Way::new("denied_through_proc_root", read, [Built, Built, Built]),
            Way::new("denied_through_bind_mount", read, [Built, Built, Built]),
            Way::new("denied_through_mount_of_thread", read, [Built, Built, Built]),
        ],
    );
    let by_lsm = row(
        "refused by an LSM behind the hook",
        [Way::new("refused_by_landlock", read, [Built, Built, Built])],
    );
    [by_permissions, by_another_name, by_lsm].concat()
}
