//! A program that does nothing, attached where the sensor's is.

use std::env;
use std::io::{self, Read as _, Write as _};
use std::process::{ExitCode, Stdio};

use anyhow::{Context as _, ensure};
use aya::programs::{FEntry, Lsm, TracePoint};
use aya::{Btf, Ebpf, include_bytes_aligned};
use clap::Args;

use crate::child::{self, Running};
use crate::hook::Hook;

static OBJECT: &[u8] = include_bytes_aligned!(env!("CLAVIGER_EMPTY_OBJECT"));
const READY: &str = "attached";

/// Attach a program that does nothing until standard input ends.
#[derive(Args)]
pub(crate) struct Options {
    /// Where.
    #[arg(value_enum)]
    hook: Hook,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let mut programs = Ebpf::load(OBJECT).context("loading the empty programs")?;
    let name = format!("empty_{}", options.hook);
    let program = programs
        .program_mut(&name)
        .with_context(|| format!("no program {name}"))?;
    let btf = || Btf::from_sys_fs().context("reading the kernel's BTF");
    match options.hook {
        Hook::Lsm => {
            let program: &mut Lsm = program.try_into()?;
            program.load("file_open", &btf()?)?;
            program.attach()?;
        }
        Hook::Fentry => {
            let program: &mut FEntry = program.try_into()?;
            program.load("security_file_open", &btf()?)?;
            program.attach()?;
        }
        Hook::Tracepoint => {
            let program: &mut TracePoint = program.try_into()?;
            program.load()?;
            program.attach("syscalls", "sys_exit_openat")?;
        }
    }
    println!("{READY}");
    io::stdout().flush().context("saying so")?;
    // Links go with this process.
    io::stdin().read_to_end(&mut Vec::new()).context("waiting")?;
    Ok(ExitCode::SUCCESS)
}

/// Attaches one; it is detached when the result is dropped.
pub(crate) fn attach(hook: Hook) -> anyhow::Result<Running> {
    // By its path: `/proc/self/exe` would be the shell that mounts.
    let this = env::current_exe().context("finding this program")?;
    let mut command = child::with_tracefs(this);
    command.arg("empty").arg(hook.name());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::start("the empty program", &mut command)?;
    let said = running.first_line()?;
    ensure!(said.trim() == READY, "the empty program said: {said}");
    Ok(running)
}
