//! Changes of a credential file.

use super::row;
use crate::ways::Place::{NoKey, Written};
use crate::ways::Sees::{Access, Change};
use crate::ways::State::{Built, NotYet};
use crate::ways::Way;

pub(super) fn ways() -> Vec<Way> {
    [contents(), names(), attributes()].concat()
}

fn contents() -> Vec<Way> {
    let write = Access("write");
    let truncated = Change("truncated");
    row(
        "open for writing, truncate",
        [
            Way::new("open_write", write, [Built, Built, Built]).to(Written),
            Way::new("open_append", write, [Built, Built, Built]).to(Written),
            Way::new("open_read_write", Access("read_write"), [Built, Built, Built]),
            Way::new("open_truncate", write, [Built, Built, Built]).to(Written),
            Way::new("denied_write", write, [Built, Built, Built]).to(Written),
            Way::new("create", Change("created"), [NotYet, NotYet, Built]).to(NoKey),
            Way::new("truncate", truncated, [NotYet, NotYet, Built]),
            Way::new("ftruncate", truncated, [NotYet, NotYet, Built]),
        ],
    )
}

fn names() -> Vec<Way> {
    let (renamed, replaced) = (Change("renamed"), Change("replaced"));
    let (linked, removed) = (Change("linked"), Change("removed"));
    let rename = row(
        "`rename` to, from and over",
        [
            Way::new("rename_from", renamed, [NotYet, NotYet, Built]),
            Way::new("renameat_from", renamed, [NotYet, NotYet, Built]),
            Way::new("renameat2_from", renamed, [NotYet, NotYet, Built]),
            Way::new("rename_to", Change("created"), [NotYet, NotYet, Built]).to(NoKey),
            Way::new("rename_over", replaced, [NotYet, NotYet, Built]),
            Way::new("rename_exchange", replaced, [NotYet, NotYet, Built]),
            Way::new("uring_renameat", renamed, [NotYet, NotYet, Built]),
            Way::new("denied_rename", renamed, [NotYet, NotYet, Built]),
        ],
    );
    let link = row(
        "`link`, `symlink` to it",
        [
            Way::new("link", linked, [NotYet, NotYet, Built]),
            Way::new("linkat", linked, [NotYet, NotYet, Built]),
            Way::new("uring_linkat", linked, [NotYet, NotYet, Built]),
            Way::new("uring_symlinkat", linked, [NotYet, NotYet, Built]),
            Way::new("symlink_to", linked, [NotYet, NotYet, Built]),
            Way::new("symlinkat_to", linked, [NotYet, NotYet, Built]),
        ],
    );
    let unlink = row(
        "`unlink`",
        [
            Way::new("unlink", removed, [NotYet, NotYet, Built]),
            Way::new("unlinkat", removed, [NotYet, NotYet, Built]),
            Way::new("uring_unlinkat", removed, [NotYet, NotYet, Built]),
            Way::new("denied_unlink", removed, [NotYet, NotYet, Built]),
        ],
    );
    [rename, link, unlink].concat()
}

fn attributes() -> Vec<Way> {
    let (mode, owner) = (Change("mode"), Change("owner"));
    let attributes = Change("attributes");
    row(
        "`chmod`, `chown`, `setxattr`",
        [
            Way::new("chmod", mode, [NotYet, NotYet, Built]),
            Way::new("fchmod", mode, [NotYet, NotYet, Built]),
            Way::new("fchmodat", mode, [NotYet, NotYet, Built]),
            Way::new("denied_chmod", mode, [NotYet, NotYet, Built]),
            Way::new("chown", owner, [NotYet, NotYet, Built]),
            Way::new("lchown", owner, [NotYet, NotYet, Built]),
            Way::new("fchown", owner, [NotYet, NotYet, Built]),
            Way::new("fchownat", owner, [NotYet, NotYet, Built]),
            Way::new("fchownat_of_descriptor", owner, [NotYet, NotYet, Built]),
            Way::new("setxattr", attributes, [NotYet, NotYet, Built]),
            Way::new("lsetxattr", attributes, [NotYet, NotYet, Built]),
            Way::new("fsetxattr", attributes, [NotYet, NotYet, Built]),
            Way::new("removexattr", attributes, [NotYet, NotYet, Built]),
        ],
    )
}
