//! The table against files that are made, renamed, linked, replaced and removed, and a kernel half that keeps one label for each object.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const PATHS: usize = 6;

#[derive(Clone, Debug)]
enum Act {
    Make(usize),
    Rename(usize, usize),
    Link(usize, usize),
    Exchange(usize, usize),
    Remove(usize),
    NewPolicy,
    Scan,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let path = 0..PATHS;
    let act = prop_oneof![
        3 => path.clone().prop_map(Act::Make),
        3 => (path.clone(), path.clone()).prop_map(|(from, to)| Act::Rename(from, to)),
        2 => (path.clone(), path.clone()).prop_map(|(from, to)| Act::Link(from, to)),
        1 => (path.clone(), path.clone()).prop_map(|(one, other)| Act::Exchange(one, other)),
        2 => path.prop_map(Act::Remove),
        1 => Just(Act::NewPolicy),
        4 => Just(Act::Scan),
    ];
    proptest::collection::vec(act, 1..60)
}

/// Files, the kernel half's labels, and the ids that still stand for something.
#[derive(Default)]
struct Host {
    files: BTreeMap<usize, u64>,
    next_inode: u64,
    kernel: BTreeMap<Inode, u32>,
    held: BTreeMap<u32, usize>,
    table: Table,
    labelled_once: BTreeSet<u64>,
}

type Inode = u64;

impl Host {
    fn act(&mut self, act: &Act) {
        match *act {
            Act::Make(path) => {
                self.next_inode += 1;
                self.files.insert(path, self.next_inode);
            }
            Act::Rename(from, to) => {
                if let Some(inode) = self.files.remove(&from) {
                    self.files.insert(to, inode);
                }
            }
            Act::Link(from, to) => {
                if let Some(inode) = self.files.get(&from).copied() {
                    self.files.insert(to, inode);
                }
            }
            Act::Exchange(one, other) => {
                if let (Some(first), Some(second)) =
                    (self.files.get(&one).copied(), self.files.get(&other).copied())
                {
                    self.files.insert(one, second);
                    self.files.insert(other, first);
                }
            }
            Act::Remove(path) => {
                self.files.remove(&path);
            }
            Act::NewPolicy => self.table.new_policy(),
            Act::Scan => self.scan(),
        }
    }

    /// As the agent does: one id for each path, held by every label that carries it.
    fn scan(&mut self) {
        self.table.begin();
        for (path, inode) in self.files.clone() {
            let name = PathBuf::from(format!("/{path}"));
            let mut labelled = file(inode, 0);
            labelled.id = u32::try_from(path).expect("small");
            if self.table.is_labelled(Root::Host, &name, labelled.seen) {
                continue;
            }
            *self.held.entry(labelled.id).or_default() += 1;
            self.kernel.insert(inode, labelled.id);
            self.labelled_once.insert(inode);
            if let Some(replaced) = self.table.insert(Root::Host, name, labelled) {
                self.release(replaced.id);
            }
        }
        for Dropped { labelled, is_last } in self.table.end(Root::Host) {
            if is_last {
                self.kernel.remove(&labelled.object.inode);
            }
            self.release(labelled.id);
        }
    }

    fn release(&mut self, id: u32) {
        let held = self.held.get_mut(&id).expect("held before");
        *held -= 1;
    }
}

proptest! {
    #[test]
    fn what_is_there_is_labelled_and_no_label_stands_for_nothing(acts in acts(), gone_max in 0_usize..5) {
        let mut host = Host::default();
        host.table.gone_max = gone_max;
        for act in &acts {
            host.act(act);
        }
        // What lost its label to another path's end is labelled anew by the scan after.
        host.scan();
        host.scan();
        for inode in host.files.values() {
            let id = host.kernel.get(inode);
            prop_assert!(id.is_some(), "a file that is there is labelled");
            prop_assert!(id.is_some_and(|id| host.held[id] > 0), "its label stands for something");
        }
        for (inode, id) in &host.kernel {
            prop_assert!(host.held[id] > 0, "inode {} has label {} that stands for nothing", inode, id);
        }
        let there: BTreeSet<_> = host.files.values().copied().collect();
        let gone = host.kernel.keys().filter(|inode| !there.contains(inode)).count();
        prop_assert!(gone <= gone_max, "what has left its path keeps its label up to the bound");
        let left: BTreeSet<_> = host.labelled_once.difference(&there).collect();
        // One that has had several names takes a place for each.
        let renamed = acts
            .iter()
            .any(|act| matches!(act, Act::Link(..) | Act::Rename(..)));
        if left.len() <= gone_max && !renamed {
            prop_assert_eq!(gone, left.len(), "and no less");
        }
        let labels: usize = host.held.values().sum();
        prop_assert!(labels <= host.files.len() + gone_max, "nothing is held for ever");
    }
}

#[test]
fn what_loses_its_last_path_before_it_is_labelled_anew_loses_its_label() {
    use Act::{Link, Make, Remove, Scan};
    let mut host = Host::default();
    host.table.gone_max = 1;
    // The second name gives the label its id, goes, and is driven out by another that goes; then the first name is another file's.
    for act in [
        Make(2),
        Link(2, 3),
        Make(0),
        Scan,
        Remove(3),
        Scan,
        Remove(0),
        Scan,
        Make(2),
        Scan,
    ] {
        host.act(&act);
    }
    for (inode, id) in &host.kernel {
        assert!(
            host.held[id] > 0,
            "inode {inode} has label {id} that stands for nothing"
        );
    }
}
