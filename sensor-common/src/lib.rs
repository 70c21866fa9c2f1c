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
    DIRECTORY_HAS_PATTERNS, Label, LabelRequest, NameKey, ObjectKey, REQUEST_ARMED, REQUEST_DENIED,
    REQUEST_DIRECTORY, REQUEST_DONE, REQUEST_IDENTIFY, REQUEST_IDLE, REQUEST_OBJECT,
};
pub use limits::{
    ANCESTORS_MAX, COMM_BYTES, DIRECTORIES_MAX, GIVEN_PATH_BYTES, NAME_BYTES, NAMES_MAX, OBJECTS_MAX,
    PATH_BYTES, PATH_COMPONENTS_MAX, PATH_USABLE_BYTES, PREFILTER_WORDS, RING_BYTES,
};
pub use name_hash::{NAME_HASH_BYTES, name_hash, padded_name};
pub use offsets::{MISSING, Offsets};
pub use records::{
    Ancestor, DeniedRecord, ExecRecord, ExitRecord, ForkRecord, MATCHED_DIRECTORY_PATTERN, MATCHED_NAME,
    MATCHED_OBJECT, OPENED_FOR_READING, OPENED_FOR_WRITING, OpenRecord, PathBytes, RECORD_DENIED,
    RECORD_EXEC, RECORD_EXIT, RECORD_FORK, RECORD_OPEN, RecordHeader, TaskSnapshot, UNKNOWN_ID,
};
