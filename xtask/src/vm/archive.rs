//! An initramfs: a gzipped cpio archive, written in the order of paths so that a directory precedes what is in it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cpio::newc::{Builder, trailer};
use flate2::Compression;
use flate2::write::GzEncoder;

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

#[derive(Clone, Debug)]
enum Entry {
    Directory,
    Text(String),
    /// Copied from the host.
    Program(PathBuf),
    Link(String),
    Console,
}

/// The files of the image, by path without the leading slash.
#[derive(Debug, Default)]
pub(super) struct Archive {
    entries: BTreeMap<String, Entry>,
}

impl Archive {
    pub(super) fn directory(&mut self, path: &str) {
        self.insert(path, Entry::Directory);
    }

    pub(super) fn text(&mut self, path: &str, text: &str) {
        self.insert(path, Entry::Text(text.to_owned()));
    }

    pub(super) fn program(&mut self, path: &str, host: &Path) {
        self.insert(path, Entry::Program(host.to_owned()));
    }

    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.insert(path, Entry::Link(target.to_owned()));
    }

    /// Without it the init would have no standard output.
    pub(super) fn console(&mut self, path: &str) {
        self.insert(path, Entry::Console);
    }

    pub(super) fn contains(&self, path: &str) -> bool {
        self.entries.contains_key(path.trim_start_matches('/'))
    }

    fn insert(&mut self, path: &str, entry: Entry) {
        let path = path.trim_start_matches('/');
        for (end, _) in path.match_indices('/') {
            self.entries
                .entry(path[..end].to_owned())
                .or_insert(Entry::Directory);
        }
        self.entries.insert(path.to_owned(), entry);
    }

    /// Writes the image.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        // It is read once, by an emulated machine, a minute from now.
        let mut gzip = GzEncoder::new(io::BufWriter::new(file), Compression::fast());
        for (number, (name, entry)) in (1..).zip(&self.entries) {
            gzip = write_entry(gzip, number, name, entry).with_context(|| format!("archiving {name}"))?;
        }
        trailer(gzip)
            .and_then(GzEncoder::finish)
            .and_then(|mut file| file.flush())
            .with_context(|| format!("writing {}", path.display()))
    }
}

fn write_entry<W: Write>(writer: W, number: u32, name: &str, entry: &Entry) -> io::Result<W> {
    let builder = Builder::new(name).ino(number).nlink(1);
    let (mode, content) = match entry {
        Entry::Directory => (DIRECTORY | 0o755, Vec::new()),
        Entry::Text(text) => (FILE | 0o644, text.clone().into_bytes()),
        Entry::Program(host) => (FILE | 0o755, fs::read(host)?),
        Entry::Link(target) => (LINK | 0o777, target.clone().into_bytes()),
        Entry::Console => (CHARACTER_DEVICE | 0o600, Vec::new()),
    };
    let builder = if matches!(entry, Entry::Console) {
        builder.rdev_major(5).rdev_minor(1)
    } else {
        builder
    };
    let length = u32::try_from(content.len()).map_err(|_| io::Error::other("4 GiB or more"))?;
    let mut writer = builder.mode(mode).write(writer, length);
    writer.write_all(&content)?;
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let mut archive = Archive::default();
        archive.text("/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
        archive.link("/bin", "usr/bin");
        archive.console("/dev/console");
        let path = std::env::temp_dir().join(format!("xtask-archive-{}", std::process::id()));
        archive.write(&path).expect("written");
        let mut input = flate2::read::GzDecoder::new(File::open(&path).expect("opens"));
        let mut found = Vec::new();
        loop {
            let reader = cpio::newc::Reader::new(input).expect("an entry");
            if reader.entry().is_trailer() {
                break;
            }
            found.push((reader.entry().name().to_owned(), reader.entry().mode()));
            let mut content = Vec::new();
            input = reader.to_writer(&mut content).expect("content");
            if found.last().is_some_and(|(name, _)| name == "etc/passwd") {
                assert_eq!(content, b"root:x:0:0::/root:/bin/sh\n");
            }
        }
        fs::remove_file(&path).expect("removed");
        let expected = [
            ("bin", 0o120_777),
            ("dev", 0o040_755),
            ("dev/console", 0o020_600),
            ("etc", 0o040_755),
            ("etc/passwd", 0o100_644),
        ];
        assert_eq!(found, expected.map(|(name, mode)| (name.to_owned(), mode)));
    }
}
