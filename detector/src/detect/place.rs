//! Whether a program is proved to be the one that its path names.
//!
//! - It must be the very file that lies at its path, in the host's own tree, or in a tree of the process's own that only who administers the host
//!   can have made. So a container's usual reader is believed where its runtime gave it the tree, as far as whoever made its image is; that of a
//!   rootless container, or of one in a user namespace, is not, for any user can make the same.
//! - It must belong to root, and nobody else may be allowed to write it. In a home it may belong to the user as whom it acts: who can replace it can
//!   read what it reads.
//! - What is not known proves nothing.

use claviger_proto::v1::{ProgramPlace, Tree};

const ROOT: u32 = 0;
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Why it is not, where it is not.
pub(super) fn is_proved(
    path: &str,
    place: Option<&ProgramPlace>,
    acts_as: Option<u32>,
) -> Result<(), String> {
    let Some(place) = place else {
        return Err("whether it is the file that lies there is not known".into());
    };
    let because = |otherwise: &str| {
        Err(if place.reason.is_empty() {
            otherwise.to_owned()
        } else {
            place.reason.clone()
        })
    };
    match place.tree() {
        Tree::Host | Tree::Own => {}
        Tree::None => return because("the file that was run is another"),
        Tree::Unspecified => return because("whether it is the file that lies there is not known"),
    }
    let (Some(owner), Some(mode)) = (place.owner_uid, place.mode) else {
        return because("who may write it is not known");
    };
    let is_own = path.starts_with("/home/") && acts_as == Some(owner);
    if owner != ROOT && !is_own {
        return Err(format!("that file belongs to uid {owner}"));
    }
    if mode & WRITABLE_BY_OTHERS != 0 {
        return Err(format!(
            "others than its owner may write that file (mode {mode:04o})"
        ));
    }
    Ok(())
}

/// That of a file which is proved.
#[cfg(test)]
pub(super) fn proved() -> Option<ProgramPlace> {
    Some(ProgramPlace {
        tree: Tree::Host.into(),
        owner_uid: Some(ROOT),
        mode: Some(0o755),
        reason: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS: &str = "/usr/bin/aws";

    fn refused(path: &str, acts_as: u32, change: impl FnOnce(&mut ProgramPlace)) -> String {
        let mut place = proved().expect("one");
        change(&mut place);
        is_proved(path, Some(&place), Some(acts_as))
            .err()
            .unwrap_or_default()
    }

    #[test]
    fn a_file_of_root_at_its_path_is_proved_in_the_hosts_tree_and_in_one_that_was_given() {
        assert_eq!(refused(AWS, 0, |_| ()), "");
        assert_eq!(refused(AWS, 1_000, |place| place.set_tree(Tree::Own)), "");
    }

    #[test]
    fn another_file_and_what_is_not_known_are_not() {
        let said = refused(AWS, 0, |place| {
            place.set_tree(Tree::None);
            place.reason = "another file lies there".into();
        });
        assert_eq!(said, "another file lies there");
        assert_ne!(refused(AWS, 0, |place| place.set_tree(Tree::None)), "");
        assert_ne!(refused(AWS, 0, |place| place.set_tree(Tree::Unspecified)), "");
        assert_ne!(refused(AWS, 0, |place| place.tree = 99), "", "one of tomorrow");
        assert_ne!(refused(AWS, 0, |place| place.owner_uid = None), "");
        assert_ne!(refused(AWS, 0, |place| place.mode = None), "");
        assert!(is_proved(AWS, None, Some(0)).is_err());
    }

    #[test]
    fn what_others_can_have_written_is_not() {
        assert_eq!(refused(AWS, 0, |place| place.mode = Some(0o4755)), "");
        for mode in [0o775, 0o757, 0o777] {
            assert!(refused(AWS, 0, |place| place.mode = Some(mode)).contains("write"));
        }
        assert!(refused(AWS, 1_000, |place| place.owner_uid = Some(1_000)).contains("uid 1000"));
    }

    #[test]
    fn in_a_home_it_may_be_the_users_for_what_he_does_himself() {
        let home = "/home/demo/.local/bin/claude";
        let of_user = |place: &mut ProgramPlace| place.owner_uid = Some(1_000);
        assert_eq!(refused(home, 1_000, of_user), "");
        assert_ne!(refused(home, 0, of_user), "");
        assert_ne!(refused(home, 1_001, of_user), "");
    }
}
