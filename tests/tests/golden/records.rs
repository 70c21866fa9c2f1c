//! What the kernel half writes into the ring. Both halves are always of one build, so only today's layout has to be read; the files show
//! that a change of it was meant.

use claviger_sensor_common::{
    ABOVE_OUTSIDE, ABOVE_ROOT, ANCESTORS_MAX, AgentSocketRecord, Ancestor, AttemptRecord, CHANGE_RENAMED,
    ChangeOfTwoRecord, ConnectRecord, CoreDumpRecord, Destination, DirectoryListRecord, ExecRecord,
    ExitRecord, FileUseRecord, FileVersion, ForkRecord, HeldRecord, KernelKeyRecord, KnownFile, Label,
    MARK_DELETED, MARK_MEMFD, MARK_UPPER_LAYER, MATCHED_OBJECT, NOT_TOLD_NO_ARGUMENT, OPENED_FOR_READING,
    OPERATION_HOLD, OPERATION_KEY, OPERATION_LIST, OPERATION_OPEN, OPERATION_REACH, OPERATION_SOCKET,
    OPERATION_TAMPER, ObjectKey, PACKET_RECEIVED, PART_BLOCK_DEVICE, PLACE_OPTION, PLACE_VARIABLE,
    PROGRAM_SCRIPT_FILE, PacketRecord, PathBytes, ProcessSecretRecord, ProgramRecord, ProgramSecretRecord,
    REACHED_BY_AT, RECORD_AGENT_SOCKET, RECORD_ATTEMPT, RECORD_CHANGE, RECORD_CONNECT, RECORD_CORE_DUMP,
    RECORD_DIRECTORY_LIST, RECORD_EXEC, RECORD_EXIT, RECORD_FILE_USE, RECORD_FORK, RECORD_HELD,
    RECORD_KERNEL_KEY, RECORD_PACKET, RECORD_PROCESS_SECRET, RECORD_PROGRAM, RECORD_PROGRAM_SECRET,
    RECORD_TAMPER, RECORD_WRITTEN, ROOT_IS_TOP, RUNS_INTERPRETER, RecordHeader, RepeatKey, RootOfTask,
    RootPlace, SECRET_NAME_MASK, SocketFacts, TAMPER_MOUNT, TamperRecord, TaskSnapshot, UNKNOWN_ID,
    WrittenRecord, secret_name_hash,
};
use zerocopy::{FromZeros, IntoBytes as _};

use super::{files::Format, record_words::words};

const fn format(name: &'static str, encode: fn() -> Vec<u8>) -> Format {
    Format {
        name,
        version: "v1",
        reads_older: false,
        encode,
        decode: words,
    }
}

pub(crate) const FILE_USE: Format = format("record_file_use", || {
    let record = FileUseRecord {
        header: header(RECORD_FILE_USE),
        task: task(),
        key: key(OPERATION_OPEN, 0),
        label: Label { id: 9, flags: 1 },
        matched: MATCHED_OBJECT,
        reserved: 0,
        version: FileVersion {
            size: 116,
            modified_s: 1_790_000_000,
            changed_s: 1_790_000_001,
            modified_ns: 500,
            changed_ns: 999_999_999,
        },
        path: path(b"credentials\0.aws\0demo\0home\0", 0),
    };
    record.as_bytes().to_vec()
});

pub(crate) const HELD: Format = format("record_held", || {
    let record = HeldRecord {
        header: header(RECORD_HELD),
        task: task(),
        key: key(OPERATION_HOLD, 0),
        label: Label { id: 9, flags: 1 },
        matched: MATCHED_OBJECT,
        pre_existing: 1,
        since_boot_ns: 4_242_000_029_694,
        path: path(b"credentials\0.aws\0demo\0home\0", 0),
    };
    record.as_bytes().to_vec()
});

pub(crate) const ATTEMPT: Format = format("record_attempt", || {
    let mut record = AttemptRecord {
        header: header(RECORD_ATTEMPT),
        task: task(),
        errno: 13,
        flags: 2,
        given_length: 14,
        root: RootPlace {
            mount: 29 | ROOT_IS_TOP,
            inode: 131_074,
        },
        above: ABOVE_OUTSIDE | ABOVE_ROOT,
        base: path(b"work\0demo\0home\0", 1),
        ..FromZeros::new_zeroed()
    };
    record.given[..14].copy_from_slice(b"../.ssh/id_rsa");
    record.as_bytes().to_vec()
});

