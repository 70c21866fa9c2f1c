use claviger_sensor_common::{
    Ancestor, END_NOT_RUN, END_TO_COME, END_TO_RUN, END_UNKNOWN, Label, OPERATION_HOLD, OPERATION_REACH,
    OPERATION_RECEIVE, PART_BLOCK_DEVICE, PART_VM_READ, PathBytes, REACHED_BY_AT, TaskSnapshot,
};
use proptest::prelude::*;
use zerocopy::{FromZeros as _, IntoBytes as _};

use super::*;
use crate::decode::{Came, ProcessKey, ProgramRun, SecretPart, Target};

fn task() -> TaskSnapshot {
    let mut task = TaskSnapshot::new_zeroed();
    task.pid = 42;
    task.tid = 43;
    task.start_boottime_ns = 1_234_567_890;
    task.login_uid = u32::MAX;
    task.comm[..3].copy_from_slice(b"cat");
    task.ancestors[0] = Ancestor {
        pid: 7,
        exec_id: 3,
        start_boottime_ns: 20_000_000,
    };
    task
}

fn path(components: &[u8]) -> PathBytes {
    let mut path = PathBytes::new_zeroed();
    path.length = u32::try_from(components.len()).expect("short");
    path.components[..components.len()].copy_from_slice(components);
    path
}

fn header(kind: u32) -> RecordHeader {
    RecordHeader {
        kind,
        cpu: 1,
        time_boot_ns: 99,
    }
}

#[test]
fn a_use_comes_out_whole() {
    let record = FileUseRecord {
        header: header(RECORD_FILE_USE),
        task: task(),
        key: RepeatKey {
            object: ObjectKey {
                inode: 5,
                device: (8 << 20) | 1,
                generation: 3,
            },
            operation: OPERATION_RECEIVE,
            access: OPENED_FOR_READING,
            ..RepeatKey::default()
        },
        label: Label { id: 9, flags: 0 },
        matched: MATCHED_OBJECT,
        reserved: 0,
        version: FileVersion {
            changed_ns: 7,
            ..FileVersion::default()
        },
        path: path(b"credentials\0.aws\0root\0"),
    };
    let Record::FileUse(open) = decode(record.as_bytes()).expect("decodes") else {
        panic!("a use")
    };
    assert_eq!(open.operation, FileOperation::Receive);
    assert_eq!(
        open.task.process,
        ProcessKey {
            pid: 42,
            start_ticks: 123
        }
    );
    assert_eq!(open.task.comm, "cat");
    assert_eq!(open.task.login_uid, None);
    assert_eq!(
        open.task.ancestors,
        [ProgramRun {
            process: ProcessKey {
                pid: 7,
                start_ticks: 2
            },
            exec_id: 3
        }]
    );
    assert_eq!(open.object.device, 0x801);
    assert_eq!((open.matched, open.access), (Match::Object(9), Access::Read));
    assert_eq!(open.version.map(|version| version.changed_ns), Some(7));
    assert_eq!(open.path.bytes, b"/root/.aws/credentials");
}

#[test]
fn what_is_held_says_since_when() {
    let mut record = HeldRecord::new_zeroed();
    record.header = header(RECORD_HELD);
    record.task = task();
    record.key.operation = OPERATION_HOLD;
    record.key.access = OPENED_FOR_READING;
    record.matched = MATCHED_OBJECT;
    record.label = Label { id: 9, flags: 4 };
    record.pre_existing = 1;
    record.since_boot_ns = 77;
    record.path = path(b"credentials\0.aws\0root\0");
    let Record::Held(held) = decode(record.as_bytes()).expect("decodes") else {
        panic!("it is held")
    };
    assert_eq!((held.pre_existing, held.since_boot_ns), (true, 77));
    assert_eq!(held.file.operation, FileOperation::Hold);
    assert_eq!(held.file.path.bytes, b"/root/.aws/credentials");
}

