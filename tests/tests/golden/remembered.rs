//! What the sensor remembers of files that are known by their history only.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, path::Path};

use claviger_sensor::{
    agent::{FileSystem, History, Remembered, RememberedOne},
    kernel::FileHandle,
};
use serde_json::{Value, json};

use super::files::Format;

/// Of a copy on a disk, and of a credential in memory that has left its place, beside which there was no room for others.
pub(crate) const FORMAT: Format = Format {
    name: "remembered",
    version: "v1",
    reads_older: true,
    encode: || {
        let mut remembered = Remembered {
            files: vec![copy(), left()],
            left_out: 3,
        };
        let bytes = remembered.encode();
        assert_eq!((remembered.files.len(), remembered.left_out), (2, 3));
        bytes
    },
    decode: |bytes| {
        let remembered = Remembered::parse(bytes).expect("readable");
        json!({
            "left_out": remembered.left_out,
            "files": remembered.files.iter().map(words).collect::<Vec<_>>(),
        })
    },
};

fn copy() -> RememberedOne {
    RememberedOne {
        history: History::Copy,
        inode: 1_234_567,
        generation: 77,
        born: (1_795_000_000, 123_456_789),
        size: 411,
        modified: (1_795_000_001, 987_654_321),
        file_system: FileSystem {
            id: 0xe0b8_a7f3_5c62_9d14,
            kind: b"ext4".to_vec(),
            source: b"/dev/vda".to_vec(),
        },
        handle: FileHandle::new(1, &[0x87, 0xd6, 0x12, 0, 77, 0, 0, 0]),
        entry: "ssh-private-key".into(),
        path: "/srv/copy".into(),
        at: Path::new("/srv").join(OsStr::from_bytes(b"m\xf6ved")),
    }
}

fn left() -> RememberedOne {
    RememberedOne {
        history: History::Left,
        born: (-1, 0),
        file_system: FileSystem {
            id: 0,
            kind: b"tmpfs".to_vec(),
            source: b"tmpfs".to_vec(),
        },
        handle: None,
        entry: "aws-credentials".into(),
        path: "/home/demo/.aws/credentials".into(),
        at: "/home/demo/.aws/credentials".into(),
        ..copy()
    }
}

fn words(file: &RememberedOne) -> Value {
    let hex_of = |path: &Path| hex::encode(path.as_os_str().as_bytes());
    json!({
        "history": file.history.word(),
        "inode": file.inode,
        "generation": file.generation,
        "born": file.born,
        "size": file.size,
        "modified": file.modified,
        "file_system": {
            "id": file.file_system.id,
            "kind": String::from_utf8_lossy(&file.file_system.kind),
            "source": String::from_utf8_lossy(&file.file_system.source),
        },
        "handle": file.handle.as_ref().map(|handle| (handle.kind(), hex::encode(handle.content()))),
        "entry": file.entry,
        "path_hex": hex_of(&file.path),
        "at_hex": hex_of(&file.at),
    })
}
