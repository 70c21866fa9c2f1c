//! Changes of a credential file.

use super::row;
use crate::ways::Place::{NoKey, NoSession, Session, Written};
use crate::ways::Sees::{Access, Change, ChangeBeside};
use crate::ways::State::Built;
use crate::ways::Way;

pub(super) fn ways() -> Vec<Way> {
    [contents(), names(), attributes()].concat()
}

fn contents() -> Vec<Way> {
    let write = Access("write");
    let truncated = Change("truncated");
    let by_kernel = row(
        "`acct`",
        [Way::new("acct_file", write, [Built, Built, Built]).to(Written)],
    );
    let by_process = row(
        "open for writing, truncate",
        [
            Way::new("open_write", write, [Built, Built, Built]).to(Written),
            Way::new("open_append", write, [Built, Built, Built]).to(Written),
            Way::new("open_read_write", Access("read_write"), [Built, Built, Built]),
            Way::new("open_truncate", write, [Built, Built, Built]).to(Written),
            Way::new("denied_write", write, [Built, Built, Built]).to(Written),
            Way::new("create", Change("created"), [Built, Built, Built]).to(NoKey),
            Way::new("truncate", truncated, [Built, Built, Built]),
            Way::new("ftruncate", truncated, [Built, Built, Built]),
            Way::new("uring_ftruncate", truncated, [Built, Built, Built]),
        ],
    );
    [by_process, by_kernel].concat()
}

fn names() -> Vec<Way> {
    let (renamed, replaced) = (Change("renamed"), Change("replaced"));
    let (linked, removed) = (Change("linked"), Change("removed"));
    let rename = row(
        "`rename` to, from and over",
        [
            Way::new("rename_from", renamed, [Built, Built, Built]),
            Way::new("renameat_from", renamed, [Built, Built, Built]),
            Way::new("renameat2_from", renamed, [Built, Built, Built]),
            Way::new("chroot_rename", renamed, [Built, Built, Built]),
            Way::new("chroot_unshared_rename", renamed, [Built, Built, Built]),
            Way::new("chroot_rename_to", Change("created"), [Built, Built, Built]).to(NoKey),
            Way::new("rename_to", Change("created"), [Built, Built, Built]).to(NoKey),
            Way::new("rename_over", replaced, [Built, Built, Built]),
            Way::new("raced_rename", replaced, [Built, Built, Built]),
            Way::new("untouched_rename", renamed, [Built, Built, Built]),
            Way::new("rename_exchange", replaced, [Built, Built, Built]),
            Way::new("uring_chroot_renameat", renamed, [Built, Built, Built]),
            Way::new("uring_renameat", renamed, [Built, Built, Built]),
            Way::new("denied_uring_renameat", renamed, [Built, Built, Built]),
            Way::new("uring_ended_renameat", renamed, [Built, Built, Built]),
            Way::new("uring_ended_relative", renamed, [Built, Built, Built]),
            Way::new("uring_overflow_renameat", renamed, [Built, Built, Built]),
            Way::new("uring_moved_renameat", renamed, [Built, Built, Built]),
            Way::new("uring_closed_renameat", renamed, [Built, Built, Built]),
            Way::new("denied_rename", renamed, [Built, Built, Built]),
        ],
    );
    let directory = row(
        "`rename` of a directory",
        [
            Way::new("rename_directory", renamed, [Built, Built, Built]).to(Session),
            Way::new("rename_directory_exchange", renamed, [Built, Built, Built]).to(Session),
            Way::new("rename_directory_to", Change("created"), [Built, Built, Built]).to(NoSession),
            Way::new("uring_rename_directory", renamed, [Built, Built, Built]).to(Session),
            Way::new("denied_rename_directory", renamed, [Built, Built, Built]).to(Session),
        ],
    );
    let link = row(
        "`link`, `symlink` to it",
        [
            Way::new("link", linked, [Built, Built, Built]),
            Way::new("linkat", linked, [Built, Built, Built]),
            Way::new("uring_linkat", linked, [Built, Built, Built]),
            Way::new("uring_symlinkat", linked, [Built, Built, Built]),
            Way::new("denied_uring_linkat", linked, [Built, Built, Built]),
            Way::new("denied_uring_symlinkat", Change("created"), [Built, Built, Built]).to(NoKey),
            Way::new("symlink_to", linked, [Built, Built, Built]),
            Way::new("chroot_symlink", linked, [Built, Built, Built]),
            Way::new("symlinkat_to", linked, [Built, Built, Built]),
        ],
    );
    let unlink = row(
        "`unlink`",
        [
            Way::new("unlink", removed, [Built, Built, Built]),
            Way::new("chroot_unlink", removed, [Built, Built, Built]),
            Way::new("unlinkat", removed, [Built, Built, Built]),
            Way::new("raced_unlink", removed, [Built, Built, Built]),
            Way::new("untouched_unlink", removed, [Built, Built, Built]),
            Way::new("uring_unlinkat", removed, [Built, Built, Built]),
            Way::new("denied_uring_unlinkat", removed, [Built, Built, Built]),
            Way::new("denied_unlink", removed, [Built, Built, Built]),
        ],
    );
    [rename, directory, link, unlink].concat()
}

fn attributes() -> Vec<Way> {
    let (mode, owner) = (Change("mode"), Change("owner"));
    let attributes = Change("attributes");
    let by_call = row(
        "`chmod`, `chown`, `setxattr`",
        [
            Way::new("chroot_chmod", mode, [Built, Built, Built]),
            Way::new("chroot_fchmodat", mode, [Built, Built, Built]),
            Way::new("chroot_over", mode, [Built, Built, Built]),
            Way::new("chmod", mode, [Built, Built, Built]),
            Way::new("fchmod", mode, [Built, Built, Built]),
            Way::new("fchmodat", mode, [Built, Built, Built]),
            Way::new("denied_chmod", mode, [Built, Built, Built]),
            Way::new("chown", owner, [Built, Built, Built]),
            Way::new("lchown", owner, [Built, Built, Built]),
            Way::new("fchown", owner, [Built, Built, Built]),
            Way::new("fchownat", owner, [Built, Built, Built]),
            Way::new("fchownat_of_descriptor", owner, [Built, Built, Built]),
            Way::new("setxattr", attributes, [Built, Built, Built]),
            Way::new("lsetxattr", attributes, [Built, Built, Built]),
            Way::new("fsetxattr", attributes, [Built, Built, Built]),
            Way::new("uring_setxattr", attributes, [Built, Built, Built]),
            Way::new("uring_fsetxattr", attributes, [Built, Built, Built]),
            Way::new("denied_uring_setxattr", attributes, [Built, Built, Built]),
            Way::new("denied_uring_fsetxattr", attributes, [Built, Built, Built]),
            Way::new("removexattr", attributes, [Built, Built, Built]),
        ],
    );
    let silent = row(
        "the same by io_uring of what it opens",
        [Way::new(
            "uring_suppressed_fsetxattr",
            ChangeBeside("attributes"),
            [Built, Built, Built],
        )],
    );
    [by_call, silent].concat()
}
