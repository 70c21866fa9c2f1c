//! Places of the sensor's own, and the directories above them: a mount over one is known by what lies there, whatever path leads to it.

use std::{
    collections::HashMap,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use claviger_sensor_common::{COVERS_ABOVE, COVERS_OWN, OWN_PLACES_MAX, ObjectKey};

use crate::{
    agent::Own,
    credential::{Held, Seen},
    kernel::{Labeller, Purpose},
};

/// Those that the kernel half was told of: at most [`OWN_PLACES_MAX`].
#[derive(Default)]
pub(in crate::agent) struct Places {
    told: HashMap<Seen, (ObjectKey, u32)>,
}

impl Places {
    /// Has the kernel half know the places that are there now, and no others. What it cannot be told is known by its path.
    pub(super) fn tell(&mut self, labeller: &mut Labeller, root: &OwnedFd, own: &Own) {
        let mut now = HashMap::new();
        for (path, (covers, is_directory)) in wanted(own.files(), &own.directories()) {
            let Ok(held) = Held::at(root, &path) else {
                continue;
            };
            let seen = held.seen();
            if let Some(&told) = self.told.get(&seen).filter(|(_, told)| *told == covers) {
                now.insert(seen, told);
                continue;
            }
            if now.len() >= OWN_PLACES_MAX as usize {
                break;
            }
            let purpose = Purpose::Place(covers);
            let asked = if is_directory {
                labeller.ask(purpose, || held.open_directory())
            } else {
                labeller.ask(purpose, || held.open_file())
            };
            match asked {
                Ok((Ok(_), Some(object))) => {
                    now.insert(seen, (object, covers));
                }
                Ok((Err(_), _)) => {}
                Ok((Ok(_), None)) | Err(_) => {
                    tracing::debug!(path = %path.display(), "a mount there is known by its path only");
                }
            }
        }
        let before = std::mem::replace(&mut self.told, now);
        for (seen, (object, _)) in before {
            if !self.told.contains_key(&seen)
                && let Err(error) = labeller.forget_place(object)
            {
                tracing::warn!(%error, "a place that is the sensor's own no longer stays watched");
            }
        }
    }
}

/// What is to be known: `COVERS_` bits, and whether it is a directory.
fn wanted(files: &[PathBuf], directories: &[PathBuf]) -> HashMap<PathBuf, (u32, bool)> {
    let own = files
        .iter()
        .map(|file| (file, false))
        .chain(directories.iter().map(|directory| (directory, true)));
    let mut all: HashMap<PathBuf, (u32, bool)> = HashMap::new();
    for (path, is_directory) in own {
        all.entry(path.clone()).or_insert((0, is_directory)).0 |= COVERS_OWN;
        for above in path.ancestors().skip(1) {
            all.entry(Path::to_owned(above)).or_insert((0, true)).0 |= COVERS_ABOVE;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_its_own_and_all_above_is_wanted() {
        let wanted = wanted(
            &["/etc/claviger/sensor.toml".into()],
            &["/var/lib/claviger".into(), "/var/lib/claviger/spool".into()],
        );
        assert_eq!(
            wanted[Path::new("/etc/claviger/sensor.toml")],
            (COVERS_OWN, false)
        );
        assert_eq!(
            wanted[Path::new("/var/lib/claviger")],
            (COVERS_OWN | COVERS_ABOVE, true)
        );
        assert_eq!(wanted[Path::new("/var/lib/claviger/spool")], (COVERS_OWN, true));
        for above in ["/", "/etc", "/etc/claviger", "/var", "/var/lib"] {
            assert_eq!(wanted[Path::new(above)], (COVERS_ABOVE, true), "{above}");
        }
        assert_eq!(wanted.len(), 8);
    }
}
