//! Wall-clock on this host: rounds in which every condition is made to hold in turn and every workload measured under it; between them nothing
//! is attached and the same is measured, so that what else the machine does hits neighbours alike.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use rustix::process::geteuid;

use crate::audit::{self, RULES};
use crate::condition::{Condition, Means};
use crate::decoys::Decoys;
use crate::goals::{self, Goal};
use crate::hook::Hook;
use crate::interrupt::Interrupt;
use crate::looping::{Plan, What};
use crate::mix::Mix;
use crate::peer::Peer;
use crate::results::Results;
use crate::stand::Stand;
use crate::statistics::Spread;
use crate::table;
use crate::workload::Workload;

/// The numbers that the sensor is measured with.
const LABELS: usize = 10_000;
/// Behind a start: what starting left to be done is done.
const SETTLE: Duration = Duration::from_millis(1000);

/// Compare what the sensor adds with what others add, by the clock of this host.
#[derive(Args)]
pub(crate) struct Options {
    /// Fewer rounds, for a first look: its numbers prove nothing.
    #[arg(long)]
    quick: bool,
    /// Rounds, each with every condition.
    #[arg(long)]
    rounds: Option<usize>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// End with 1 when a goal is missed; one that noise hides is not.
    #[arg(long)]
    check: bool,
    /// The hook that the sensor is to use.
    #[arg(long, value_enum, default_value_t = Hook::Tracepoint)]
    hook: Hook,
    /// auditd, to be compared with.
    #[arg(long, value_name = "PROGRAM", requires = "auditctl")]
    auditd: Option<PathBuf>,
    /// auditctl, to give it rules.
    #[arg(long, value_name = "PROGRAM")]
    auditctl: Option<PathBuf>,
    /// bpftrace, to be compared with.
    #[arg(long, value_name = "PROGRAM")]
    bpftrace: Option<PathBuf>,
    /// Where these programs' libraries are, if not where the system has its own.
    #[arg(long, value_name = "DIRECTORIES")]
    libraries: Option<OsString>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    ensure!(geteuid().is_root(), "measuring takes root");
    let interrupt = Interrupt::catch()?;
    let size = Size::of(options);
    let decoys = Decoys::make(LABELS)?;
    let lists = Lists::write(&decoys, size)?;
    let mix = Mix::make(&decoys)?;
    let stand = Stand::start(&decoys, &interrupt)?;
    let audit = options.auditd.as_deref().zip(options.auditctl.as_deref());
    let peer = |program: &Path| Peer::new(program, options.libraries.as_deref());
    let means = Means {
        stand: &stand,
        decoys: &decoys,
        hook: options.hook,
        audit: audit.map(|(daemon, control)| audit::Tools {
            daemon: peer(daemon),
            control: peer(control),
        }),
        bpftrace: options.bpftrace.as_deref().map(peer),
        interrupt: &interrupt,
    };
    let mut results = Results::default();
    let measure_all = |condition: Condition| -> anyhow::Result<Vec<(Workload, f64)>> {
        let _holding = means.hold(condition)?;
        interrupt.sleep(SETTLE)?;
        let mut medians = Vec::new();
        for workload in Workload::ALL {
            interrupt.check()?;
            let values = measure(workload, condition, &lists, &mix, size)
                .with_context(|| format!("{workload} with {condition}"))?;
            medians.push((
                workload,
                Spread::of(values).context("nothing was measured")?.median,
            ));
        }
        Ok(medians)
    };
    for round in 0..size.rounds {
        let mut conditions = means.conditions();
        // So that none always comes behind the same one.
        let places = conditions.len();
        conditions.rotate_left(round % places);
        let mut before = measure_all(Condition::Nothing)?;
        for condition in conditions {
            eprintln!("round {} of {}: {condition}", round + 1, size.rounds);
            let with = measure_all(condition)?;
            let behind = measure_all(Condition::Nothing)?;
            for (((workload, with), (_, before)), (_, behind)) in with.iter().zip(&before).zip(&behind) {
                results.add(*workload, condition, *with, *before, *behind);
                results.add_nothing(*workload, *behind);
            }
            before = behind;
        }
    }
    let goals = goals::judge(&results);
    if options.json {
        table::json(&results, &goals)?;
    } else {
        table::text(&results, &goals, options.hook);
    }
    let missed = goals.iter().any(Goal::is_missed);
    Ok(if options.check && missed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Size {
    rounds: usize,
    batches: usize,
    calls: usize,
    /// Of first uses a batch has as many, each of another file.
    uses: usize,
    processes: usize,
    mixes: usize,
}

impl Size {
    fn of(options: &Options) -> Self {
        let mut size = if options.quick {
            Self {
                rounds: 2,
                batches: 20,
                calls: 500,
                uses: 50,
                processes: 5,
                mixes: 1,
            }
        } else {
            Self {
                rounds: 9,
                batches: 60,
                calls: 1000,
                uses: 100,
                processes: 20,
                mixes: 2,
            }
        };
        size.rounds = options.rounds.unwrap_or(size.rounds).max(1);
        size
    }
}

/// What loops open.
#[derive(Debug)]
struct Lists {
    unrelated: PathBuf,
    /// As many as a process uses, so that each is a first use.
    first: PathBuf,
    /// What auditd has rules for: with it, the other credentials would be unrelated files.
    ruled: PathBuf,
    repeat: PathBuf,
}

impl Lists {
    fn write(decoys: &Decoys, size: Size) -> anyhow::Result<Self> {
        let credentials = decoys.credentials();
        let first = credentials
            .get(..size.batches * size.uses)
            .context("fewer decoys than uses")?;
        Ok(Self {
            unrelated: decoys.list("unrelated", decoys.unrelated())?,
            first: decoys.list("first", first)?,
            ruled: decoys.list("ruled", &credentials[..RULES])?,
            repeat: decoys.list("repeat", &credentials[..1])?,
        })
    }
}

/// Nanoseconds of a call; of the mix, of the whole, of CPU.
fn measure(
    workload: Workload,
    condition: Condition,
    lists: &Lists,
    mix: &Mix,
    size: Size,
) -> anyhow::Result<Vec<f64>> {
    let plain = Plan {
        what: What::Open,
        list: None,
        batches: size.batches,
        calls: size.calls,
        warm_up: 2,
        pause: false,
        real_time: true,
    };
    match workload {
        Workload::Unrelated => Plan {
            list: Some(&lists.unrelated),
            ..plain
        }
        .measure(),
        Workload::Getppid => Plan {
            what: What::Getppid,
            ..plain
        }
        .measure(),
        Workload::FirstUse => Plan {
            list: Some(if condition == Condition::Auditd {
                &lists.ruled
            } else {
                &lists.first
            }),
            calls: size.uses,
            warm_up: 0,
            pause: true,
            ..plain
        }
        .measure(),
        Workload::Repeat => Plan {
            list: Some(&lists.repeat),
            calls: size.uses,
            pause: true,
            ..plain
        }
        .measure(),
        Workload::Process => Plan {
            what: What::Process,
            calls: size.processes,
            ..plain
        }
        .measure(),
        Workload::Mix => (0..size.mixes).map(|_| mix.measure()).collect(),
    }
}
