//! Debian's kernels, by apt, into a cache.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, bail};

use crate::setup;
use crate::step;
use crate::workspace::Workspace;

/// A line of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Series {
    V6_1,
    V6_12,
}

impl Series {
    pub(crate) const ALL: [Self; 2] = [Self::V6_1, Self::V6_12];

    /// What the package's name has around its changing number.
    fn affixes(self) -> (&'static str, &'static str) {
        match self {
            Self::V6_1 => ("linux-image-6.1.0-", "-cloud-amd64-unsigned"),
            Self::V6_12 => ("linux-image-6.12.", "+deb12-cloud-amd64-unsigned"),
        }
    }

    fn number(self, package: &str) -> Option<u32> {
        let (prefix, suffix) = self.affixes();
        package.strip_prefix(prefix)?.strip_suffix(suffix)?.parse().ok()
    }

    /// The newest of the packages that `apt-cache search` printed.
    fn newest(self, search: &str) -> Option<String> {
        let names = search.lines().filter_map(|line| line.split_whitespace().next());
        names
            .filter_map(|name| Some((self.number(name)?, name)))
            .max()
            .map(|(_, name)| name.to_owned())
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
        })
    }
}

/// The kernel's image; fetched when the cache does not have the newest.
pub(super) fn fetch(workspace: &Workspace, series: Series) -> anyhow::Result<PathBuf> {
    let cache = workspace.scratch(&format!("xtask/vm/{series}"))?;
    match newest_deb(workspace, series) {
        Ok((package, deb)) => {
            let directory = cache.join(deb.trim_end_matches(".deb"));
            if find_image(&directory).is_none() {
                download(workspace, &package, &deb, &cache, &directory)?;
            }
            find_image(&directory).with_context(|| format!("{deb} holds no boot/vmlinuz-*"))
        }
        Err(error) => {
            let kept = newest_cached(&cache)
                .with_context(|| format!("{error:#}, and no kernel {series} in the cache"))?;
            eprintln!("warning: {error:#}; taking {}", kept.display());
            Ok(kept)
        }
    }
}

/// Name of the newest package and of its file, by apt's lists, fetched anew when they know none.
fn newest_deb(workspace: &Workspace, series: Series) -> anyhow::Result<(String, String)> {
    let (prefix, _) = series.affixes();
    let search =
        || capture(Command::new("apt-cache").args(["search", "--names-only", &format!("^{prefix}")]));
    let package = match series.newest(&search()?) {
        Some(package) => package,
        None if setup::is_root() => {
            setup::update(workspace)?;
            series
                .newest(&search()?)
                .with_context(|| format!("apt knows no cloud kernel {series}"))?
        }
        None => bail!("apt knows no cloud kernel {series}: run `apt-get update` as root"),
    };
    let uris = capture(Command::new("apt-get").args(["download", "--print-uris", &package]))?;
    let deb = uris
        .split_whitespace()
        .nth(1)
        .with_context(|| format!("apt has no file for {package}"))?;
    Ok((package.clone(), deb.to_owned()))
}

fn download(
    workspace: &Workspace,
    package: &str,
    deb: &str,
    cache: &Path,
    directory: &Path,
) -> anyhow::Result<()> {
    let fetch = || {
        let mut apt = Command::new("apt-get");
        // apt would drop to a user who may not write here.
        apt.args(["-q", "-o", "APT::Sandbox::User=root", "download", package])
            .current_dir(cache);
        apt
    };
    let label = format!("fetching {package} (26 MB)");
    let fetched = step::run(workspace, &label, "vm-kernel", &mut fetch())?;
    if !fetched.status.success() {
        setup::update(workspace)?;
        step::must(workspace, &label, "vm-kernel", &mut fetch())?;
    }
    // Under another name until it is whole.
    let partial = directory.with_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).with_context(|| format!("removing {}", partial.display()))?;
    }
    let archive = cache.join(deb);
    let label = format!("unpacking {deb}");
    step::must(
        workspace,
        &label,
        "vm-unpack",
        Command::new("dpkg").arg("-x").arg(&archive).arg(&partial),
    )?;
    fs::rename(&partial, directory).with_context(|| format!("renaming {}", partial.display()))?;
    fs::remove_file(&archive).with_context(|| format!("removing {}", archive.display()))
}

fn find_image(directory: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(directory.join("boot")).ok()?;
    let names = entries.flatten().map(|entry| entry.path());
    names.into_iter().find(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"))
    })
}

/// The modules of these names that were unpacked with a kernel's image; what a series has built in has none.
pub(super) fn modules(image: &Path, names: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let root = image
        .parent()
        .and_then(Path::parent)
        .map(|root| root.join("lib/modules"));
    let mut found = Vec::new();
    let mut directories: Vec<_> = root.into_iter().collect();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))? {
            let entry = entry.with_context(|| format!("reading {}", directory.display()))?;
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                directories.push(path);
            } else if name
                .split_once(".ko")
                .is_some_and(|(stem, _)| names.contains(&stem))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn newest_cached(cache: &Path) -> Option<PathBuf> {
    let directories = fs::read_dir(cache).ok()?.flatten();
    let images = directories.filter_map(|entry| {
        Some((
            entry.metadata().ok()?.modified().ok()?,
            find_image(&entry.path())?,
        ))
    });
    images.max().map(|(_, image)| image)
}

fn capture(command: &mut Command) -> anyhow::Result<String> {
    let program = command.get_program().to_owned();
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    if !status.success() {
        bail!(
            "{}: {}",
            program.display(),
            String::from_utf8_lossy(&stderr).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_by_name_whether_compressed_or_not() {
        let root = std::env::temp_dir().join(format!("xtask-modules-{}", std::process::id()));
        let drivers = root.join("lib/modules/6.1/kernel/drivers");
        fs::create_dir_all(&drivers).expect("made");
        for name in ["brd.ko.xz", "overlay.ko", "overlay2.ko", "brd.txt"] {
            fs::write(drivers.join(name), "").expect("written");
        }
        let found = modules(&root.join("boot/vmlinuz-6.1"), &["brd", "overlay"]).expect("read");
        fs::remove_dir_all(&root).expect("removed");
        assert_eq!(found, [drivers.join("brd.ko.xz"), drivers.join("overlay.ko")]);
    }

    #[test]
    fn the_newest_is_the_one_with_the_highest_number() {
        let search = "linux-image-6.1.0-9-cloud-amd64-unsigned - Linux\n\
                      linux-image-6.1.0-47-cloud-amd64-unsigned - Linux\n\
                      linux-image-6.1.0-56-rt-amd64-unsigned - Linux\n\
                      linux-image-6.12.117+deb12-cloud-amd64-unsigned - Linux\n\
                      linux-image-6.12.99+deb12-cloud-amd64-unsigned - Linux\n";
        assert_eq!(
            Series::V6_1.newest(search).as_deref(),
            Some("linux-image-6.1.0-47-cloud-amd64-unsigned")
        );
        assert_eq!(
            Series::V6_12.newest(search).as_deref(),
            Some("linux-image-6.12.117+deb12-cloud-amd64-unsigned")
        );
        assert_eq!(Series::V6_1.newest(""), None);
    }
}
