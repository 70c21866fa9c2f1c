//! Keeps the layout of everything shared in the object's BTF, where the ABI test compares it with the user half's.
//!
//! The linker keeps the types that a program or map still names after optimisation, which is only some of them. This static names them
//! all. It costs nothing at run time: no program refers to it, and its section is none that the loader makes a map of.

use claviger_sensor_common::{
    AgentSocketRecord, Ancestor, AttemptRecord, ChangeOfTwoRecord, ConnectRecord, CoreDumpRecord,
    Destination, DirectoryListRecord, ExecRecord, ExitRecord, FileUseRecord, FileVersion, ForkRecord,
    FoundName, HeldRecord, KernelKeyRecord, Label, LabelRequest, Look, NameKey, ObjectKey, Offsets,
    OverlayOffsets, PacketRecord, PathBytes, ProcessSecretRecord, ProgramRecord, ProgramSecretRecord,
    RecordHeader, RepeatCount, RepeatKey, RootOfTask, SocketFacts, TamperRecord, TaskSnapshot, WrittenRecord,
};

/// One of each. The order means nothing.
#[repr(C)]
struct Abi {
    header: RecordHeader,
    task: TaskSnapshot,
    ancestor: Ancestor,
    path: PathBytes,
    file_use: FileUseRecord,
    version: FileVersion,
    attempt: AttemptRecord,
    change: ChangeOfTwoRecord,
    core_dump: CoreDumpRecord,
    process_secret: ProcessSecretRecord,
    found: FoundName,
    program_secret: ProgramSecretRecord,
    kernel_key: KernelKeyRecord,
    agent_socket: AgentSocketRecord,
    tamper: TamperRecord,
    directory_list: DirectoryListRecord,
    written: WrittenRecord,
    held: HeldRecord,
    connect: ConnectRecord,
    packet: PacketRecord,
    socket: SocketFacts,
    destination: Destination,
    look: Look,
    repeat: RepeatKey,
    repeats: RepeatCount,
    exec: ExecRecord,
    root: RootOfTask,
    program: ProgramRecord,
    fork: ForkRecord,
    exit: ExitRecord,
    object: ObjectKey,
    name: NameKey,
    label: Label,
    request: LabelRequest,
    offsets: Offsets,
    overlay: OverlayOffsets,
}

#[unsafe(no_mangle)]
#[unsafe(link_section = "abi")]
static ABI: Abi = {
    // SAFETY: integers and arrays of them throughout; all zero is a value of each.
    unsafe { core::mem::zeroed() }
};
