//! The shared libraries that a program needs, and its loader, as `ldd` says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

/// Absolute paths; none for a static program or a script.
pub(super) fn of(program: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let output = Command::new("ldd")
        .arg(program)
        .output()
        .context("starting ldd")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        if [&text, &complaint]
            .iter()
            .any(|text| text.contains("not a dynamic executable"))
        {
            return Ok(BTreeSet::new());
        }
        bail!("ldd {}: {}", program.display(), complaint.trim_end());
    }
    parse(&text).with_context(|| format!("libraries of {}", program.display()))
}

fn parse(text: &str) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut libraries = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if line.ends_with("not found") {
            bail!("{line}");
        }
        // `libc.so.6 => /lib/libc.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)`, or one of the kernel's own without a path.
        let path = line.split_once(" => ").map_or(line, |(_, path)| path);
        if let Some(path) = path.split(" (").next().filter(|path| path.starts_with('/')) {
            libraries.insert(PathBuf::from(path));
        }
    }
    Ok(libraries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_loader_are_found() {
        let text = "\tlinux-vdso.so.1 (0x00007f)\n\
                    \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let expected = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
        assert_eq!(parse(text).expect("parses"), BTreeSet::from(expected));
        assert!(parse("\tstatically linked\n").expect("parses").is_empty());
    }

    #[test]
    fn a_library_that_is_missing_is_an_error() {
        assert!(parse("\tlibx.so => not found\n").is_err());
    }
}
