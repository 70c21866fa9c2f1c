//! What the sensor costs on the network, by the clock of this host: rounds in which each workload is measured with it and, before and behind, without.

pub(crate) mod many;
mod traffic;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use rustix::process::geteuid;
use serde::Serialize;
use serde_json::json;

use self::traffic::{Traffic, Workload};
use crate::decoys::Decoys;
use crate::hook::Hook;
use crate::interrupt::Interrupt;
use crate::stand::{Network, Stand};
use crate::statistics::Spread;

/// Files that are labelled meanwhile.
const LABELS: usize = 500;
/// Behind a start: what starting left to be done is done.
const SETTLE: Duration = Duration::from_millis(1000);

/// Compare traffic on loopback with and without the sensor, by the clock of this host.
#[derive(Args)]
pub(crate) struct Options {
    /// Fewer rounds, for a first look: its numbers prove nothing.
    #[arg(long)]
    quick: bool,
    /// Rounds, each with and without the sensor.
    #[arg(long)]
    rounds: Option<usize>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// End with 1 when a goal is missed; one that noise hides is not.
    #[arg(long)]
    check: bool,
    /// The hook that the sensor is to use for files; who sends on a socket is seen beside lsm and fentry.
    #[arg(long, value_enum, default_value_t = Hook::Tracepoint)]
    hook: Hook,
}

/// How a goal came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Met,
    Missed,
    /// The limit lies within the middle half of the rounds.
    Unclear,
}

/// By the middle half of the rounds.
fn verdict(ratio: Spread, at_most: f64) -> Verdict {
    if ratio.third_quartile <= at_most {
        Verdict::Met
    } else if ratio.first_quartile > at_most {
        Verdict::Missed
    } else {
        Verdict::Unclear
    }
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    ensure!(geteuid().is_root(), "measuring takes root");
    let interrupt = Interrupt::catch()?;
    let decoys = Decoys::make(LABELS)?;
    let stand = Stand::start(&decoys, &interrupt)?.watching(Network::Known);
    let traffic = Traffic::new(options.quick)?;
    let rounds = options.rounds.unwrap_or(if options.quick { 2 } else { 9 }).max(1);
    let mut ratios: Vec<(Workload, Vec<f64>, Vec<f64>)> = Workload::ALL
        .map(|workload| (workload, Vec::new(), Vec::new()))
        .into();
    let measure_all = || -> anyhow::Result<Vec<f64>> {
        interrupt.sleep(SETTLE)?;
        Workload::ALL
            .into_iter()
            .map(|workload| {
                interrupt.check()?;
                let values = traffic
                    .measure(workload)
                    .with_context(|| workload.name().to_owned())?;
                Ok(Spread::of(values).context("nothing was measured")?.median)
            })
            .collect()
    };
    let unwatched_bytes = many::unwatched(&interrupt)?;
    let mut before = measure_all()?;
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        let with = {
            let _sensor = stand.sensor(options.hook, &interrupt)?;
            measure_all()?
        };
        let behind = measure_all()?;
        for (place, (_, values, ratios)) in ratios.iter_mut().enumerate() {
            values.push(behind[place]);
            ratios.push(2.0 * with[place] / (before[place] + behind[place]));
        }
        before = behind;
    }
    let sensor = stand.sensor(options.hook, &interrupt)?;
    let many = many::run(&sensor, unwatched_bytes, &interrupt)?;
    drop(sensor);
    let mut missed = many.lost > 0;
    for (workload, values, ratios) in ratios {
        let without = Spread::of(values).context("nothing was measured")?;
        let ratio = Spread::of(ratios).context("nothing was measured")?;
        let verdict = verdict(ratio, workload.at_most());
        missed |= verdict == Verdict::Missed;
        if options.json {
            println!(
                "{}",
                json!({"result": {
                    "workload": workload.name(),
                    "without_ns": without,
                    "ratio": ratio,
                    "at_most": workload.at_most(),
                    "verdict": verdict,
                }})
            );
        } else {
            println!(
                "{:<34}{:>12.0} ns without, {:.3} times with (middle half {:.3} to {:.3}; at most {:.2}): {}",
                workload.name(),
                without.median,
                ratio.median,
                ratio.first_quartile,
                ratio.third_quartile,
                workload.at_most(),
                match verdict {
                    Verdict::Met => "met",
                    Verdict::Missed => "MISSED",
                    Verdict::Unclear => "unclear",
                }
            );
        }
    }
    if options.json {
        println!("{}", json!({"many": many}));
    } else {
        println!("{many}");
    }
    Ok(if options.check && missed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_or_missed_by_the_whole_middle_half() {
        let of = |first_quartile, third_quartile| {
            let ratio = Spread {
                median: 1.0,
                first_quartile,
                third_quartile,
                values: 9,
            };
            verdict(ratio, 1.02)
        };
        assert_eq!(of(0.9, 1.02), Verdict::Met);
        assert_eq!(of(1.03, 1.1), Verdict::Missed);
        assert_eq!(of(1.0, 1.1), Verdict::Unclear);
    }
}
