//! What the calls that change files have in common: their numbers, how they ended, and what was kept of their beginnings.

use aya_ebpf::programs::TracePointContext;

use crate::{
    arguments::result,
    attempts::is_refusal,
    given::Given,
    names_asked::{NOT_KEPT, READ_AT_END, names_ended, read_rest},
};

/// Numbers of the calls, of x86-64.
pub mod call {
    pub const TRUNCATE: i64 = 76;
    pub const FTRUNCATE: i64 = 77;
    pub const RENAME: i64 = 82;
    pub const MKDIR: i64 = 83;
    pub const LINK: i64 = 86;
    pub const UNLINK: i64 = 87;
    pub const SYMLINK: i64 = 88;
    pub const CHMOD: i64 = 90;
    pub const FCHMOD: i64 = 91;
    pub const CHOWN: i64 = 92;
    pub const FCHOWN: i64 = 93;
    pub const LCHOWN: i64 = 94;
    pub const MOUNT: i64 = 165;
    pub const SETXATTR: i64 = 188;
    pub const LSETXATTR: i64 = 189;
    pub const FSETXATTR: i64 = 190;
    pub const REMOVEXATTR: i64 = 197;
    pub const LREMOVEXATTR: i64 = 198;
    pub const FREMOVEXATTR: i64 = 199;
    pub const MKDIRAT: i64 = 258;
    pub const FCHOWNAT: i64 = 260;
    pub const UNLINKAT: i64 = 263;
    pub const RENAMEAT: i64 = 264;
    pub const LINKAT: i64 = 265;
    pub const SYMLINKAT: i64 = 266;
    pub const FCHMODAT: i64 = 268;
    pub const RENAMEAT2: i64 = 316;
    pub const MOVE_MOUNT: i64 = 429;
    pub const FCHMODAT2: i64 = 452;
    pub const SETXATTRAT: i64 = 463;
    pub const REMOVEXATTRAT: i64 = 466;
}

/// The errno of a call that is to be told: 0 for success.
#[inline(always)]
pub fn end<const SUCCESSES: bool>(ctx: &TracePointContext) -> Option<u32> {
    let result = result(ctx);
    if result == 0 {
        SUCCESSES.then_some(0)
    } else {
        is_refusal(result).then_some(-result as u32)
    }
}

/// Two numbers as one argument.
#[inline(always)]
pub const fn both(low: i32, high: i32) -> u64 {
    low as u32 as u64 | (high as u32 as u64) << 32
}

/// Ends what was kept of the beginning of this call, and tells it; false where nothing was.
#[inline(always)]
pub fn kept_ended(end: Option<u32>, texts: impl FnOnce() -> Option<(Given, Given)>) -> bool {
    let (is_told, errno) = (u32::from(end.is_some()), end.unwrap_or_default());
    match names_ended(is_told, errno, 0) {
        READ_AT_END => {
            if let Some((from, to)) = texts() {
                read_rest(both(from.directory, to.directory), from.text, to.text);
                names_ended(is_told, errno, 1);
            }
            true
        }
        NOT_KEPT => false,
        _ => true,
    }
}
