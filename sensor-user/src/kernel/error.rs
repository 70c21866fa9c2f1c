//! Why the kernel cannot be watched.

use std::{io, path::PathBuf};

use super::LookError;

/// What went wrong between the agent and the kernel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// The process may not load programs.
    #[error(
        "not permitted to load eBPF programs; run as root, or with CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH and \
         CAP_SYS_ADMIN (to read tracefs)"
    )]
    NotPermitted,
    /// No BTF.
    #[error(
        "this kernel has no type information (BTF) at {path}; it needs CONFIG_DEBUG_INFO_BTF=y, as the kernels of Debian 11, \
         Ubuntu 20.10, RHEL 8.2 and later have"
    )]
    NoBtf {
        /// Where it would be.
        path: PathBuf,
    },
    /// BTF could not be read.
    #[error("reading the kernel's type information at {path}")]
    Btf {
        /// Where it is.
        path: PathBuf,
        /// What the reader said.
        #[source]
        source: btf_rs::Error,
    },
    /// A member that the programs read is not in this kernel.
    #[error("this kernel's {structure} has no member {member}; the probes that need it cannot be used")]
    NoMember {
        /// The structure.
        structure: String,
        /// The member.
        member: String,
    },
    /// Too old.
    #[error(
        "kernel {release} is too old: the sensor needs 5.8 or later (ring buffer), and is tested on 6.1, 6.12 and 6.18"
    )]
    TooOld {
        /// `uname -r`.
        release: String,
    },
    /// The object as a whole was refused.
    #[error("loading the kernel half")]
    Object(#[source] Box<aya::EbpfError>),
    /// A probe without which nothing can be watched works by none of its hooks.
    #[error("probe {probe} works by none of its hooks on this kernel: {}", tried.join("; "))]
    NoHook {
        /// The probe.
        probe: &'static str,
        /// Each hook with what happened.
        tried: Vec<String>,
    },
    /// A map of the object is not there or not of its type.
    #[error("map {name} of the kernel half")]
    Map {
        /// Its name.
        name: &'static str,
        /// What aya said.
        #[source]
        source: Box<aya::maps::MapError>,
    },
    /// The look through open descriptors worked and could not be kept.
    #[error("keeping the look through open descriptors")]
    Look(#[source] LookError),
    /// A step failed in the system.
    #[error("{step}")]
    Io {
        /// What was done.
        step: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl KernelError {
    pub(super) fn io(step: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let step = step.into();
        move |source| Self::Io { step, source }
    }
}
