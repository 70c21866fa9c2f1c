use super::*;

fn file(inode: u64, owner: u32) -> Labelled {
    Labelled {
        seen: Seen {
            device: 1,
            inode,
            owner,
            born: (0, 0),
        },
        object: ObjectKey {
            inode,
            ..ObjectKey::default()
        },
        id: 7,
        names: None,
    }
}

#[test]
fn what_is_gone_keeps_its_label_until_there_are_too_many() {
    let mut table = Table::default();
    table.begin();
    assert_eq!(table.insert(Root::Host, "/root/key".into(), file(1, 0)), None);
    assert_eq!(table.end(Root::Host), []);
    let mut dropped = Vec::new();
    for inode in 0..GONE_MAX as u64 + 10 {
        table.begin();
        assert_eq!(
            table.insert(Root::Host, "/home/u/key".into(), file(100 + inode, 1000)),
            None
        );
        dropped.extend(table.end(Root::Host));
    }
    // Of the one who made so many, and his oldest; the one of root, gone before all of them, stays.
    let inodes: Vec<_> = dropped
        .iter()
        .map(|dropped| dropped.labelled.object.inode)
        .collect();
    assert_eq!(inodes, (100..110).collect::<Vec<_>>());
    assert!(dropped.iter().all(|dropped| dropped.is_last));
}

#[test]
fn an_object_of_two_paths_keeps_a_label_that_stands_for_something() {
    let mut table = Table::default();
    let seen = file(1, 0).seen;
    table.begin();
    assert_eq!(table.insert(Root::Host, "/a".into(), file(1, 0)), None);
    assert_eq!(table.insert(Root::Host, "/b".into(), file(1, 0)), None);
    table.begin();
    assert!(table.is_labelled(Root::Host, Path::new("/a"), seen));
    assert!(
        !table.is_labelled(Root::Host, Path::new("/b"), file(2, 0).seen),
        "another file"
    );
    table.end(Root::Host);
    let mut dropped = Vec::new();
    for inode in 0..=GONE_MAX as u64 {
        table.begin();
        assert!(table.is_labelled(Root::Host, Path::new("/a"), seen));
        assert_eq!(table.insert(Root::Host, "/c".into(), file(100 + inode, 0)), None);
        dropped.extend(table.end(Root::Host));
    }
    let [Dropped { labelled, is_last }] = dropped.as_slice() else {
        panic!("{dropped:?}")
    };
    assert_eq!(
        (labelled.object.inode, *is_last),
        (1, false),
        "/a leads there still"
    );
    table.begin();
    assert!(
        !table.is_labelled(Root::Host, Path::new("/a"), seen),
        "to be labelled anew"
    );
    assert_eq!(
        table.insert(Root::Host, "/a".into(), file(1, 0)),
        Some(file(1, 0))
    );
    assert!(table.is_labelled(Root::Host, Path::new("/a"), seen));
    assert!(table.is_live(&file(1, 0)));
    assert!(!table.is_live(&file(100, 0)));
}

#[test]
fn what_was_not_looked_at_stays_and_what_was_and_is_gone_does_not() {
    let mut table = Table::default();
    table.begin();
    for (inode, path) in [(1, "/h/hung/a"), (2, "/h/b"), (3, "/h/hungry")] {
        assert_eq!(table.insert(Root::Host, path.into(), file(inode, 0)), None);
    }
    let begun = table.begin();
    let stays = |table: &mut Table| table.stays_below(Root::Host, Path::new("/h/hung"), begun);
    assert_eq!(stays(&mut table), (1, 0));
    assert_eq!(stays(&mut table), (0, 0), "it is counted once");
    assert_eq!(table.end(Root::Host), []);
    let left = table.below(Root::Host);
    assert_eq!(left, [("/h/hung/a".into(), file(1, 0).seen)]);
}

#[test]
fn what_lost_its_label_by_a_mishap_is_labelled_anew_where_it_is_known() {
    let mut table = Table::default();
    table.begin();
    assert_eq!(table.insert(Root::Host, "/a".into(), file(1, 0)), None);
    assert!(table.renew(file(1, 0).object, false));
    assert!(!table.renew(file(1, 0).object, true));
    assert!(!table.renew(file(2, 0).object, false));
    assert!(!table.is_labelled(Root::Host, Path::new("/a"), file(1, 0).seen));
}