pub(crate) const CHANGE: Format = format("record_change", || {
    let mut record = ChangeOfTwoRecord::new_zeroed();
    let change = &mut record.change;
    change.header = header(RECORD_CHANGE);
    change.task = task();
    change.what = CHANGE_RENAMED;
    change.overwrote = 1;
    change.mode_before = 0o600;
    change.mode_after = UNKNOWN_ID;
    change.uid_before = 1_000;
    change.gid_before = 1_001;
    change.uid_after = UNKNOWN_ID;
    change.gid_after = UNKNOWN_ID;
    change.file = KnownFile {
        label: Label { id: 9, flags: 0 },
        matched: MATCHED_OBJECT,
        through_overlay: 0,
        object: key(OPERATION_OPEN, 0).object,
    };
    change.path.base = path(b"id_rsa\0.ssh\0demo\0", 0);
    record.second.given_length = 9;
    record.second.given[..9].copy_from_slice(b"../id.old");
    record.second.base = path(b"work\0demo\0jail\0srv\0", 0);
    record.second.base.length = 10;
    record.second.above = ABOVE_ROOT;
    record.second.root_length = 9;
    record.as_bytes().to_vec()
});

pub(crate) const CORE_DUMP: Format = format("record_core_dump", || {
    let record = CoreDumpRecord {
        header: header(RECORD_CORE_DUMP),
        task: task(),
        signal: 11,
        reserved: 0,
        directory: path(b"payments\0srv\0", 0),
    };
    record.as_bytes().to_vec()
});

pub(crate) const PROCESS_SECRET: Format = format("record_process_secret", || {
    let record = ProcessSecretRecord {
        header: header(RECORD_PROCESS_SECRET),
        task: task(),
        key: RepeatKey {
            access: OPENED_FOR_READING | OPERATION_HOLD << REACHED_BY_AT,
            ..key(OPERATION_REACH + PART_BLOCK_DEVICE, 0)
        },
        target: ancestor(4_244),
        given_pid: 0,
        device: 8 << 20 | 1,
        since_boot_ns: 5_000_000_000,
        pre_existing: 1,
        reserved: 0,
    };
    record.as_bytes().to_vec()
});

pub(crate) const PROGRAM_SECRET: Format = format("record_program_secret", || {
    let mut record = ProgramSecretRecord {
        header: header(RECORD_PROGRAM_SECRET),
        task: task(),
        count: 2,
        left_out: 1,
        unread: 1,
        ..FromZeros::new_zeroed()
    };
    let found = [(PLACE_VARIABLE, &b"GITHUB_TOKEN"[..]), (PLACE_OPTION, b"--token")];
    for (to, (place, name)) in record.found.iter_mut().zip(found) {
        to.hash = secret_name_hash(place, name) & SECRET_NAME_MASK;
        to.place = place;
        to.length = u32::try_from(name.len()).expect("short");
        to.name[..name.len()].copy_from_slice(name);
    }
    record.as_bytes().to_vec()
});

pub(crate) const KERNEL_KEY: Format = format("record_kernel_key", || {
    let mut key = key(OPERATION_KEY, 13);
    key.object = ObjectKey {
        inode: u64::from(u32::MAX - 2),
        device: 11,
        generation: 0,
    };
    let record = KernelKeyRecord {
        header: header(RECORD_KERNEL_KEY),
        task: task(),
        key,
    };
    record.as_bytes().to_vec()
});

fn socket() -> SocketFacts {
    SocketFacts {
        cookie: 4711,
        asked: destination([169, 254, 169, 254], 80),
        directed: destination([127, 0, 0, 1], 8_080),
        transport: 6,
        reserved: 0,
    }
}

fn destination(address: [u8; 4], port: u32) -> Destination {
    Destination {
        address: std::net::Ipv4Addr::from(address).to_ipv6_mapped().octets(),
        port,
    }
}

pub(crate) const CONNECT: Format = format("record_connect", || {
    let record = ConnectRecord {
        header: header(RECORD_CONNECT),
        task: task(),
        socket: socket(),
    };
    record.as_bytes().to_vec()
});

pub(crate) const PACKET: Format = format("record_packet", || {
    let mut record = PacketRecord {
        header: header(RECORD_PACKET),
        task: task(),
        socket: socket(),
        peer: Destination {
            address: std::net::Ipv4Addr::new(192, 0, 2, 9).to_ipv6_mapped().octets(),
            port: 8080,
        },
        direction: PACKET_RECEIVED,
        offset: 100,
        length: 12,
        left: 3,
        urgent: 2,
        ..FromZeros::new_zeroed()
    };
    record.bytes[..12].copy_from_slice(b"HTTP/1.1 200");
    record.as_bytes().to_vec()
});

pub(crate) const AGENT_SOCKET: Format = format("record_agent_socket", || {
    let record = AgentSocketRecord {
        header: header(RECORD_AGENT_SOCKET),
        task: task(),
        key: key(OPERATION_SOCKET, 0),
        peer_pid: 812,
        peer_uid: 1_000,
        path: path(b"S.gpg-agent.ssh\0.gnupg\0demo\0home\0", 0),
        ..FromZeros::new_zeroed()
    };
    record.as_bytes().to_vec()
});

