//! The detector's own memory, which holds its keys, is in no core.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Has the kernel write no core of this process, whoever raises its limit later, and let only those look into its memory that may look into
/// anybody's. The limit is what can be seen from outside.
pub(super) fn prevent() {
    let no_cores = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let limited = setrlimit(Resource::Core, no_cores);
    let done = set_dumpable_behavior(DumpableBehavior::NotDumpable).and(limited);
    if let Err(error) = done {
        anstream::eprintln!("warning: a crash of this program may leave its memory in a core: {error}");
    }
}
