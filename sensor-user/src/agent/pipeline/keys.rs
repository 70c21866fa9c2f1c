//! Uses of keys of the kernel's keyrings.

use claviger_proto::v1::KernelKey as Part;

use super::*;
use crate::{
    agent::repeats::First,
    attribute::{KeyFacts, key_facts},
    decode::{KernelKey, KeyOperation},
};

impl<S: Sink> Agent<S> {
    pub(super) fn key_used(&mut self, key: KernelKey) {
        self.tell_key(&key, None);
        let process = key.task.process;
        self.repeats.keep(key.key, process, First::Key(Box::new(key)));
    }

    /// Tells the use of a key. With `repeats`, so many repeats of it, now.
    pub(super) fn tell_key(&mut self, key: &KernelKey, repeats: Option<u64>) {
        self.accounts.received += 1;
        let outcome = match key.errno {
            0 => (Outcome::Succeeded, 0),
            errno => (Outcome::Denied, errno),
        };
        let KeyFacts { kind, description } = match special(key.serial) {
            Some(name) => KeyFacts {
                kind: "keyring".to_owned(),
                description: name.to_owned(),
            },
            // It may be gone, or not be for the sensor to see.
            None => key_facts(key.serial).unwrap_or_default(),
        };
        let observation = self.observation(Probe::KernelKey);
        let mut event = self
            .facts
            .used(EventKind::KernelKeyAccess, &key.task, outcome, observation);
        at(&mut event, key.time_boot_ns, repeats);
        event.kernel_key = Some(Box::new(Part {
            serial: key.serial,
            r#type: kind,
            description,
            operation: word(key.operation).to_owned(),
        }));
        self.push(event, None);
    }
}

fn word(operation: KeyOperation) -> &'static str {
    match operation {
        KeyOperation::Read => "read",
        KeyOperation::SetPermission => "set_permission",
        KeyOperation::ChangeOwner => "change_owner",
    }
}

/// include/uapi/linux/keyctl.h: keyrings by what they are to the process that names them.
fn special(serial: i32) -> Option<&'static str> {
    Some(match serial {
        -1 => "the thread's keyring",
        -2 => "the process's keyring",
        -3 => "the session's keyring",
        -4 => "the user's keyring",
        -5 => "the user's session keyring",
        -6 => "the group's keyring",
        -7 => "the authorisation key of a request",
        -8 => "the keyring of a request",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyrings_of_the_process_have_names_and_keys_have_none() {
        assert_eq!(special(-3), Some("the session's keyring"));
        assert_eq!(special(1), None);
        assert_eq!(special(-9), None);
    }
}
