//! How the sensor was starved, held still, or kept from seeing, in words.

use super::FilePath;

/// What keeps the sensor from its work without ending it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// This resource was limited.
    Limit(u32),
    /// It is scheduled otherwise, by this system call.
    Scheduling(u32),
    /// All of a process group are, by this system call.
    SchedulingOfGroup(u32),
    /// All of a user are, by this system call.
    SchedulingOfUser(u32),
    /// When memory runs out it ends the sooner, the higher this is.
    OomScore(i32),
    /// It was moved to this cgroup.
    Moved(FilePath),
    /// Its cgroup, this one, was frozen.
    Frozen(FilePath),
    /// This setting of the kernel was written, without which hooks do not run.
    Setting(FilePath),
}

impl Hold {
    /// What the contract calls it, and what was set, to what.
    #[must_use]
    pub fn told(&self) -> (&'static str, String) {
        match self {
            Self::Limit(resource) => ("limit", limit(*resource)),
            Self::Scheduling(call) => ("scheduling", scheduling(*call).to_owned()),
            Self::SchedulingOfGroup(call) => (
                "scheduling",
                format!("{} of its process group", scheduling(*call)),
            ),
            Self::SchedulingOfUser(call) => ("scheduling", format!("{} of its user", scheduling(*call))),
            Self::OomScore(score) => ("oom_score", score.to_string()),
            Self::Moved(path) => ("cgroup", path.display()),
            Self::Frozen(path) => ("freeze", path.display()),
            Self::Setting(name) => ("setting", name.display()),
        }
    }

    /// Whether repeats are counted.
    pub(super) fn repeats(&self) -> bool {
        !matches!(self, Self::Moved(_) | Self::Frozen(_) | Self::Setting(_))
    }
}

/// include/uapi/asm-generic/resource.h
fn limit(resource: u32) -> String {
    const NAMES: [&str; 16] = [
        "CPU",
        "FSIZE",
        "DATA",
        "STACK",
        "CORE",
        "RSS",
        "NPROC",
        "NOFILE",
        "MEMLOCK",
        "AS",
        "LOCKS",
        "SIGPENDING",
        "MSGQUEUE",
        "NICE",
        "RTPRIO",
        "RTTIME",
    ];
    let name = usize::try_from(resource).ok().and_then(|at| NAMES.get(at));
    name.map_or_else(|| format!("resource {resource}"), |name| format!("RLIMIT_{name}"))
}

/// By the number of the system call, of x86-64.
fn scheduling(call: u32) -> &'static str {
    match call {
        141 => "setpriority",
        142 => "sched_setparam",
        144 => "sched_setscheduler",
        203 => "sched_setaffinity",
        251 => "ioprio_set",
        314 => "sched_setattr",
        _ => "a system call",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_in_words() {
        assert_eq!(Hold::Limit(7).told(), ("limit", "RLIMIT_NOFILE".to_owned()));
        assert_eq!(Hold::Limit(99).told(), ("limit", "resource 99".to_owned()));
        assert_eq!(
            Hold::Scheduling(203).told(),
            ("scheduling", "sched_setaffinity".to_owned())
        );
        assert_eq!(
            Hold::SchedulingOfUser(251).told(),
            ("scheduling", "ioprio_set of its user".to_owned())
        );
        assert_eq!(Hold::OomScore(-17).told(), ("oom_score", "-17".to_owned()));
    }
}
