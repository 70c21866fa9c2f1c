use claviger_sensor_common::{Ancestor, Label, PathBytes, TaskSnapshot};
use proptest::prelude::*;
use zerocopy::{FromZeros as _, IntoBytes as _};

use super::*;

fn task() -> TaskSnapshot {
    let mut task = TaskSnapshot::new_zeroed();
    task.pid = 42;
    task.tid = 43;
    task.start_boottime_ns = 1_234_567_890;
    task.login_uid = u32::MAX;
    task.comm[..3].copy_from_slice(b"cat");
    task.ancestors[0] = Ancestor {
        pid: 7,
        reserved: 0,
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
fn an_open_comes_out_whole() {
    let record = OpenRecord {
        header: header(RECORD_OPEN),
        task: task(),
        object: ObjectKey {
            inode: 5,
            device: (8 << 20) | 1,
            generation: 3,
        },
        label: Label { id: 9, flags: 0 },
        matched: MATCHED_OBJECT,
        access: OPENED_FOR_READING,
        path: path(b"credentials\0.aws\0root\0"),
    };
    let Record::Open(open) = decode(record.as_bytes()).expect("decodes") else {
        panic!("an open")
    };
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
        [ProcessKey {
            pid: 7,
            start_ticks: 2
        }]
    );
    assert_eq!(open.object.device, 0x801);
    assert_eq!((open.matched, open.access), (Match::Object(9), Access::Read));
    assert_eq!(open.path.bytes, b"/root/.aws/credentials");
}

#[test]
fn a_refused_open_has_the_path_that_was_asked_for() {
    let mut record = DeniedRecord::new_zeroed();
    record.header = header(RECORD_DENIED);
    record.task = task();
    record.errno = 13;
    record.flags = 2;
    record.given_length = 14;
    record.given[..16].copy_from_slice(b"../.ssh/id_rsa\0!");
    record.base = path(b"work\0demo\0home\0");
    let Record::Denied(denied) = decode(record.as_bytes()).expect("decodes") else {
        panic!("a denial")
    };
    assert_eq!(denied.path.bytes, b"/home/demo/.ssh/id_rsa");
    assert_eq!((denied.errno, denied.access), (13, Access::ReadWrite));
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
    let short = header(RECORD_OPEN);
    assert!(matches!(
        decode(short.as_bytes()),
        Err(DecodeError::TooShort {
            kind: RECORD_OPEN,
            got: 16,
            ..
        })
    ));
}

proptest! {
    #[test]
    fn any_bytes_give_a_record_or_an_error(kind in 0u32..8, mut bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        if bytes.len() >= 4 {
            bytes[..4].copy_from_slice(&kind.to_ne_bytes());
        }
        if let Ok(Record::Open(open)) = decode(&bytes) {
            prop_assert!(open.path.truncated || open.path.bytes.first() == Some(&b'/'));
        }
    }
}
