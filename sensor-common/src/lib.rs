//! What the kernel half and the user half of the sensor share: records, keys of maps, limits and names.
//!
//! The layout is an ABI between two programs built by different compilers: every type is `repr(C)` without implicit padding
//! (zerocopy's derives refuse padding), and a test compares each layout with the BTF of the built object.
//!
//! Nothing here does anything; there is no function but constants and hashing.
#![forbid(unsafe_code)]
#![no_std]

mod counters;
mod labels;
mod limits;
mod name_hash;
mod offsets;
mod records;

pub use counters::{COUNTERS_PER_PROBE, Counter, PROBES, Probe};
pub use labels::{
    DIRECTORY_HAS_PATTERNS, DIRECTORY_LEADS_ON, Label, LabelRequest, NameKey, ObjectKey, REQUEST_ARMED,
    REQUEST_CHANGED, REQUEST_DENIED, REQUEST_DIRECTORY, REQUEST_DONE, REQUEST_ENVIRON, REQUEST_IDENTIFY,
    REQUEST_IDLE, REQUEST_KCORE, REQUEST_MAPPED, REQUEST_MAPS, REQUEST_MEM, REQUEST_OBJECT, REQUEST_PURPOSE,
    REQUEST_REACHED, REQUEST_RECEIVED, REQUEST_WAY,
};
pub use limits::{
    ANCESTORS_MAX, CHANGES_IN_FLIGHT_MAX, COMM_BYTES, DIRECTORIES_MAX, GIVEN_PATH_BYTES, IN_FLIGHT_MAX,
    NAME_BYTES, NAMES_MAX, OBJECTS_MAX, PATH_BYTES, PATH_COMPONENTS_MAX, PATH_USABLE_BYTES, PREFILTER_WORDS,
    REPEATS_MAX, RING_BYTES, WAYS_MAX,
};
pub use name_hash::{NAME_HASH_BYTES, name_hash, padded_name};
pub use offsets::{CALL_READ_ONLY_CAST, MISSING, Offsets};
pub use records::{
    Ancestor, AttemptRecord, ExecRecord, ExitRecord, FileUseRecord, ForkRecord, MATCHED_DIRECTORY_PATTERN,
    MATCHED_NAME, MATCHED_OBJECT, OPENED_FOR_READING, OPENED_FOR_WRITING, OPERATION_INHERIT, OPERATION_MAP,
    OPERATION_OPEN, OPERATION_REACH, OPERATION_RECEIVE, PART_BLOCK_DEVICE, PART_DESCRIPTOR, PART_ENVIRON,
    PART_KERNEL_MEMORY, PART_MAPS, PART_MEM, PART_PHYSICAL_MEMORY, PART_PTRACE, PART_VM_READ, PathBytes,
    ProcessSecretRecord, RECORD_ATTEMPT, RECORD_EXEC, RECORD_EXIT, RECORD_FILE_USE, RECORD_FORK,
    RECORD_PROCESS_SECRET, RecordHeader, RepeatKey, TaskSnapshot, UNKNOWN_ID,
};
pub use records::{
    CHANGE_APPEARED, CHANGE_ATTRIBUTE, CHANGE_CREATED, CHANGE_EXCHANGED, CHANGE_LINKED, CHANGE_MODE,
    CHANGE_OWNER, CHANGE_REMOVED, CHANGE_RENAMED, CHANGE_SYMLINKED, CHANGE_TRUNCATED, ChangeOfTwoRecord,
    ChangeRecord, END_UNKNOWN, GivenPath, KnownFile, MATCHED_BELOW, RECORD_CHANGE,
};