pub(crate) const TAMPER: Format = format("record_tamper", || {
    let mut record = TamperRecord {
        header: header(RECORD_TAMPER),
        task: task(),
        key: key(OPERATION_TAMPER + TAMPER_MOUNT, 1),
        number: 0,
        id: 0,
        ..FromZeros::new_zeroed()
    };
    record.path.given_length = 6;
    record.path.given[..6].copy_from_slice(b"sensor");
    record.path.base = path(b"claviger\0lib\0var\0", 0);
    record.as_bytes().to_vec()
});

pub(crate) const DIRECTORY_LIST: Format = format("record_directory_list", || {
    let record = DirectoryListRecord {
        header: header(RECORD_DIRECTORY_LIST),
        task: task(),
        key: key(OPERATION_LIST, 0),
        label: Label { id: 9, flags: 3 },
        path: path(b".ssh\0demo\0home\0", 0),
    };
    record.as_bytes().to_vec()
});

fn key(operation: u32, errno: u32) -> RepeatKey {
    RepeatKey {
        pid: 4_242,
        operation,
        start_boottime_ns: 4_242_000_029_694,
        exec_id: 3,
        object: ObjectKey {
            inode: 1_234_567,
            device: (253 << 20) | 300,
            generation: 77,
        },
        access: OPENED_FOR_READING,
        errno,
    }
}

pub(crate) const EXEC: Format = format("record_exec", || {
    let record = ExecRecord {
        header: header(RECORD_EXEC),
        task: task(),
        root: RootOfTask {
            namespace_sequence: 17,
            inode: 256,
            device: 8 << 20 | 1,
            reserved: 0,
        },
        runs: RUNS_INTERPRETER,
        not_told: NOT_TOLD_NO_ARGUMENT,
        exe: path(b"p\xff\nython\0bin\0usr\0", 0),
    };
    record.as_bytes().to_vec()
});

pub(crate) const PROGRAM: Format = format("record_program", || {
    let mut record = ProgramRecord {
        header: header(RECORD_PROGRAM),
        process: Ancestor {
            exec_id: 4_243,
            ..ancestor(4_242)
        },
        how: PROGRAM_SCRIPT_FILE,
        applet_length: 7,
        inode: 998_878,
        device: 8 << 20 | 1,
        marks: MARK_DELETED | MARK_UPPER_LAYER,
        given_length: 5,
        path: path(b"aws\0bin\0usr\0", 0),
        ..FromZeros::new_zeroed()
    };
    record.applet[..7].copy_from_slice(b"/bin/sh");
    record.given[..5].copy_from_slice(b"./aws");
    record.as_bytes().to_vec()
});

pub(crate) const FORK: Format = format("record_fork", || {
    let record = ForkRecord {
        header: header(RECORD_FORK),
        child: ancestor(4_243),
        parent: ancestor(4_242),
    };
    record.as_bytes().to_vec()
});

pub(crate) const EXIT: Format = format("record_exit", || {
    let record = ExitRecord {
        header: header(RECORD_EXIT),
        process: ancestor(4_242),
    };
    record.as_bytes().to_vec()
});

pub(crate) const WRITTEN: Format = format("record_written", || {
    let record = WrittenRecord {
        header: header(RECORD_WRITTEN),
        writer: ancestor(4_242),
        exec_id: 3,
        object: key(OPERATION_OPEN, 0).object,
        marks: MARK_MEMFD,
        reserved: 0,
        path: path(b"copy\0tmp\0", 0),
    };
    record.as_bytes().to_vec()
});

fn header(kind: u32) -> RecordHeader {
    RecordHeader {
        kind,
        cpu: 3,
        time_boot_ns: 987_654_321_012,
    }
}

fn ancestor(pid: u32) -> Ancestor {
    Ancestor {
        pid,
        exec_id: 0,
        start_boottime_ns: u64::from(pid) * 1_000_000_007,
    }
}

fn task() -> TaskSnapshot {
    let mut ancestors = [Ancestor::new_zeroed(); ANCESTORS_MAX];
    for (place, pid) in ancestors.iter_mut().zip([812, 1]) {
        *place = Ancestor {
            exec_id: pid + 1,
            ..ancestor(pid)
        };
    }
    TaskSnapshot {
        pid: 4_242,
        tid: 4_250,
        start_boottime_ns: 4_242_000_029_694,
        effective_capabilities: 1 << 19 | 1 << 21,
        cgroup_id: 5_353,
        exe_inode: 998_877,
        exe_device: 8 << 20 | 1,
        uid: 1_000,
        gid: 1_001,
        euid: 0,
        egid: 4,
        login_uid: UNKNOWN_ID,
        mount_namespace: 4_026_531_841,
        pid_namespace: 4_026_531_836,
        network_namespace: 4_026_531_840,
        user_namespace: 4_026_531_837,
        exec_id: 4_243,
        exe_marks: MARK_MEMFD,
        comm: *b"aws\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ancestors,
    }
}

fn path(components: &[u8], truncated: u32) -> PathBytes {
    let mut path = PathBytes::new_zeroed();
    path.length = u32::try_from(components.len()).expect("short");
    path.truncated = truncated;
    path.components[..components.len()].copy_from_slice(components);
    path
}
