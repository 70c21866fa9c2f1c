//! More first uses than any host has, what becomes of them, and what is left to be told when it is too many.
//!
//! 1. The load: 2,000 processes alive at a time, each wakes once a second and opens the next ten of 500 labelled files, each file once, so that
//!    every open is a first use; one that has used all its files ends and is replaced. That makes 20,000 first uses and about 40 new
//!    processes a second.
//! 2. The overload: 200 processes alive at a time that open their 500 files as fast as they can.
//! 3. Recovery: once losses have stopped, 1,000 first uses a second for five seconds must all arrive.
//!
//! What was made is counted by the processes that made it, and compared with the sensor's accounts.

mod account;
mod generator;
mod usage;
pub(crate) mod worker;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use rustix::process::geteuid;
use serde_json::json;

use crate::decoys::Decoys;
use crate::hook::Hook;
use crate::interrupt::Interrupt;
use crate::programs::Before;
use crate::stand::{Sensor, Stand};
use account::Account;
use generator::{Made, Shape};
use usage::Usage;

const LABELS: usize = 10_000;
const FILES: usize = 500;
const MOST_MEMORY_BYTES: u64 = 60 * 1000 * 1000;
/// The sensor works off what the ring and its queues hold in less.
const PATIENCE: Duration = Duration::from_secs(120);
const QUIET: Duration = Duration::from_secs(2);
/// In that time others on this host use fewer credentials, or files beside them.
const OTHERS: u64 = 500;

/// Flood the sensor with first uses, overload it, and see it recover.
#[derive(Args)]
pub(crate) struct Options {
    /// Less of everything, for a first look.
    #[arg(long)]
    quick: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// End with 1 when a goal is missed.
    #[arg(long)]
    check: bool,
    /// The hook that the sensor is to use.
    #[arg(long, value_enum, default_value_t = Hook::Tracepoint)]
    hook: Hook,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    ensure!(geteuid().is_root(), "measuring takes root");
    let interrupt = Interrupt::catch()?;
    let decoys = Decoys::make(LABELS)?;
    let files = decoys.credentials().get(..FILES).context("too few decoys")?;
    let list = decoys.list("flood", files)?;
    let stand = Stand::start(&decoys, &interrupt)?;
    let before = Before::now()?;
    let mut sensor = stand.sensor(options.hook, &interrupt)?;
    let maps_bytes: u64 = before.new_maps()?.iter().map(|map| map.memory_bytes).sum();
    let idle = Usage::of(sensor.pid())?;

    let load = Shape {
        processes: if options.quick { 200 } else { 2000 },
        files: FILES,
        at_once: 10,
        interval_us: 1_000_000,
        seconds: if options.quick { 5 } else { 60 },
    };
    let overload = Shape {
        processes: 200,
        interval_us: 0,
        seconds: if options.quick { 3 } else { 15 },
        ..load
    };
    let recovery = Shape {
        processes: 2,
        at_once: 10,
        interval_us: 20_000,
        seconds: 5,
        ..load
    };
    let loaded = phase("load", load, &list, &stand, &mut sensor, &interrupt)?;
    let overloaded = phase("overload", overload, &list, &stand, &mut sensor, &interrupt)?;
    let recovered = phase("recovery", recovery, &list, &stand, &mut sensor, &interrupt)?;

