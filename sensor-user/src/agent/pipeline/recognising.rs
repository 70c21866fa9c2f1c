//! Which credential a change is of.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _, path::Path};

use super::{
    changes::{Found, Not, below, path_of},
    *,
};
use crate::decode::{Change, FilePath, Known, Match, Object};

impl<S: Sink> Agent<S> {
    pub(super) fn recognise_changed(
        &self,
        change: &Change,
        known: &Known,
        path: &FilePath,
    ) -> Result<Found, Not> {
        if known.matched.is_none() && change.is_by_path {
            let mut found = self.by_path(path)?;
            if change.is_of_other_root {
                // It lies at that path for whoever did it. Which file that is was not seen.
                found.object = None;
            }
            Ok(found)
        } else {
            self.by_label(known, path)
        }
    }

    /// By what the kernel half knew. The path is the one that the catalogue knows it by, but for a name that only a pattern fits.
    fn by_label(&self, known: &Known, walked: &FilePath) -> Result<Found, Not> {
        let Some(matched) = known.matched else {
            return Err(Not::Credential);
        };
        let (Match::Object(id) | Match::Name(id) | Match::DirectoryPattern(id) | Match::Below(id)) = matched;
        let meaning = self.knowledge.labels().meaning(id).cloned().ok_or(Not::Label)?;
        let placed = known
            .object
            .and_then(|object| self.knowledge.placed().get(object.key));
        let (entry, path, matched_by) = match (matched, meaning) {
            (Match::Object(_), Meaning::Credential { entry, path }) => (entry, path, MatchBasis::Object),
            // Names are found by a hash; the name itself decides.
            (Match::Name(_), Meaning::Credential { entry, path })
                if path
                    .file_name()
                    .is_some_and(|name| name.as_encoded_bytes() == walked.name()) =>
            {
                (entry, path, MatchBasis::DirectoryEntry)
            }
            // Labelled by the directory in which it lay, by which name the record told that came before.
            (Match::Object(_), Meaning::Directory { .. }) if let Some((entry, path)) = placed => {
                (entry, path, MatchBasis::Object)
            }
            (
                Match::Object(_) | Match::DirectoryPattern(_) | Match::Below(_),
                Meaning::Directory { path },
            ) => {
                let names = if matches!(matched, Match::Below(_)) { 2 } else { 1 };
                let path = below(&path, walked, names);
                let places = self.knowledge.places();
                let entry = places.match_path(&path).ok_or(Not::Credential)?;
                let path = PathBuf::from(OsString::from_vec(path));
                (Arc::clone(entry), path, MatchBasis::DirectoryEntry)
            }
            _ => return Err(Not::Credential),
        };
        Ok(Found {
            entry,
            path: FilePath {
                bytes: path.into_os_string().into_encoded_bytes(),
                truncated: false,
            },
            object: known.object,
            matched_by,
        })
    }

    /// By the path alone: a label that was set there, or the catalogue.
    pub(super) fn by_path(&self, path: &FilePath) -> Result<Found, Not> {
        if path.truncated {
            return Err(Not::Cut);
        }
        let is_known = |path: &Path| {
            let labelled = self.knowledge.labels().credential_at(path);
            labelled.or_else(|| {
                let places = self.knowledge.places();
                let entry = places.match_path(path.as_os_str().as_encoded_bytes())?;
                Some((Arc::clone(entry), None))
            })
        };
        let given = path_of(path);
        let (entry, object) = is_known(&given)
            .or_else(|| {
                let overlays = self.knowledge.overlays();
                let mut layers = overlays.iter().flat_map(|overlay| overlay.layers_of(&given));
                layers.find_map(|beneath| is_known(&beneath))
            })
            .ok_or(Not::Credential)?;
        Ok(Found {
            entry,
            path: path.clone(),
            object: object.map(Object::from),
            matched_by: MatchBasis::PathAsGiven,
        })
    }
}
