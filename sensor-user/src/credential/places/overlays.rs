//! Overlays over directories of credentials. What is changed through one is copied to its upper directory first, where it is the credential under the
//! same name; and a path through one leads to a file of its layers.
//!
//! By mountinfo(5) alone, which has the layers' paths as whoever mounted it gave them. One that is not absolute is passed over. A directory that is not in the
//! upper layer yet is found there by a later scan.

use std::{
    collections::HashSet,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::{LabelledDirectory, ScanResult, Why, mounts::mounted_path};
use crate::credential::look::{Seen, look_at_held};

/// Overlays that are looked at, and directories in upper layers that are labelled, at most; more are counted as left out.
pub const OVERLAYS_MAX: usize = 256;
const UPPER_MAX: usize = 1_024;

/// One mount of an overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// Where it is mounted, as seen from the root of its mount namespace.
    point: PathBuf,
    /// Which part of it is.
    within: PathBuf,
    upper: Option<PathBuf>,
    lower: Vec<PathBuf>,
}

impl Overlay {
    /// Those of a mountinfo(5).
    pub fn all(mountinfo: &[u8]) -> impl Iterator<Item = Self> {
        let lines = mountinfo.split(|byte| *byte == b'\n');
        lines.filter_map(Self::parse)
    }

    /// Its lower layers.
    pub fn lower(&self) -> impl Iterator<Item = &Path> {
        self.lower.iter().map(PathBuf::as_path)
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ').skip(3);
        let (within, point) = (fields.next()?, fields.next()?);
        let mut behind = fields.skip_while(|field| *field != b"-").skip(1);
        if behind.next()? != b"overlay" {
            return None;
        }
        let mut overlay = Self {
            point: mounted_path(point),
            within: mounted_path(within),
            upper: None,
            lower: Vec::new(),
        };
        for option in behind.nth(1)?.split(|byte| *byte == b',') {
            let at = option.iter().position(|byte| *byte == b'=');
            let Some((key, value)) = at.and_then(|at| option.split_at_checked(at)) else {
                continue;
            };
            let value = mounted_path(&value[1..]);
            match key {
                b"upperdir" if value.is_absolute() => overlay.upper = Some(value),
                b"lowerdir" => overlay.lower.extend(layers(&value)),
                b"lowerdir+" if value.is_absolute() => overlay.lower.push(value),
                _ => {}
            }
        }
        Some(overlay)
    }

    /// What a path through it leads to in its layers, from the top.
    pub fn layers_of(&self, path: &Path) -> impl Iterator<Item = PathBuf> {
        let below = path.strip_prefix(&self.point).ok();
        let within = self.within.strip_prefix("/").unwrap_or(&self.within);
        let layers = self.upper.iter().chain(&self.lower);
        layers.filter_map(move |layer| Some(layer.join(within).join(below?)))
    }

    /// Where a directory of a lower layer is, or will be, in the upper one.
    fn above(&self, directory: &Path) -> Option<PathBuf> {
        let upper = self.upper.as_ref()?;
        let mut below = self
            .lower
            .iter()
            .filter_map(|lower| directory.strip_prefix(lower).ok());
        // Joined to nothing it would end with a slash.
        below.next().map(|below| upper.join(below).components().collect())
    }
}

/// Paths with colons between them; one that belongs to a path stands behind a backslash.
fn layers(value: &Path) -> Vec<PathBuf> {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};

    let mut layers = vec![Vec::new()];
    let mut bytes = value.as_os_str().as_encoded_bytes().iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => layers
                .last_mut()
                .into_iter()
                .for_each(|layer| layer.extend(bytes.next())),
            b':' => layers.push(Vec::new()),
            byte => layers.last_mut().into_iter().for_each(|layer| layer.push(*byte)),
        }
    }
    let paths = layers
        .into_iter()
        .map(|layer| PathBuf::from(OsString::from_vec(layer)));
    paths.filter(|path| path.is_absolute()).collect()
}

