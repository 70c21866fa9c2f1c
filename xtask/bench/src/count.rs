//! Instructions of a call, in a VM whose clock counts them.
//!
//! Under QEMU's `-icount shift=0,sleep=off` with one emulated CPU a nanosecond of the guest is one instruction, whoever executes it:
//! process, kernel or BPF program. So what loops take is what they cost, the same on every machine.
//!
//! - The guest first idles: what a boot leaves to be done would be counted.
//! - Loops run with `SCHED_FIFO`: the sensor's own work, on the same CPU, is done between batches and is not counted. What it takes to wake
//!   it is.
//! - What nothing attached costs is measured first and last; where the two differ, nothing between them is to be believed.
//!
//! Each line begins with `claviger-bench: `, followed by one JSON object: `{"kernel"}`, `{"count"}`, `{"program"}`, `{"map"}`, `{"share"}`, `{"done"}`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use aya::sys::{Stats, enable_stats};
use serde_json::{Value, json};

use crate::condition::Condition;
use crate::decoys::Decoys;
use crate::empty;
use crate::hook::Hook;
use crate::interrupt::Interrupt;
use crate::looping::{Plan, What};
use crate::programs::Before;
use crate::stand::Stand;
use crate::statistics::Spread;
use crate::workload::Workload;

const RANDOM_ADDRESSES: &str = "/proc/sys/kernel/randomize_va_space";
const LABELS: usize = 10_000;
/// In the guest, where idling takes no time.
const IDLE: Duration = Duration::from_secs(30);
/// Behind each start.
const SETTLE: Duration = Duration::from_secs(5);
const BATCHES: usize = 21;
const USES: usize = 100;
const PROCESSES: usize = 4;
const WORKLOADS: [Workload; 5] = [
    Workload::Unrelated,
    Workload::Getppid,
    Workload::FirstUse,
    Workload::Repeat,
    Workload::Process,
];

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let interrupt = Interrupt::catch()?;
    let kernel =
        std::fs::read_to_string("/proc/sys/kernel/osrelease").context("reading the kernel's release")?;
    say(&json!({"kernel": kernel.trim()}));
    // Where a program lies in memory changes how many pages it touches.
    fs::write(RANDOM_ADDRESSES, "0").context("switching random addresses off")?;
    let decoys = Decoys::make(LABELS)?;
    let lists = Lists::write(&decoys)?;
    let stand = Stand::start(&decoys, &interrupt)?;
    thread::sleep(IDLE);
    lists.count(None, "nothing")?;
    for hook in Hook::ALL {
        let holding = empty::attach(hook)?;
        thread::sleep(SETTLE);
        lists.count(Some(hook), Condition::Empty.name())?;
        drop(holding);
        let before = Before::now()?;
        let sensor = stand.sensor(hook, &interrupt)?;
        tell_programs(&before, hook)?;
        thread::sleep(SETTLE);
        lists.count(Some(hook), Condition::Sensor.name())?;
        tell_shares(&before, hook)?;
        sensor.flush()?;
        tell_losses(hook, &sensor.status()?);
        drop(sensor);
        thread::sleep(SETTLE);
    }
    lists.count(None, "nothing_again")?;
    say(&json!({"done": true}));
    Ok(ExitCode::SUCCESS)
}

fn say(value: &Value) {
    println!("claviger-bench: {value}");
}

fn tell_programs(before: &Before, hook: Hook) -> anyhow::Result<()> {
    for program in before.new_programs()? {
        say(&json!({"program": {"hook": hook.name(), "is": program}}));
    }
    for map in before.new_maps()? {
        say(&json!({"map": {"hook": hook.name(), "is": map}}));
    }
    Ok(())
}

/// Of a process that is created, runs a program and ends: what each of the sensor's programs takes of it, its own accounts of that included.
fn tell_shares(before: &Before, hook: Hook) -> anyhow::Result<()> {
    let _kept = enable_stats(Stats::RunTime).context("having the kernel keep statistics of programs")?;
    let already = before.new_programs()?;
    let plan = Plan {
        what: What::Process,
        list: None,
        batches: BATCHES,
        calls: PROCESSES,
        warm_up: 1,
        pause: true,
        real_time: true,
    };
    plan.measure().context("a process with statistics")?;
    let processes = ((BATCHES + 1) * PROCESSES) as u64;
    for (program, already) in before.new_programs()?.iter().zip(&already) {
        let ran = program.ran_ns.saturating_sub(already.ran_ns) / processes;
        if ran > 0 {
            say(&json!({"share": {"hook": hook.name(), "program": program.name, "instructions": ran}}));
        }
    }
    Ok(())
}

/// A count of an open that the sensor lost is not that of one it reported.
fn tell_losses(hook: Hook, status: &Value) {
    let probes = status["probes"].as_array().map_or(&[][..], Vec::as_slice);
    for probe in probes {
        let lost = probe["lost"].as_object().is_some_and(|lost| !lost.is_empty());
        if lost || probe["probe"] == "file_open" {
            say(&json!({"accounts": {
                "hook": hook.name(), "probe": probe["probe"], "seen": probe["seen"], "lost": probe["lost"],
            }}));
        }
    }
}

struct Lists {
    unrelated: PathBuf,
    first: PathBuf,
    repeat: PathBuf,
}

impl Lists {
    fn write(decoys: &Decoys) -> anyhow::Result<Self> {
        let first = decoys
            .credentials()
            .get(..(BATCHES + 1) * USES)
            .context("fewer decoys than uses")?;
        Ok(Self {
            unrelated: decoys.list("unrelated", decoys.unrelated())?,
            first: decoys.list("first", first)?,
            repeat: decoys.list("repeat", &decoys.credentials()[..1])?,
        })
    }

    /// Measures everything under what holds now, and says it.
    fn count(&self, hook: Option<Hook>, condition: &str) -> anyhow::Result<()> {
        for workload in WORKLOADS {
            let (what, list, calls) = match workload {
                Workload::Unrelated => (What::Open, Some(&self.unrelated), 256),
                Workload::FirstUse => (What::Open, Some(&self.first), USES),
                Workload::Repeat => (What::Open, Some(&self.repeat), USES),
                Workload::Process => (What::Process, None, PROCESSES),
                Workload::Getppid | Workload::Mix => (What::Getppid, None, 1000),
            };
            let plan = Plan {
                what,
                list: list.map(PathBuf::as_path),
                batches: BATCHES,
                calls,
                warm_up: 1,
                pause: true,
                real_time: true,
            };
            let values = plan
                .measure()
                .with_context(|| format!("{workload} with {condition}"))?;
            let spread = Spread::of(values).context("nothing was measured")?;
            say(&json!({"count": {
                "hook": hook.map(Hook::name),
                "condition": condition,
                "workload": workload.name(),
                "instructions": spread.median,
                "first_quartile": spread.first_quartile,
                "third_quartile": spread.third_quartile,
            }}));
        }
        Ok(())
    }
}
