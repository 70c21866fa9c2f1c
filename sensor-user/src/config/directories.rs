//! The sensor's directories beside each other: none may be what another empties, replaces or gives away.
//!
//! By the words of their paths only: a symbolic link can be laid at any time.

use std::ops::Range;
use std::path::Path;

use super::Config;
use super::resolve::Refused;

const STATE: &str = "state_dir";
const RUNTIME: &str = "runtime_dir";
const CATALOGUE: &str = "catalogue.directory";

/// Where the identity lies, below the state directory.
pub(crate) const IDENTITY_DIR: &str = "identity";

/// Where the next identity comes into being, below the state directory.
pub(crate) const NEW_IDENTITY_DIR: &str = "identity.new";

/// Where batches wait, below the state directory; one directory more below it for each sensor id.
pub(crate) const SPOOL_DIR: &str = "spool";

/// What the sensor itself makes, replaces and removes below the state directory.
const KEPT_IN_STATE: [&str; 3] = [IDENTITY_DIR, NEW_IDENTITY_DIR, SPOOL_DIR];

/// Refuses directories that would destroy each other. The spans are those of the three keys, in this order, where they are set.
pub(super) fn check(config: &Config, spans: &[Option<Range<usize>>; 3]) -> Result<(), Refused> {
    let [state, runtime, catalogue] = [
        (STATE, config.state_dir.as_path(), &spans[0]),
        (RUNTIME, config.runtime_dir.as_path(), &spans[1]),
        (CATALOGUE, config.catalogue.directory.as_path(), &spans[2]),
    ];
    let all = [state, runtime, catalogue];
    for directory in all {
        if directory.1.parent().is_none() {
            return refuse(
                directory,
                directory,
                "is the root: it has to be a directory that nothing else uses",
            );
        }
    }
    for (at, one) in all.iter().enumerate() {
        for other in &all[at + 1..] {
            if one.1 == other.1 {
                let reason = format!("is {} too: each needs a directory of its own", one.0);
                return refuse(*other, *one, &reason);
            }
        }
    }
    for kept in [state, catalogue] {
        if kept.1.starts_with(runtime.1) {
            let reason = format!(
                "lies in {RUNTIME}, {}, which is emptied when the sensor or the host stops: put it elsewhere",
                runtime.1.display()
            );
            return refuse(kept, runtime, &reason);
        }
    }
    for other in [runtime, catalogue] {
        let own = KEPT_IN_STATE.map(|name| state.1.join(name));
        if let Some(own) = own.iter().find(|own| other.1.starts_with(own)) {
            let reason = format!(
                "lies in {}, which the sensor replaces and removes by itself: put it elsewhere",
                own.display()
            );
            return refuse(other, state, &reason);
        }
    }
    Ok(())
}

type Directory<'a> = (&'static str, &'a Path, &'a Option<Range<usize>>);

/// At the key that is set, where one is; that of a default is no place in the file.
fn refuse(directory: Directory<'_>, because_of: Directory<'_>, reason: &str) -> Result<(), Refused> {
    let (key, path, span) = directory;
    let place = span.clone().map(|span| (key, span));
    let other = || because_of.2.clone().map(|span| (because_of.0, span));
    let (at, span) = place.or_else(other).unwrap_or((key, 0..0));
    let named = if at == key {
        String::new()
    } else {
        format!("{key}, ")
    };
    Err(Refused {
        key: at,
        span,
        reason: format!("{named}{} {reason}", path.display()),
    })
}
