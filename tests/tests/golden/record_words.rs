//! What the sensor reads in records, in words.

use claviger_sensor::decode::{self, FilePath, FileUse, ProcessKey, ProgramRun, Record, Task};
use serde_json::{Value, json};

pub(super) fn words(bytes: &[u8]) -> Value {
    match decode::decode(bytes).expect("a record") {
        Record::FileUse(open) => use_words(&open),
        Record::Held(held) => json!({
            "file": use_words(&held.file),
            "pre_existing": held.pre_existing,
            "since_boot_ns": held.since_boot_ns,
        }),
        Record::Attempt(attempt) => json!({
            "time_boot_ns": attempt.time_boot_ns,
            "task": task_words(&attempt.task),
            "end": format!("{:?}", attempt.end),
            "access": format!("{:?}", attempt.access),
            "path": path_words(&attempt.path),
            "root": [attempt.root.mount, attempt.root.inode],
            "start": format!("{:?}", attempt.start),
        }),
        Record::ProcessSecret(secret) => json!({
            "time_boot_ns": secret.time_boot_ns,
            "task": task_words(&secret.task),
            "target": format!("{:?}", secret.target),
            "part": format!("{:?}", secret.part),
            "errno": secret.errno,
            "access": format!("{:?}", secret.access),
            "came": format!("{:?}", secret.came),
        }),
        Record::CoreDump(dump) => json!({
            "time_boot_ns": dump.time_boot_ns,
            "task": task_words(&dump.task),
            "signal": dump.signal,
            "directory": path_words(&dump.directory),
        }),
        Record::ProgramSecret(program) => json!({
            "time_boot_ns": program.time_boot_ns,
            "task": task_words(&program.task),
            "found": program.found.iter().map(|found| json!({
                "hash": found.hash,
                "place": found.place,
                "name": String::from_utf8_lossy(&found.name),
            })).collect::<Vec<_>>(),
            "left_out": program.left_out,
            "unread": program.unread,
        }),
        Record::AgentSocket(socket) => json!({
            "time_boot_ns": socket.time_boot_ns,
            "task": task_words(&socket.task),
            "name": format!("{:?}", socket.name),
            "peer_pid": socket.peer_pid,
            "peer_uid": socket.peer_uid,
            "errno": socket.errno,
        }),
        Record::KernelKey(key) => json!({
            "time_boot_ns": key.time_boot_ns,
            "task": task_words(&key.task),
            "serial": key.serial,
            "operation": format!("{:?}", key.operation),
            "errno": key.errno,
        }),
        Record::Connect(connect) => json!({
            "time_boot_ns": connect.time_boot_ns,
            "task": task_words(&connect.task),
            "socket": format!("{:?}", connect.socket),
        }),
        Record::Packet(packet) => json!({
            "time_boot_ns": packet.time_boot_ns,
            "task": task_words(&packet.task),
            "packet": format!("{packet:?}"),
            "bytes": String::from_utf8_lossy(&packet.bytes),
        }),
        Record::Tamper(tamper) => json!({
            "time_boot_ns": tamper.time_boot_ns,
            "task": task_words(&tamper.task),
            "done": format!("{:?}", tamper.done),
            "errno": tamper.errno,
        }),
        Record::DirectoryList(list) => json!({
            "time_boot_ns": list.time_boot_ns,
            "task": task_words(&list.task),
            "device": list.object.device,
            "inode": list.object.key.inode,
            "generation": list.object.key.generation,
            "label": list.label,
            "path": path_words(&list.path),
        }),
        Record::Written(written) => json!({
            "writer": process_words(written.writer),
            "exec_id": written.exec_id,
            "device": written.object.device,
            "inode": written.object.key.inode,
            "generation": written.object.key.generation,
            "path": path_words(&written.path),
        }),
        Record::Change(change) => json!({
            "time_boot_ns": change.time_boot_ns,
            "task": task_words(&change.task),
            "what": format!("{:?}", change.what),
            "end": format!("{:?}", change.end),
            "is_by_path": change.is_by_path,
            "overwrote": change.overwrote,
            "before": format!("{:?}", change.before),
            "after": format!("{:?}", change.after),
            "file": format!("{:?}", change.file),
            "place": format!("{:?}", change.place),
            "path": path_words(&change.path),
            "second": change.second.as_ref().map(path_words),
        }),
        Record::Exec(exec) => json!({
            "time_boot_ns": exec.time_boot_ns,
            "task": task_words(&exec.task),
            "root": format!("{:?}", exec.root),
            "exe": path_words(&exec.exe),
            "runs": format!("{:?}", exec.runs),
        }),
        Record::Program(program) => json!({
            "run": run_words(program.run),
            "carried": format!("{:?}", program.carried),
            "applet": program.applet.bytes(),
        }),
        Record::Fork { child, parent } => json!({
            "child": process_words(child),
            "parent": process_words(parent),
        }),
        Record::Exit { process } => json!({ "process": process_words(process) }),
    }
}

fn use_words(file: &FileUse) -> Value {
    json!({
        "time_boot_ns": file.time_boot_ns,
        "task": task_words(&file.task),
        "device": file.object.device,
        "kernel_device": file.object.key.device,
        "inode": file.object.key.inode,
        "generation": file.object.key.generation,
        "operation": format!("{:?}", file.operation),
        "matched": format!("{:?}", file.matched),
        "access": format!("{:?}", file.access),
        "version": format!("{:?}", file.version),
        "path": path_words(&file.path),
    })
}

fn process_words(process: ProcessKey) -> Value {
    json!({ "pid": process.pid, "start_ticks": process.start_ticks })
}

fn run_words(run: ProgramRun) -> Value {
    json!({ "process": process_words(run.process), "exec_id": run.exec_id })
}

fn path_words(path: &FilePath) -> Value {
    json!({ "path": path.display(), "truncated": path.truncated })
}

fn task_words(task: &Task) -> Value {
    json!({
        "process": process_words(task.process),
        "exec_id": task.exec_id,
        "exe_marks": format!("{:?}", task.exe_marks),
        "tid": task.tid,
        "comm": task.comm,
        "exe_device_and_inode": task.exe,
        "uid": task.uid,
        "gid": task.gid,
        "euid": task.euid,
        "egid": task.egid,
        "login_uid": task.login_uid,
        "effective_capabilities": task.effective_capabilities,
        "cgroup_id": task.cgroup_id,
        "mount_namespace": task.mount_namespace,
        "pid_namespace": task.pid_namespace,
        "network_namespace": task.network_namespace,
        "user_namespace": task.user_namespace,
        "ancestors": task.ancestors.iter().copied().map(run_words).collect::<Vec<_>>(),
    })
}
