//! The sensor's own memory, which holds its keys and what it has just read, is in no core.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Whether what this process starts is to have the limit of cores that it was started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Children {
    /// They are the sensor's own.
    Own,
    /// They are the user's, whose limits are none of ours.
    Users,
}

/// Has the kernel write no core of this process, whoever raises its limit later, and let only those look into its memory that may look into
/// anybody's. A program that it starts begins anew. The limit is what can be seen from outside.
pub(super) fn prevent(children: Children) {
    let no_cores = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let limited = match children {
        Children::Own => setrlimit(Resource::Core, no_cores),
        Children::Users => Ok(()),
    };
    let done = set_dumpable_behavior(DumpableBehavior::NotDumpable).and(limited);
    if let Err(error) = done {
        anstream::eprintln!("warning: a crash of this program may leave its memory in a core: {error}");
    }
}