impl ScanResult {
    /// Overlays of a mountinfo(5) over one of the directories that were found.
    pub fn overlays(&mut self, mountinfo: &[u8]) -> Vec<Overlay> {
        let is_over = |overlay: &Overlay| {
            let mut found = self.directories.iter();
            found.any(|found| overlay.lower().any(|lower| found.path.starts_with(lower)))
        };
        let mut over: Vec<Overlay> = Overlay::all(mountinfo).filter(is_over).collect();
        self.left_out
            .add_unnamed(Why::Found, over.len().saturating_sub(OVERLAYS_MAX) as u64);
        over.truncate(OVERLAYS_MAX);
        over
    }

    /// Adds the directories in the upper layers of overlays over those that were found, each with the names of what lies or could lie in that.
    /// Each path is told before it is looked at.
    pub fn add_upper_layers(&mut self, root: impl AsFd, overlays: &[Overlay], step: &dyn Fn(&Path) -> bool) {
        let known: HashSet<&Path> = self.directories.iter().map(|found| &*found.path).collect();
        let mut added = Vec::new();
        for overlay in overlays {
            for directory in &self.directories {
                let Some(path) = overlay.above(&directory.path) else {
                    continue;
                };
                if known.contains(&*path) || !step(&path) {
                    continue;
                }
                if added.len() >= UPPER_MAX {
                    self.left_out.add_unnamed(Why::Found, 1);
                    continue;
                }
                let Some(seen) = seen_at(&root, &path) else {
                    continue;
                };
                let lying = self.files.iter().filter_map(|file| {
                    let name = file.path.strip_prefix(&directory.path).ok()?;
                    let name = name.as_os_str().as_encoded_bytes();
                    (!name.contains(&b'/')).then(|| (name.to_vec(), file.entry.clone()))
                });
                added.push(LabelledDirectory {
                    path,
                    seen,
                    names: directory.names.iter().cloned().chain(lying).collect(),
                    has_patterns: false,
                    is_for_credentials: false,
                    leads_on: false,
                });
            }
        }
        self.directories.extend(added);
    }
}

fn seen_at(root: impl AsFd, directory: &Path) -> Option<Seen> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat2(root, directory, flags, Mode::empty(), resolve).ok()?;
    look_at_held(&directory).ok().map(|look| Seen::of(&look))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn overlay(options: &str) -> Overlay {
        let line = format!("37 35 0:61 /part /a\\040b rw,relatime shared:1 - overlay overlay rw,{options}");
        Overlay::parse(line.as_bytes()).expect("an overlay")
    }

    #[test]
    fn layers_are_read_as_kernels_write_them() {
        let old = overlay("lowerdir=/l/1:relative:/l\\134:2,upperdir=/u\\054,workdir=/w");
        assert_eq!(old.point, Path::new("/a b"));
        assert_eq!(old.lower, [Path::new("/l/1"), Path::new("/l:2")]);
        assert_eq!(old.upper.as_deref(), Some(Path::new("/u,")));
        let new = overlay("lowerdir+=/l/1,lowerdir+=/l:2,redirect_dir=on");
        assert_eq!(new.lower, [Path::new("/l/1"), Path::new("/l:2")]);
        assert_eq!(new.upper, None);
        assert_eq!(
            Overlay::parse(b"37 35 8:1 / /a rw - ext4 /dev/a rw,lowerdir=/l"),
            None
        );
    }

    #[test]
    fn a_path_through_it_leads_to_its_layers() {
        let overlay = overlay("lowerdir=/l,upperdir=/u");
        let layers = |path: &str| overlay.layers_of(Path::new(path)).collect::<Vec<_>>();
        assert_eq!(layers("/a b/x"), [Path::new("/u/part/x"), Path::new("/l/part/x")]);
        assert!(layers("/a/x").is_empty());
        assert_eq!(overlay.above(Path::new("/l")), Some("/u".into()));
        assert_eq!(overlay.above(Path::new("/l/d")), Some("/u/d".into()));
        assert_eq!(overlay.above(Path::new("/lx")), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_their_end(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _overlay = Overlay::parse(&line);
        }
    }
}
