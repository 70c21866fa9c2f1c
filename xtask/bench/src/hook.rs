//! The hooks by which files opened are seen.

use std::fmt;

/// One way into the kernel; the sensor's configuration and the empty programs name them alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Hook {
    Lsm,
    Fentry,
    Tracepoint,
}

impl Hook {
    pub(crate) const ALL: [Self; 3] = [Self::Lsm, Self::Fentry, Self::Tracepoint];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lsm => "lsm",
            Self::Fentry => "fentry",
            Self::Tracepoint => "tracepoint",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