mod directories;
mod model;

#[test]
fn scans_of_other_roots_may_begin_and_end_while_one_is_under_way() {
    let mut table = Table::default();
    table.begin();
    assert_eq!(table.insert(Root::Search, "/srv/a".into(), file(1, 0)), None);
    assert_eq!(table.insert(Root::Search, "/srv/b".into(), file(2, 0)), None);
    assert_eq!(table.insert(Root::Search, "/srv/c".into(), file(3, 0)), None);
    table.end(Root::Search);

    let begun = table.begin();
    assert!(table.is_labelled(Root::Search, Path::new("/srv/a"), file(1, 0).seen));
    // The host's places are looked through twice before it goes on.
    for inode in [10, 11] {
        table.begin();
        assert_eq!(table.insert(Root::Host, "/root/key".into(), file(inode, 0)), None);
        table.end(Root::Host);
    }
    assert!(table.is_labelled(Root::Search, Path::new("/srv/b"), file(2, 0).seen));
    table.end_of(Root::Search, begun);
    for (path, inode, is_there) in [("/srv/a", 1, true), ("/srv/b", 2, true), ("/srv/c", 3, false)] {
        let holds = table.holds(Root::Search, Path::new(path), file(inode, 0).seen);
        assert_eq!(holds, is_there, "{path}");
    }
    assert!(table.holds(Root::Host, Path::new("/root/key"), file(11, 0).seen));
}

#[test]
fn what_the_kernel_half_labelled_by_itself_is_bounded_as_what_is_gone() {
    let mut table = Table::default();
    table.begin();
    assert_eq!(table.insert(Root::Host, "/root/key".into(), file(1, 0)), None);
    for inode in 0..GONE_MAX as u64 + 3 {
        table.adopt(file(100 + inode, u32::MAX));
    }
    let objects = table.objects();
    assert!(
        [1, 100, 102]
            .map(|inode| file(inode, 0).object)
            .iter()
            .all(|one| objects.contains(one))
    );
    assert!(!objects.contains(&file(2, 0).object));
    let mut dropped = table.end(Root::Host);
    dropped.retain(|dropped| dropped.is_last);
    let inodes = dropped.iter().map(|dropped| dropped.labelled.object.inode);
    assert_eq!(inodes.collect::<Vec<_>>(), [100, 101, 102], "the oldest");
    assert!(!table.objects().contains(&file(101, 0).object));
}

#[test]
fn what_was_adopted_and_is_found_again_keeps_its_label() {
    let mut table = Table::default();
    table.begin();
    table.adopt(file(1, u32::MAX));
    assert_eq!(table.insert(Root::Host, "/a".into(), file(1, 0)), None);
    table.end(Root::Host);
    let dropped = table.drop_gone(|_| true);
    assert_eq!(
        dropped.iter().filter(|dropped| dropped.is_last).count(),
        0,
        "it lies at a path"
    );
    assert!(table.objects().contains(&file(1, 0).object));
}

#[test]
fn what_only_its_history_tells_is_copies_and_what_has_left_its_path_for_no_other() {
    let mut table = Table::default();
    let place = |table: &mut Table, root, path: &str, file| {
        assert_eq!(table.insert(root, path.into(), file), None);
    };
    table.begin();
    for (path, inode) in [("/a", 1), ("/b", 2), ("/c", 3), ("/d", 4)] {
        place(&mut table, Root::Host, path, file(inode, 0));
    }
    place(&mut table, Root::Copies, "/copy", file(5, 0));
    assert_eq!(table.end(Root::Host), []);
    table.begin();
    // One stays, one is moved to another place, and two are gone.
    assert!(table.is_labelled(Root::Host, Path::new("/a"), file(1, 0).seen));
    place(&mut table, Root::Host, "/e", file(2, 0));
    assert_eq!(table.end(Root::Host), []);
    let mut told: Vec<_> = table
        .by_history()
        .map(|(labelled, path)| (labelled.object.inode, path.map(Path::to_owned)))
        .collect();
    told.sort();
    assert_eq!(told, [(3, None), (4, None), (5, Some("/copy".into()))]);
    // One of those that are gone is still thought to lie there in another tree.
    place(&mut table, Root::Other(7), "/c", file(3, 0));
    assert!(table.by_history().any(|(labelled, _)| labelled.object.inode == 3));
}
