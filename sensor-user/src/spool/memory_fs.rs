//! A file system for tests that behaves as badly as a real one may: after a power cut, of what was not synced any part can be there.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{FileSystem, SpoolFile};

/// Which part of what was not synced a power cut leaves; a source of choices that a test can replay.
#[derive(Debug, Clone)]
pub(super) struct Choices(u64);

impl Choices {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `bound` (xorshift).
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound.max(1) as u64)).expect("below a usize")
    }
}

#[derive(Debug, Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
}

type Node = Arc<Mutex<Content>>;

#[derive(Debug, Clone)]
enum NameChange {
    Set(PathBuf, Node),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

#[derive(Debug, Default)]
struct Disk {
    names: BTreeMap<PathBuf, Node>,
    durable_names: BTreeMap<PathBuf, Node>,
    pending: Vec<NameChange>,
    /// Operations until the power is cut.
    operations_left: Option<u64>,
    /// Bytes that fit on the disk.
    capacity: Option<u64>,
    /// Whether the next sync of a file fails.
    sync_fails: bool,
    locked: bool,
}

/// The file system; its clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct MemoryFs(Arc<Mutex<Disk>>);

#[derive(Debug)]
pub(super) struct MemoryFile {
    disk: MemoryFs,
    node: Node,
}

#[derive(Debug)]
pub(super) struct MemoryLock(MemoryFs);

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.0.disk().locked = false;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn apply(names: &mut BTreeMap<PathBuf, Node>, change: &NameChange) {
    match change {
        NameChange::Set(path, node) => {
            names.insert(path.clone(), Arc::clone(node));
        }
        NameChange::Remove(path) => {
            names.remove(path);
        }
        NameChange::Rename(from, to) => {
            if let Some(node) = names.remove(from) {
                names.insert(to.clone(), node);
            }
        }
    }
}

impl MemoryFs {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        lock(&self.0)
    }

    /// Cuts the power so many operations from now.
    pub(super) fn cut_power_after(&self, operations: u64) {
        self.disk().operations_left = Some(operations);
    }

    pub(super) fn set_capacity(&self, bytes: Option<u64>) {
        self.disk().capacity = bytes;
    }

    pub(super) fn fail_next_sync(&self) {
        self.disk().sync_fails = true;
    }

    pub(super) fn used_bytes(&self) -> u64 {
        used(&self.disk())
    }

    /// The power comes back: names and contents are what the disk has, with any part of what was not synced.
    pub(super) fn restart(&self, choices: &mut Choices) {
        let mut disk = self.disk();
        let kept = choices.below(disk.pending.len() + 1);
        let changes = std::mem::take(&mut disk.pending);
        for change in &changes[..kept] {
            apply(&mut disk.durable_names, change);
        }
        disk.names = disk.durable_names.clone();
        for node in disk.names.values() {
            let mut content = lock(node);
            let survived = survivor(&content, choices);
            *content = Content {
                now: survived.clone(),
                durable: survived,
            };
        }
        disk.operations_left = None;
        disk.sync_fails = false;
    }

    /// The process ends and starts again: what it wrote is there, whether it was synced or not.
    pub(super) fn end_process(&self) {
        let mut disk = self.disk();
        disk.operations_left = None;
        disk.sync_fails = false;
    }

    /// Somebody removes all files of a directory, for good.
    pub(super) fn remove_all(&self, dir: &Path) {
        let mut disk = self.disk();
        let Disk {
            names,
            durable_names,
            pending,
            ..
        } = &mut *disk;
        for change in pending.drain(..) {
            apply(durable_names, &change);
        }
        names.retain(|path, _| path.parent() != Some(dir));
        durable_names.retain(|path, _| path.parent() != Some(dir));
    }

    /// Changes a byte of a file behind everybody's back.
    pub(super) fn flip(&self, path: &Path, offset: usize, with: u8) {
        let disk = self.disk();
        let mut content = lock(disk.names.get(path).expect("the file is there"));
        content.now[offset] ^= with;
        content.durable = content.now.clone();
    }

    pub(super) fn content(&self, path: &Path) -> Vec<u8> {
        lock(self.disk().names.get(path).expect("the file is there"))
            .now
            .clone()
    }