#[test]
fn a_refused_open_has_the_path_that_was_asked_for() {
    let mut record = AttemptRecord::new_zeroed();
    record.header = header(RECORD_ATTEMPT);
    record.task = task();
    record.errno = 13;
    record.flags = 2;
    record.given_length = 14;
    record.given[..16].copy_from_slice(b"../.ssh/id_rsa\0!");
    record.base = path(b"work\0demo\0home\0");
    let Record::Attempt(denied) = decode(record.as_bytes()).expect("decodes") else {
        panic!("a denial")
    };
    assert_eq!(denied.path.bytes, b"/home/demo/.ssh/id_rsa");
    assert_eq!((denied.end, denied.access), (End::Refused(13), Access::ReadWrite));
    for (errno, end) in [
        (0, End::Succeeded),
        (END_UNKNOWN, End::Unknown),
        (END_TO_COME, End::ToCome),
        (END_TO_RUN, End::ToRun),
        (END_NOT_RUN, End::NotRun),
    ] {
        record.errno = errno;
        let Record::Attempt(attempt) = decode(record.as_bytes()).expect("decodes") else {
            panic!("an attempt")
        };
        assert_eq!(attempt.end, end);
    }
}

#[test]
fn what_was_reached_for_is_named_as_well_as_it_can_be() {
    let mut record = ProcessSecretRecord::new_zeroed();
    record.header = header(RECORD_PROCESS_SECRET);
    record.key.operation = OPERATION_REACH + PART_BLOCK_DEVICE;
    record.key.access = OPENED_FOR_READING;
    record.device = (8 << 20) | 1;
    let decoded = |record: &ProcessSecretRecord| match decode(record.as_bytes()).expect("decodes") {
        Record::ProcessSecret(secret) => secret,
        other => panic!("{other:?}"),
    };
    let whole = decoded(&record);
    assert_eq!(
        (whole.part, whole.target, whole.access),
        (SecretPart::BlockDevice(0x801), Target::Unnamed, Access::Read)
    );
    record.key.operation = OPERATION_REACH + PART_VM_READ;
    record.given_pid = 7;
    assert_eq!(decoded(&record).target, Target::Given(7));
    record.key.access = OPERATION_RECEIVE << REACHED_BY_AT | OPENED_FOR_READING;
    let received = decoded(&record);
    assert_eq!((received.came, received.access), (Came::Received, Access::Read));
    record.key.access = OPERATION_HOLD << REACHED_BY_AT | OPENED_FOR_READING;
    (record.pre_existing, record.since_boot_ns) = (1, 9);
    let (pre_existing, since_boot_ns) = (true, 9);
    assert_eq!(
        decoded(&record).came,
        Came::Found {
            pre_existing,
            since_boot_ns
        }
    );
    record.target = task().ancestors[0];
    assert_eq!(
        decoded(&record).target,
        Target::Process(ProcessKey {
            pid: 7,
            start_ticks: 2
        })
    );
    for operation in [0, OPERATION_REACH, OPERATION_REACH + 100] {
        record.key.operation = operation;
        assert_eq!(
            decode(record.as_bytes()),
            Err(DecodeError::OutOfRange {
                field: "operation",
                value: operation
            })
        );
    }
}

#[test]
fn what_is_no_record_says_why() {
    assert_eq!(
        decode(b""),
        Err(DecodeError::TooShort {
            kind: 0,
            got: 0,
            needed: 16
        })
    );
    assert_eq!(decode(header(77).as_bytes()), Err(DecodeError::UnknownKind(77)));
    let short = header(RECORD_FILE_USE);
    assert!(matches!(
        decode(short.as_bytes()),
        Err(DecodeError::TooShort {
            kind: RECORD_FILE_USE,
            got: 16,
            ..
        })
    ));
}

proptest! {
    #[test]
    fn any_bytes_give_a_record_or_an_error(kind in 0u32..24, mut bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        if bytes.len() >= 4 {
            bytes[..4].copy_from_slice(&kind.to_ne_bytes());
        }
        if let Ok(Record::FileUse(open)) = decode(&bytes) {
            prop_assert!(open.path.truncated || open.path.bytes.first() == Some(&b'/'));
        }
    }
}
