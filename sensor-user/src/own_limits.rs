//! Limits that somebody has set on the sensor, as root can on any process: they are lifted, so that what they cost is no evidence. That they were set is told by
//! itself (`sensor_tamper`).

use std::io;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lifts a limit as far as it may: past the hard limit only with `CAP_SYS_RESOURCE`.
pub(crate) fn lift(resource: Resource) -> Result<(), Errno> {
    let none = Rlimit {
        current: None,
        maximum: None,
    };
    let Rlimit { current, maximum } = getrlimit(resource);
    setrlimit(resource, none).or_else(|error| {
        let may_rise = current != maximum;
        let up_to_hard = Rlimit {
            current: maximum,
            maximum,
        };
        if may_rise {
            setrlimit(resource, up_to_hard)
        } else {
            Err(error)
        }
    })
}

/// Writes to a file, and, where that comes to a limit on the size of files, once more without one. `write` does the same each time.
pub(crate) fn unlimited(mut write: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    match write() {
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge && lift(Resource::Fsize).is_ok() => write(),
        written => written,
    }
}
