//! bpftrace with the script by which its users watch files being opened.

use std::process::Stdio;

use anyhow::ensure;

use crate::child::Running;
use crate::peer::Peer;

/// As bpftrace's own opensnoop: the name on the way in, who and the result on the way out.
const SCRIPT: &str = "BEGIN { printf(\"ready\\n\"); }
tracepoint:syscalls:sys_enter_open, tracepoint:syscalls:sys_enter_openat { @filename[tid] = args->filename; }
tracepoint:syscalls:sys_exit_open, tracepoint:syscalls:sys_exit_openat /@filename[tid]/ {
    printf(\"%-6d %-16s %4d %s\\n\", pid, comm, args->ret, str(@filename[tid]));
    delete(@filename[tid]);
}
END { clear(@filename); }";

/// Starts it; it ends when the result is dropped. What it prints goes to a pipe that is read to nowhere, as a log shipper would.
pub(crate) fn start(program: &Peer) -> anyhow::Result<Running> {
    let mut command = program.with_tracefs();
    command
        .args(["-B", "line", "-e", SCRIPT])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut running = Running::start("bpftrace", &mut command)?;
    // The first line tells of the probes, or of `BEGIN`: both come when all is attached.
    let said = running.first_line()?;
    ensure!(!said.trim().is_empty(), "bpftrace said nothing");
    running.discard_output();
    Ok(running)
}
