//! Why a record became no event. Each reason is a variant, so that none is counted that the metrics and their document do not list.

/// An enum of reasons, with all of them and their words.
macro_rules! reasons {
    ($(#[$about:meta])* $name:ident { $($(#[$why:meta])* $reason:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $name {
            $($(#[$why])* $reason,)*
        }

        impl $name {
            /// All reasons.
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$reason,)*];

            /// The words of all.
            pub(super) const WORDS: &[&'static str] = &[$($word,)*];

            /// As accounts, gaps and metrics have it.
            pub(super) const fn word(self) -> &'static str {
                match self {
                    $(Self::$reason => $word,)*
                }
            }
        }
    };
}

reasons! {
    /// It is no loss of anything.
    Dropped {
        /// What was used is no credential of the catalogue.
        NotInCatalogue = "not_in_catalogue",
        /// The catalogue does not ask for such a use of it.
        NotWatched = "operation_not_watched",
        /// Nothing is mounted from the device.
        NotMounted = "device_not_mounted",
        /// A process reached for itself.
        OwnProcess = "own_process",
        /// A file of the sensor's that everybody may read.
        OwnFileRead = "own_file_read",
        /// A program of the sensor's opened a file to be seen doing so.
        SelfTest = "self_test",
        /// It was told by the hook that saw it done, a moment after it was found.
        ToldAsDone = "told_as_done",
        /// It was told by its path, as somebody who has the file open is found.
        ToldByPath = "told_by_path",
        /// Only its path was seen, and a use of that file by that process was told.
        ToldByObject = "told_by_object",
        /// Only its path was seen, and it was never used: the open has failed, or was cancelled.
        NeverUsed = "never_used",
        /// It is told with all that the process does.
        ToldWithActor = "told_with_actor",
        /// A signal that was refused was not for the sensor.
        SignalToAnother = "signal_to_another",
        /// A mount hides nothing of the sensor.
        MountElsewhere = "mount_elsewhere",
        /// A packet, or a connection that was asked for: what it says is told, and counted, by itself.
        Packet = "packet",
        /// What was slowed down, limited or moved is not the sensor.
        AnotherProcessHeld = "another_process_held",
    }
}

reasons! {
    /// Something is lost in the agent.
    LostHere {
        /// The record cannot be read.
        Undecodable = "undecodable",
        /// The kernel half's label stands for nothing that the agent knows.
        UnknownLabel = "unknown_label",
        /// Repeats of a use that is not known.
        UnknownRepeat = "unknown_repeat",
        /// A file that may be a copy, of too many.
        CopyNotLookedAt = "copy_not_looked_at",
        /// What a container or service sees, which was looked into late, or not before it ended: what it used until then may not be told.
        TreeNotLookedInto = "tree_not_looked_into",
        /// An open was refused by a path that says nothing, and where it led is not known: there were too many, the process was gone, or the way was changed.
        RefusedNotFollowed = "refused_not_followed",
        /// Only the path of an open was seen, which says nothing, and nobody can follow it any more. Or that of a change or mount in another tree, by a path of the sensor's own.
        PathNotFollowed = "path_not_followed",
        /// Only the path of an open was seen, which says nothing, and it may have led elsewhere than it does now.
        PathChanged = "path_changed",
        /// Only the path of an open was seen, which leads to nothing that is told, and nobody saw it run.
        OpenNotRun = "open_not_run",
        /// A change of a name by a path that was not in memory when the call began: what was read at its end leads to no credential, and may be another.
        PathReadLate = "path_read_late",
        /// Only a part of the path was seen by which it would be known.
        PathCut = "path_cut",
        /// What was said on a connection could not be followed: a part of it is missing, or too many connections were watched.
        ConnectionNotFollowed = "connection_not_followed",
        /// Credentials that were moved with their directory, of too many.
        TooManyMoved = "too_many_moved",
        /// Directories that came to where credentials can lie, of too many.
        TooManyMoves = "too_many_moves",
        /// Such directories that were not looked into at the end.
        NotScanned = "not_scanned",
    }
}

/// Why a record is not told. It is counted already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTold {
    Dropped(Dropped),
    Lost(LostHere),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_reason_has_a_word_of_its_own_that_is_listed() {
        let dropped: Vec<_> = Dropped::ALL.iter().map(|reason| reason.word()).collect();
        let lost: Vec<_> = LostHere::ALL.iter().map(|reason| reason.word()).collect();
        assert_eq!(dropped, Dropped::WORDS);
        assert_eq!(lost, LostHere::WORDS);
        let words: BTreeSet<_> = dropped.iter().chain(&lost).collect();
        assert_eq!(words.len(), dropped.len() + lost.len());
    }
}
