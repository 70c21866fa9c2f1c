//! What a program start runs more than its executable, as its own record has it: of what sort that is, and why it is not told.

use claviger_sensor_common::{
    NOT_TOLD_NO_ARGUMENT, NOT_TOLD_UNREADABLE, RUNS_APPLET, RUNS_INTERPRETER, RUNS_LOADER, RUNS_SCRIPT,
    RUNS_TOLD,
};

use super::DecodeError;

/// What a program start runs more than its executable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    bits: u32,
    /// Why it is not told what an interpreter runs.
    pub not_told: Option<NotTold>,
}

impl Runs {
    /// A script: the kernel was given it, or the executable is an interpreter by its name.
    #[must_use]
    pub const fn script(self) -> bool {
        self.bits & (RUNS_SCRIPT | RUNS_INTERPRETER) != 0
    }

    /// What the dynamic loader loads.
    #[must_use]
    pub const fn loader(self) -> bool {
        self.bits & RUNS_LOADER != 0
    }

    /// One of the programs in it.
    #[must_use]
    pub const fn applet(self) -> bool {
        self.bits & RUNS_APPLET != 0
    }

    /// Whether a [`Record::Program`] has told what.
    #[must_use]
    pub const fn told(self) -> bool {
        self.bits & RUNS_TOLD != 0
    }

    pub(super) fn decode(bits: u32, not_told: u32) -> Result<Self, DecodeError> {
        let not_told = match not_told {
            0 => None,
            NOT_TOLD_NO_ARGUMENT => Some(NotTold::NoArgument),
            NOT_TOLD_UNREADABLE => Some(NotTold::Unreadable),
            value => {
                return Err(DecodeError::OutOfRange {
                    field: "not_told",
                    value,
                });
            }
        };
        Ok(Self { bits, not_told })
    }
}

/// Why it is not told what an interpreter runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTold {
    /// An option may say it.
    ByOption,
    /// No argument says it.
    NoArgument,
    /// It is code on the command line, and no file.
    Code,
    /// It is a module or a class that is named, and no file.
    Name,
    /// What says it lies behind what was read of the arguments.
    TooLong,
    /// The arguments could not be read.
    Unreadable,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_is_none_is_refused() {
        let runs = Runs::decode(RUNS_INTERPRETER, NOT_TOLD_NO_ARGUMENT).expect("decodes");
        assert!(runs.script() && !runs.loader() && !runs.applet() && !runs.told());
        assert_eq!(runs.not_told, Some(NotTold::NoArgument));
        assert!(Runs::decode(0, 1).is_err());
        assert!(Runs::decode(0, 4).is_err());
    }
}
