//! Bytes that were written once are read for ever: for each version of each format, a committed file and what it says.
//!
//! The rules, and how a version is added, are told in `tests/golden/README.md`.
//!
//! Each format is one [`Format`]: how today's code makes the sample, and what today's code reads from any version of it. [`files`] holds
//! the committed ones against that.

mod batch;
mod complete;
mod envelope;
mod evidence_log;
mod files;
mod record_words;
mod records;
mod remembered;
mod sample;
mod sealed;
mod spool;

use files::Format;

/// All formats; each is a test under its name.
macro_rules! formats {
    ($($name:ident: $format:expr,)+) => {
        const FORMATS: &[&Format] = &[$(&$format),+];

        $(
            #[test]
            fn $name() {
                assert_eq!($format.name, stringify!($name));
                files::check(&$format);
            }
        )+
    };
}

formats! {
    batch: batch::FORMAT,
    envelope: envelope::FORMAT,
    evidence_log: evidence_log::FORMAT,
    record_attempt: records::ATTEMPT,
    record_connect: records::CONNECT,
    record_core_dump: records::CORE_DUMP,
    record_directory_list: records::DIRECTORY_LIST,
    record_change: records::CHANGE,
    record_exec: records::EXEC,
    record_program: records::PROGRAM,
    record_exit: records::EXIT,
    record_file_use: records::FILE_USE,
    record_fork: records::FORK,
    record_kernel_key: records::KERNEL_KEY,
    record_agent_socket: records::AGENT_SOCKET,
    record_held: records::HELD,
    record_packet: records::PACKET,
    record_process_secret: records::PROCESS_SECRET,
    record_program_secret: records::PROGRAM_SECRET,
    record_tamper: records::TAMPER,
    record_written: records::WRITTEN,
    remembered: remembered::FORMAT,
    spool_anchor: spool::ANCHOR,
    spool_ledger: spool::LEDGER,
    spool_segment: spool::SEGMENT,
}

#[test]
fn every_file_is_of_a_format() {
    files::check_names(FORMATS);
}

#[test]
fn the_batch_holds_every_kind_and_every_field() {
    complete::check(&(batch::FORMAT.encode)());
}
