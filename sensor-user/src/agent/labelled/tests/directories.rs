//! The table against directories that are made, renamed with what is in them, exchanged and removed, and a kernel half that knows names by
//! their directory.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Paths of directories; at the first ones the catalogue has a place, at the others none.
const PLACES: usize = 3;
const PATHS: usize = 6;
/// Names that are watched in a place; each has one of its own beside, so that they differ.
const NAMES: u64 = 2;

#[derive(Clone, Debug)]
enum Act {
    Make(usize),
    /// A file in the directory at a path.
    Create(usize, u64),
    Rename(usize, usize),
    Exchange(usize, usize),
    /// The same directory at another path too, as a bind mount.
    Bind(usize, usize),
    Remove(usize),
    NewPolicy,
    Scan,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let path = 0..PATHS;
    let act = prop_oneof![
        3 => path.clone().prop_map(Act::Make),
        4 => (path.clone(), 0..=NAMES).prop_map(|(path, name)| Act::Create(path, name)),
        4 => (path.clone(), path.clone()).prop_map(|(from, to)| Act::Rename(from, to)),
        2 => (path.clone(), path.clone()).prop_map(|(one, other)| Act::Exchange(one, other)),
        1 => (path.clone(), path.clone()).prop_map(|(from, to)| Act::Bind(from, to)),
        1 => path.prop_map(Act::Remove),
        1 => Just(Act::NewPolicy),
        4 => Just(Act::Scan),
    ];
    proptest::collection::vec(act, 1..60)
}

/// Directories and what is in them, the kernel half's labels, and the ids that still stand for something.
#[derive(Default)]
struct Host {
    paths: BTreeMap<usize, u64>,
    files: BTreeMap<u64, BTreeMap<u64, u64>>,
    next_inode: u64,
    directories: BTreeMap<u64, u32>,
    names: BTreeMap<(u64, u64), u32>,
    objects: BTreeMap<u64, u32>,
    held: BTreeMap<u32, usize>,
    replaced_names: BTreeSet<(u64, u64)>,
    table: Table,
}

fn inode(labelled: &Labelled) -> u64 {
    labelled.object.inode
}

/// The id of what lies at a path: of the directory, or of a name in it.
fn id(path: usize, name: Option<u64>) -> u32 {
    u32::try_from(path * 100).expect("small") + name.map_or(0, |name| u32::try_from(name).expect("small") + 1)
}

/// What is watched in the place at a path: the first name everywhere, and one of its own.
fn watched(path: usize) -> [u64; 2] {
    [0, 1 + path as u64 % NAMES]
}

impl Host {
    fn act(&mut self, act: &Act) {
        match *act {
            Act::Make(path) => {
                self.next_inode += 1;
                self.paths.insert(path, self.next_inode);
            }
            Act::Create(path, name) => {
                if let Some(directory) = self.paths.get(&path) {
                    self.next_inode += 1;
                    let files = self.files.entry(*directory).or_default();
                    files.insert(name, self.next_inode);
                }
            }
            Act::Rename(from, to) => {
                if let Some(directory) = self.paths.remove(&from) {
                    self.paths.insert(to, directory);
                }
            }
            Act::Exchange(one, other) => {
                if let (Some(first), Some(second)) =
                    (self.paths.get(&one).copied(), self.paths.get(&other).copied())
                {
                    self.paths.insert(one, second);
                    self.paths.insert(other, first);
                }
            }
            Act::Bind(from, to) => {
                if let Some(directory) = self.paths.get(&from).copied() {
                    self.paths.insert(to, directory);
                }
            }
            Act::Remove(path) => {
                self.paths.remove(&path);
            }
            Act::NewPolicy => self.table.new_policy(),
            Act::Scan => self.scan(),
        }
    }

    /// As the agent does: directories first, with the names that are watched in them, then the files that are there.
    fn scan(&mut self) {
        self.table.begin();
        let places: Vec<_> = self
            .paths
            .range(..PLACES)
            .map(|(path, inode)| (*path, *inode))
            .collect();
        for (path, directory) in &places {
            self.label_directory(*path, *directory);
        }
        for (path, directory) in &places {
            for name in watched(*path) {
                let file = self.files.get(directory).and_then(|files| files.get(&name));
                if let Some(file) = file.copied() {
                    self.label_file(*path, name, file);
                }
            }
        }
        for dropped in self.table.end(Root::Host) {
            self.drop_label(dropped);
        }
        for name in self.table.watched_names() {
            self.replaced_names
                .remove(&(name.directory.inode, name.name_hash));
        }
        for name in std::mem::take(&mut self.replaced_names) {
            self.names.remove(&name);
        }
    }

