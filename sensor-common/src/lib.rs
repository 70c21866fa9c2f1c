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
mod secret_name;

pub use counters::{COUNTERS_PER_PROBE, Counter, PROBES, Probe};
pub use labels::{
    DIRECTORY_HAS_PATTERNS, DIRECTORY_LEADS_ON, DIRECTORY_OF_CREDENTIALS, Label, LabelRequest, NameKey,
    ObjectKey, REQUEST_ARMED, REQUEST_CHANGED, REQUEST_DENIED, REQUEST_DIRECTORY, REQUEST_DONE,
    REQUEST_ENVIRON, REQUEST_HELD, REQUEST_IDENTIFY, REQUEST_IDLE, REQUEST_KCORE, REQUEST_KEY,
    REQUEST_LISTED, REQUEST_MAPPED, REQUEST_MAPS, REQUEST_MEM, REQUEST_OBJECT, REQUEST_PLACE,
    REQUEST_PURPOSE, REQUEST_REACHED, REQUEST_RECEIVED, REQUEST_SIGNAL, REQUEST_SMAPS, REQUEST_WAY,
};
pub use limits::{
    ANCESTORS_MAX, CHANGES_IN_FLIGHT_MAX, COMM_BYTES, DIRECTORIES_MAX, FOUND_MAX, FOUND_NAME_BYTES,
    GIVEN_PATH_BYTES, HOLDERS_MAX, IN_FLIGHT_MAX, NAME_BYTES, NAMES_MAX, OBJECTS_MAX, OWN_BPF_MAX,
    OWN_PLACES_MAX, PATH_BYTES, PATH_COMPONENTS_MAX, PATH_USABLE_BYTES, PIECE_BYTES, PIECES_MAX,
    PREFILTER_WORDS, READERS_MAX, REPEATS_MAX, RING_BYTES, SECRET_NAME_WORDS, SECRET_NAMES_MAX,
    TAMPER_IN_FLIGHT_MAX, WAYS_MAX, WRITTEN_MAX, WRITTEN_PER_SECOND_MAX, WRITTEN_QUIET_NS,
};
pub use name_hash::{NAME_HASH_BYTES, name_hash, padded_name};
pub use offsets::{CALL_READ_ONLY_CAST, MISSING, Offsets, OverlayOffsets};
pub use records::{
    Ancestor, AttemptRecord, CoreDumpRecord, DirectoryListRecord, ExecRecord, ExitRecord, FileUseRecord,
    FileVersion, ForkRecord, FoundName, HeldRecord, KernelKeyRecord, Look, MATCHED_DIRECTORY_PATTERN,
    MATCHED_NAME, MATCHED_OBJECT, OPENED_FOR_READING, OPENED_FOR_WRITING, OPERATION_HOLD, OPERATION_INHERIT,
    OPERATION_KEY, OPERATION_LIST, OPERATION_MAP, OPERATION_OPEN, OPERATION_REACH, OPERATION_RECEIVE,
    OPERATION_TAMPER, PART_BLOCK_DEVICE, PART_DESCRIPTOR, PART_ENVIRON, PART_KERNEL_MEMORY, PART_MAPS,
    PART_MEM, PART_PHYSICAL_MEMORY, PART_PTRACE, PART_VM_READ, PLACE_HEADER, PLACE_OPTION, PLACE_VARIABLE,
    PathBytes, ProcessSecretRecord, ProgramSecretRecord, RECORD_ATTEMPT, RECORD_CORE_DUMP,
    RECORD_DIRECTORY_LIST, RECORD_EXEC, RECORD_EXIT, RECORD_FILE_USE, RECORD_FORK, RECORD_HELD,
    RECORD_KERNEL_KEY, RECORD_PROCESS_SECRET, RECORD_PROGRAM_SECRET, RECORD_TAMPER, RECORD_WRITTEN,
    RecordHeader, RepeatKey, TAMPER_LINK, TAMPER_MAP, TAMPER_MOUNT, TAMPER_PROGRAM, TAMPER_SIGNAL,
    TAMPER_SIGNAL_BY_DESCRIPTOR, TamperRecord, TaskSnapshot, UNKNOWN_ID, WrittenRecord,
};
pub use records::{
    CHANGE_APPEARED, CHANGE_ATTRIBUTE, CHANGE_CREATED, CHANGE_DIRECTORY_EXCHANGED, CHANGE_DIRECTORY_RENAMED,
    CHANGE_EXCHANGED, CHANGE_LINKED, CHANGE_MODE, CHANGE_OWNER, CHANGE_REMOVED, CHANGE_RENAMED,
    CHANGE_SYMLINKED, CHANGE_TRUNCATED, ChangeOfTwoRecord, ChangeRecord, END_UNKNOWN, GivenPath, KnownFile,
    MATCHED_BELOW, RECORD_CHANGE,
};
pub use records::{COVERS_ABOVE, COVERS_OWN};
pub use secret_name::{
    ONLY_WITH_PASSWORD, PLACE_SUFFIX, SECRET_NAME_MASK, place_word, secret_name_bit, secret_name_hash,
    secret_name_seed, secret_name_step,
};
