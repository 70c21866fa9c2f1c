//! Every way to a credential, done once under one running sensor, and what was seen of each.
//!
//! Where `CLAVIGER_COVERAGE` names a file, the results go there: `docs/coverage.md` is made of them.

mod places;
mod watched;

use claviger_tests::{
    can_load, expected_hook,
    ways::{Outcome, State, all, write},
};
use watched::{TRACEPOINTS_ALONE, Watched};

#[test]
fn each_way_is_seen_as_it_must_be_or_marked_as_not_built() {
    if can_load() {
        each_way("");
    }
}

/// Which this host has alone, and the VMs beside others: there in one boot of each kernel.
#[test]
fn each_way_is_seen_so_with_tracepoints_alone() {
    if can_load() && expected_hook().is_some_and(|hook| hook.starts_with("fentry/")) {
        each_way(TRACEPOINTS_ALONE);
    }
}

fn each_way(more_config: &str) {
    let mut watched = Watched::start(more_config);
    watched.run_all();
    let results = watched.judge();
    let level = watched.level();
    write(level, &watched.kernel(), &results);

    let mut complaints = Vec::new();
    for (way, outcome) in &results {
        match outcome {
            Outcome::CannotRun(why) => println!("{}: cannot run here: {why}", way.name),
            Outcome::Wrong(why) if level.state(way) == State::NotYet => {
                println!(
                    "{}: not yet: {}",
                    way.name,
                    why.lines().next().unwrap_or_default()
                );
            }
            Outcome::Right | Outcome::Wrong(_) => {}
        }
        complaints.extend(outcome.complaint(way, level, watched.cell(way)));
    }
    let seen = results
        .iter()
        .filter(|(_, outcome)| *outcome == Outcome::Right)
        .count();
    println!("{seen} of {} ways are right on {}", all().len(), level.word());
    assert!(
        complaints.is_empty(),
        "{}\n{}",
        complaints.join("\n"),
        watched.log()
    );
}