    fn change(&self, change: NameChange) -> io::Result<()> {
        let mut disk = self.step()?;
        apply(&mut disk.names, &change);
        disk.pending.push(change);
        Ok(())
    }

    /// One operation nearer to the power cut.
    fn step(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let mut disk = self.disk();
        match &mut disk.operations_left {
            Some(0) => return Err(io::Error::other("the power is cut")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(disk)
    }
}

fn used(disk: &Disk) -> u64 {
    disk.names.values().map(|node| lock(node).now.len() as u64).sum()
}

/// What of a file a power cut leaves.
fn survivor(content: &Content, choices: &mut Choices) -> Vec<u8> {
    let Content { now, durable } = content;
    match choices.below(3) {
        0 => durable.clone(),
        1 => now.clone(),
        _ => {
            // The synced part, and behind it some of the rest, some of which may never have been written out.
            let common = now.iter().zip(durable).take_while(|(a, b)| a == b).count();
            let mut kept = now[..common].to_vec();
            let end = common + choices.below(now.len() - common + 1);
            let written = common + choices.below(end - common + 1);
            kept.extend_from_slice(&now[common..written]);
            kept.resize(end, 0);
            if kept.len() < durable.len() {
                durable.clone()
            } else {
                kept
            }
        }
    }
}

impl FileSystem for MemoryFs {
    type File = MemoryFile;
    type Lock = MemoryLock;

    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        self.step().map(drop)
    }

    fn lock(&self, _path: &Path) -> io::Result<Option<MemoryLock>> {
        let mut disk = self.step()?;
        if disk.locked {
            return Ok(None);
        }
        disk.locked = true;
        Ok(Some(MemoryLock(self.clone())))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.step()?;
        let names = disk.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(names
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect())
    }

    fn open(&self, path: &Path) -> io::Result<MemoryFile> {
        let disk = self.step()?;
        let node = disk.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(MemoryFile {
            disk: self.clone(),
            node: Arc::clone(node),
        })
    }

    fn create(&self, path: &Path) -> io::Result<MemoryFile> {
        let node = Node::default();
        self.change(NameChange::Set(path.to_owned(), Arc::clone(&node)))?;
        Ok(MemoryFile {
            disk: self.clone(),
            node,
        })
    }

    fn is_at(&self, file: &MemoryFile, path: &Path) -> io::Result<bool> {
        let disk = self.step()?;
        Ok(disk
            .names
            .get(path)
            .is_some_and(|node| Arc::ptr_eq(node, &file.node)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(NameChange::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if !self.disk().names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.change(NameChange::Remove(path.to_owned()))
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let mut disk = self.step()?;
        for change in std::mem::take(&mut disk.pending) {
            apply(&mut disk.durable_names, &change);
        }
        Ok(())
    }
}

impl SpoolFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        let _disk = self.disk.step()?;
        Ok(lock(&self.node).now.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let _disk = self.disk.step()?;
        let content = lock(&self.node);
        let from = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(content.now.len());
        let rest = &content.now[from..];
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let disk = self.disk.step()?;
        let offset = usize::try_from(offset).expect("small files");
        let room = disk
            .capacity
            .map_or(u64::MAX, |capacity| capacity.saturating_sub(used(&disk)));
        let mut content = lock(&self.node);
        let grows = (offset + bytes.len()).saturating_sub(content.now.len()) as u64;
        let missing = usize::try_from(grows.saturating_sub(room)).expect("small files");
        // A full disk takes what fits.
        let fits = bytes.len() - missing.min(bytes.len());
        let length = content.now.len().max(offset + fits);
        content.now.resize(length, 0);
        content.now[offset..offset + fits].copy_from_slice(&bytes[..fits]);
        if missing > 0 {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        let _disk = self.disk.step()?;
        lock(&self.node)
            .now
            .resize(usize::try_from(length).expect("small files"), 0);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut disk = self.disk.step()?;
        if std::mem::take(&mut disk.sync_fails) {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()));
        }
        drop(disk);
        let mut content = lock(&self.node);
        content.durable = content.now.clone();
        Ok(())
    }
}