    let most = loaded.most_resident_bytes.max(idle.resident_bytes);
    let mut goals = vec![
        ("load: no use lost", loaded.is_whole()),
        (
            "load: the agent, without the maps, stays under 60 MB",
            most < MOST_MEMORY_BYTES,
        ),
        (
            "overload: what was made is submitted or counted as lost",
            overloaded.adds_up(),
        ),
        ("recovery: every later use is delivered", recovered.is_whole()),
    ];
    if !options.quick {
        goals.push((
            "load: at least 19,000 first uses a second were made",
            loaded.rate() >= 19_000.0,
        ));
    }
    if options.json {
        for phase in [&loaded, &overloaded, &recovered] {
            println!("{}", json!({"flood": phase.to_json()}));
        }
        println!(
            "{}",
            json!({"memory": {"idle_resident_bytes": idle.resident_bytes, "most_resident_bytes": most, "maps_bytes": maps_bytes}})
        );
        for (goal, met) in &goals {
            println!("{}", json!({"goal": {"goal": goal, "met": met}}));
        }
    } else {
        for phase in [&loaded, &overloaded, &recovered] {
            phase.print();
        }
        println!(
            "memory: the agent {:.1} MB idle with {LABELS} labels, {:.1} MB at most under load; the maps {:.1} MB beside it\n",
            megabytes(idle.resident_bytes),
            megabytes(most),
            megabytes(maps_bytes)
        );
        for (goal, met) in &goals {
            println!("{:<8}{goal}", if *met { "met" } else { "MISSED" });
        }
    }
    let missed = goals.iter().any(|(_, met)| !met);
    Ok(if options.check && missed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

#[expect(clippy::cast_precision_loss, reason = "for reading")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// One flood and what became of it.
#[derive(Clone, Debug)]
struct Phase {
    name: &'static str,
    shape: Shape,
    made: Made,
    /// What the sensor's accounts grew by.
    account: Account,
    most_resident_bytes: u64,
    sensor_cpu_ms: u64,
    detector_cpu_ms: u64,
    settled_ms: u64,
}

fn phase(
    name: &'static str,
    shape: Shape,
    list: &Path,
    stand: &Stand,
    sensor: &mut Sensor<'_>,
    interrupt: &Interrupt,
) -> anyhow::Result<Phase> {
    eprintln!("{name}: {}", explained(shape));
    settle(sensor, interrupt)?;
    let account = Account::of(&sensor.status()?);
    let (of_sensor, of_detector) = (Usage::of(sensor.pid())?, Usage::of(stand.detector_pid())?);
    let pid = sensor.pid();
    let mut most = of_sensor.resident_bytes;
    let made = generator::run(shape, list, interrupt, || {
        most = most.max(Usage::of(pid)?.resident_bytes);
        Ok(())
    })?;
    sensor.check()?;
    let settled_ms = settle(sensor, interrupt)?;
    let now = Usage::of(pid)?;
    Ok(Phase {
        name,
        shape,
        made,
        account: Account::of(&sensor.status()?).since(&account),
        most_resident_bytes: most.max(now.resident_bytes),
        sensor_cpu_ms: now.cpu_ms - of_sensor.cpu_ms,
        detector_cpu_ms: Usage::of(stand.detector_pid())?.cpu_ms - of_detector.cpu_ms,
        settled_ms,
    })
}

/// Waits until the sensor has worked off what there was and loses nothing; how long that took.
fn settle(sensor: &mut Sensor<'_>, interrupt: &Interrupt) -> anyhow::Result<u64> {
    let begun = std::time::Instant::now();
    let mut account = Account::of(&sensor.status()?);
    loop {
        interrupt.sleep(QUIET)?;
        sensor.check()?;
        let now = Account::of(&sensor.status()?);
        let grown = now.since(&account);
        if grown.received < OTHERS && grown.lost.is_empty() {
            return Ok(u64::try_from(begun.elapsed().saturating_sub(QUIET).as_millis()).unwrap_or(u64::MAX));
        }
        ensure!(
            begun.elapsed() < PATIENCE,
            "the sensor's accounts do not come to rest: {now:?}"
        );
        account = now;
    }
}

fn explained(shape: Shape) -> String {
    let pace = if shape.interval_us == 0 {
        "as fast as it can".to_owned()
    } else {
        format!("{} every {} ms", shape.at_once, shape.interval_us / 1000)
    };
    format!(
        "{} processes alive at a time, each opens {} labelled files once, {pace}, then ends and is replaced; {} s",
        shape.processes, shape.files, shape.seconds
    )
}

impl Phase {
    #[expect(clippy::cast_precision_loss, reason = "for reading")]
    fn rate(&self) -> f64 {
        self.made.uses as f64 * 1000.0 / self.made.took_ms.max(1) as f64
    }

    /// Everything that was made was delivered and nothing lost. Others on this host use credentials too, so there may be more.
    fn is_whole(&self) -> bool {
        self.made.silent == 0 && self.account.delivered >= self.made.uses && self.account.lost.is_empty()
    }

    /// Submitted and lost in the kernel half are together no less than what was made, and seen is their sum.
    fn adds_up(&self) -> bool {
        let account = &self.account;
        account.seen >= self.made.uses && account.seen == account.submitted + account.lost_in_kernel()
    }

    fn to_json(&self) -> serde_json::Value {
        json!({
            "phase": self.name,
            "made_up_of": explained(self.shape),
            "uses_made": self.made.uses,
            "processes_started": self.made.processes,
            "processes_without_count": self.made.silent,
            "took_ms": self.made.took_ms,
            "accounts": self.account,
            "most_resident_bytes": self.most_resident_bytes,
            "sensor_cpu_ms": self.sensor_cpu_ms,
            "detector_cpu_ms": self.detector_cpu_ms,
            "settled_after_ms": self.settled_ms,
        })
    }

    fn print(&self) {
        println!("{}: {}", self.name, explained(self.shape));
        println!(
            "  made       {} first uses in {:.1} s, {:.0} a second, by {} processes (their own count)",
            self.made.uses,
            Duration::from_millis(self.made.took_ms).as_secs_f64(),
            self.rate(),
            self.made.processes
        );
        if self.made.silent > 0 {
            println!(
                "  and        {} processes that ended without telling their count",
                self.made.silent
            );
        }
        println!(
            "  accounts   kernel half: seen {}, submitted {}; agent: received {}, delivered {}, no uses {} (others' on this host among them)",
            self.account.seen,
            self.account.submitted,
            self.account.received,
            self.account.delivered,
            self.account.dropped
        );
        if self.account.lost.is_empty() {
            println!("  lost       nothing");
        }
        for (reason, count) in &self.account.lost {
            println!("  lost       {count} {reason}");
        }
        println!(
            "  cost       {:.1} s of CPU in the sensor, {:.1} s in the detector, {:.1} MB in the agent at most; at rest {:.1} s after\n",
            Duration::from_millis(self.sensor_cpu_ms).as_secs_f64(),
            Duration::from_millis(self.detector_cpu_ms).as_secs_f64(),
            megabytes(self.most_resident_bytes),
            Duration::from_millis(self.settled_ms).as_secs_f64()
        );
    }
}