    fn label_directory(&mut self, path: usize, directory: u64) {
        let mut labelled = file(directory, 0);
        let name = PathBuf::from(format!("/{path}"));
        if self.table.is_labelled(Root::Host, &name, labelled.seen) {
            return;
        }
        labelled.id = self.hold(id(path, None));
        self.directories.insert(directory, labelled.id);
        let mut names = Vec::new();
        for name in watched(path) {
            let id = self.hold(id(path, Some(name)));
            self.names.insert((directory, name), id);
            names.push((name, id));
        }
        labelled.names = Some(names);
        self.keep(name, labelled);
    }

    fn label_file(&mut self, path: usize, name: u64, inode: u64) {
        let mut labelled = file(inode, 0);
        let place = PathBuf::from(format!("/{path}/{name}"));
        if self.table.is_labelled(Root::Host, &place, labelled.seen) {
            return;
        }
        labelled.id = self.hold(id(path, Some(name)));
        self.objects.insert(inode, labelled.id);
        self.keep(place, labelled);
    }

    fn keep(&mut self, path: PathBuf, labelled: Labelled) {
        if let Some(labelled) = self.table.insert(Root::Host, path, labelled) {
            self.drop_label(Dropped {
                labelled,
                is_last: false,
            });
        }
    }

    fn drop_label(&mut self, Dropped { labelled, is_last }: Dropped) {
        let inode = inode(&labelled);
        if is_last {
            let labels = match labelled.names {
                Some(_) => &mut self.directories,
                None => &mut self.objects,
            };
            labels.remove(&inode);
        }
        for (name, id) in labelled.names.into_iter().flatten() {
            if is_last {
                self.names.remove(&(inode, name));
            } else {
                self.replaced_names.insert((inode, name));
            }
            self.release(id);
        }
        self.release(labelled.id);
    }

    fn hold(&mut self, id: u32) -> u32 {
        *self.held.entry(id).or_default() += 1;
        id
    }

    fn release(&mut self, id: u32) {
        *self.held.get_mut(&id).expect("held before") -= 1;
    }

    fn stands_for_something(&self, id: u32) -> bool {
        self.held[&id] > 0
    }
}

proptest! {
    #[test]
    fn what_is_watched_in_a_directory_follows_its_path_and_a_credential_keeps_its_label(
        acts in acts(), gone_max in 3_usize..8
    ) {
        let mut host = Host::default();
        host.table.gone_max = gone_max;
        for act in &acts {
            host.act(act);
        }
        // What lost its label to another path's end is labelled anew by the scan after.
        host.scan();
        host.scan();
        let places: BTreeMap<_, _> = host.paths.range(..PLACES).collect();
        let wanted: BTreeSet<_> = places.values().map(|directory| **directory).collect();
        let labelled: BTreeSet<_> = host.directories.keys().copied().collect();
        prop_assert_eq!(&labelled, &wanted, "a directory is labelled where it is in a place, and nowhere else");
        let wanted: BTreeSet<_> = places
            .iter()
            .flat_map(|(path, directory)| watched(**path).map(|name| (**directory, name)))
            .collect();
        let names: BTreeSet<_> = host.names.keys().copied().collect();
        prop_assert_eq!(&names, &wanted, "what would be a credential there, and nothing else");
        for id in host.directories.values().chain(host.names.values()).chain(host.objects.values()) {
            prop_assert!(host.stands_for_something(*id), "label {} stands for nothing", id);
        }
        for (path, directory) in &places {
            for name in watched(**path) {
                if let Some(file) = host.files.get(directory).and_then(|files| files.get(&name)) {
                    prop_assert!(host.objects.contains_key(file), "a credential in its place is labelled");
                }
            }
        }
    }
}

#[test]
fn a_credential_that_leaves_with_its_directory_keeps_its_label_and_what_comes_there_later_has_none() {
    use Act::{Create, Make, Rename, Scan};
    let mut host = Host::default();
    for act in [
        Make(0),
        Create(0, 0),
        Scan,
        Rename(0, PLACES),
        Make(0),
        Create(0, 0),
        Scan,
    ] {
        host.act(&act);
    }
    let (moved, new) = (host.paths[&PLACES], host.paths[&0]);
    assert_eq!(host.directories.keys().collect::<Vec<_>>(), [&new]);
    assert!(host.names.keys().all(|(directory, _)| *directory == new));
    assert!(host.objects.contains_key(&host.files[&moved][&0]));
    assert!(host.objects.contains_key(&host.files[&new][&0]));
    // And back: it is a place again.
    for act in [Rename(PLACES, 0), Scan] {
        host.act(&act);
    }
    assert_eq!(host.directories.keys().collect::<Vec<_>>(), [&moved]);
}
