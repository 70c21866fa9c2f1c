//! A hook as it is written down: its programs, what each is attached to, and what none of them sees.

use claviger_sensor_common::Calls;

/// What a program is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    /// `lsm/NAME`
    Lsm(&'static str),
    /// `lsm/NAME`, with a program at the exit of a function that knows what came of it: both or none
    LsmWithResult(&'static str, &'static Program),
    /// `fentry/NAME`
    Fentry(&'static str),
    /// `fexit/NAME`
    Fexit(&'static str),
    /// `tp_btf/NAME`
    BtfTracepoint(&'static str),
    /// `tracepoint/syscalls/sys_exit_NAME` for each name: one program for all
    Exits(&'static [&'static str]),
    /// `cgroup/sysctl` on the topmost cgroup of v2
    Settings,
    /// `cgroup/connect4` and its like there
    Addresses,
    /// `cgroup_skb/egress` there
    Egress,
    /// `cgroup_skb/ingress` there
    Ingress,
    /// `tracepoint/syscalls/sys_enter_NAME` for each name
    Enters(&'static [&'static str]),
    /// As [`Point::Exits`], with calls that only newer kernels have
    ExitsAndNewer(&'static [&'static str], &'static [&'static str]),
    /// As [`Point::Enters`], with calls that only newer kernels have
    EntersAndNewer(&'static [&'static str], &'static [&'static str]),
}

/// A program of the object and what it is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) point: Point,
}

/// Programs of which one is enough, for kernels differ. The one for older kernels stands first where both are long: before 6.8 all that a program calls is
/// verified before it is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Either {
    pub(super) programs: &'static [Program],
    /// What is not seen where none of them works.
    pub(super) otherwise: &'static str,
}

/// One way to observe what a probe observes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hook {
    /// As events and `check` show it.
    pub(super) name: &'static str,
    /// One of these is needed, the first that loads; where there is none, another hook's programs do it.
    pub(super) programs: &'static [Program],
    /// These see more.
    pub(super) beside: &'static [Either],
    pub(super) cannot_see: &'static [&'static str],
}

/// What is not seen where a program at the beginning of calls does not work whose end is seen.
pub(super) const ANSWERED: &str =
    "whether the kernel did what was asked, or seccomp or a tracer answered for it";

pub(super) const fn program(name: &'static str, point: Point) -> Program {
    Program { name, point }
}

/// A program at a hook of the LSMs.
pub(super) const fn lsm(name: &'static str, hook: &'static str) -> Program {
    program(name, Point::Lsm(hook))
}

/// The calls whose beginnings a program sees, where it is one that does.
pub(super) fn beginnings_of(program: &str) -> Option<Calls> {
    Some(match program {
        "sys_enter_names" => Calls::Names,
        "sys_enter_by_path" => Calls::Paths,
        "sys_enter_by_descriptor" => Calls::Descriptors,
        "sys_enter_reaches" => Calls::Requests,
        "sys_enter_by_process" => Calls::RequestsByDescriptor,
        "sys_enter_ioctl" => Calls::Ioctls,
        "sys_enter_keyctl" => Calls::Keys,
        "sys_enter_mounts" => Calls::Mounts,
        "sys_enter_holds" => Calls::Holds,
        "fentry_security_bpf" | "sys_enter_bpf" => Calls::Bpf,
        _ => return None,
    })
}
