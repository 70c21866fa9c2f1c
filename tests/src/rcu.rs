//! The kernel's waits for all processors, made short.

use std::fs::{self, File};

const SETTING: &str = "/sys/kernel/rcu_expedited";

/// While it is held, the kernel does not spare the processors (`rcu_expedited`). A sensor that ends lets go of some sixty tracepoints one after the other, with such a
/// wait at each: a second of every test. Where the setting cannot be written, nothing changes. One test at a time holds it, for the last one to let go of it would
/// otherwise put back what another had set.
#[derive(Debug)]
pub(crate) struct Expedited {
    before: Option<String>,
    _locked: Option<File>,
}

impl Expedited {
    pub(crate) fn hold() -> Self {
        let locked = File::open(SETTING).and_then(|setting| setting.lock().map(|()| setting));
        let before = fs::read_to_string(SETTING).ok();
        let is_set = before.is_some() && fs::write(SETTING, "1").is_ok();
        Self {
            before: before.filter(|_| is_set),
            _locked: locked.ok(),
        }
    }
}

impl Drop for Expedited {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // It is a matter of speed alone.
            let _not_written = fs::write(SETTING, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_before_behind_it() {
        let first = Expedited::hold();
        let before = first.before.clone();
        drop(first);
        assert_eq!(Expedited::hold().before, before);
    }
}
