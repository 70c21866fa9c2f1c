//! What a counting VM said, and as it is recorded. Pure.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

const MARK: &str = "claviger-bench: ";
/// What nothing attached costs may differ so much, first from last; else the guest was not at rest.
const DRIFT: f64 = 0.01;
/// The middle half of the batches may lie so far apart.
const UNREST: f64 = 0.01;
const NOTHING: &str = "nothing";
const AGAIN: &str = "nothing_again";

/// The numbers of one kernel. Keys are dotted names, so that a line of the record tells what it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counts {
    /// `WORKLOAD.nothing`, `WORKLOAD.HOOK.empty_program`, `WORKLOAD.HOOK.sensor`: instructions of a call; what is behind a hook, added to nothing.
    pub(super) instructions: BTreeMap<String, f64>,
    /// By the same names: how far the middle half of the batches lies apart, of the count and of the baseline together.
    pub(super) apart: BTreeMap<String, f64>,
    /// `HOOK.PROGRAM`: instructions that the verifier looked at.
    pub(super) verified: BTreeMap<String, f64>,
    /// `HOOK.PROGRAM`: bytes of the program after the verifier's rewriting.
    pub(super) translated_bytes: BTreeMap<String, f64>,
    /// `HOOK.PROGRAM`: instructions that the program takes when a process is created, runs a program and ends.
    pub(super) process_shares: BTreeMap<String, f64>,
    /// `HOOK`: memory of all maps.
    pub(super) map_bytes: BTreeMap<String, f64>,
    /// What is not as exact as it should be.
    pub(super) doubts: Vec<String>,
}

impl Counts {
    /// Reads a serial log.
    pub(super) fn read(log: &str) -> anyhow::Result<Self> {
        let mut counts = Self::default();
        let mut bases = BTreeMap::new();
        let mut done = false;
        for said in log.lines().filter_map(|line| line.split_once(MARK)) {
            let said: Value =
                serde_json::from_str(said.1.trim()).with_context(|| format!("no JSON: {}", said.1))?;
            if said["done"] == true {
                done = true;
            } else if said["count"].is_object() {
                counts.add(&said["count"], &mut bases)?;
            } else if said["program"].is_object() {
                counts.add_program(&said["program"])?;
            } else if said["map"].is_object() {
                let hook = word(&said["map"]["hook"])?;
                let bytes = number(&said["map"]["is"]["memory_bytes"])?;
                *counts.map_bytes.entry(hook).or_default() += bytes;
            } else if said["share"].is_object() {
                let share = &said["share"];
                let name = format!("{}.{}", word(&share["hook"])?, word(&share["program"])?);
                counts
                    .process_shares
                    .insert(name, number(&share["instructions"])?);
            } else if said["accounts"].is_object() {
                counts.look_at_accounts(&said["accounts"])?;
            }
        }
        ensure!(done, "the VM ended before everything was counted; see its log");
        Ok(counts)
    }

    fn add(&mut self, count: &Value, bases: &mut BTreeMap<String, (f64, f64)>) -> anyhow::Result<()> {
        let workload = word(&count["workload"])?;
        let condition = word(&count["condition"])?;
        let value = number(&count["instructions"])?;
        let apart = number(&count["third_quartile"])? - number(&count["first_quartile"])?;
        let name = match count["hook"].as_str() {
            Some(hook) => format!("{workload}.{hook}.{condition}"),
            None => format!("{workload}.{condition}"),
        };
        if apart > UNREST * value {
            self.doubts.push(format!(
                "{name}: the middle half of its batches lies {apart:.0} of {value:.0} instructions apart"
            ));
        }
        match condition.as_str() {
            NOTHING => {
                bases.insert(workload, (value, apart));
                self.apart.insert(name.clone(), apart);
                self.instructions.insert(name, value);
            }
            AGAIN => {
                let (base, _) = bases
                    .get(&workload)
                    .context("the last baseline without a first")?;
                if (value - base).abs() > DRIFT * base {
                    self.doubts.push(format!(
                        "{workload}: nothing attached cost {base:.0} instructions first and {value:.0} last"
                    ));
                }
            }
            _ => {
                let (base, base_apart) = bases.get(&workload).context("a count before the baseline's")?;
                self.apart.insert(name.clone(), apart + base_apart);
                self.instructions.insert(name, value - base);
            }
        }
        Ok(())
    }

    fn add_program(&mut self, program: &Value) -> anyhow::Result<()> {
        let name = format!("{}.{}", word(&program["hook"])?, word(&program["is"]["name"])?);
        for (key, into) in [
            ("verified", &mut self.verified),
            ("translated_bytes", &mut self.translated_bytes),
        ] {
            // Kernels before 5.16 do not tell.
            if let Some(value) = program["is"][key].as_f64() {
                into.insert(name.clone(), value);
            }
        }
        Ok(())
    }

    fn look_at_accounts(&mut self, accounts: &Value) -> anyhow::Result<()> {
        let lost = accounts["lost"].as_object().context("no losses")?;
        if !lost.is_empty() {
            self.doubts.push(format!(
                "{} {}: uses were lost: {}",
                word(&accounts["hook"])?,
                word(&accounts["probe"])?,
                accounts["lost"]
            ));
        }
        Ok(())
    }
}

fn word(value: &Value) -> anyhow::Result<String> {
    value.as_str().map(str::to_owned).context("a name is missing")
}

fn number(value: &Value) -> anyhow::Result<f64> {
    match value.as_f64() {
        Some(number) => Ok(number),
        None => bail!("a number is missing: {value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(hook: Option<&str>, condition: &str, value: f64, apart: f64) -> String {
        let count = serde_json::json!({"count": {
            "hook": hook, "condition": condition, "workload": "getppid", "instructions": value,
            "first_quartile": value, "third_quartile": value + apart,
        }});
        format!("[   31.4] x {MARK}{count}\r\n")
    }

    const DONE: &str = "claviger-bench: {\"done\":true}\r\n";

    #[test]
    fn what_hooks_add_is_recorded_beside_the_whole_of_nothing() {
        let log = line(None, NOTHING, 200.0, 0.0)
            + &line(Some("lsm"), "sensor", 230.0, 0.0)
            + &line(None, AGAIN, 201.0, 0.0)
            + DONE;
        let counts = Counts::read(&log).expect("reads");
        assert_eq!(counts.instructions["getppid.nothing"], 200.0);
        assert_eq!(counts.instructions["getppid.lsm.sensor"], 30.0);
        assert_eq!(counts.doubts, [""; 0]);
    }

    #[test]
    fn a_guest_that_was_not_at_rest_is_doubted() {
        let drifted = line(None, NOTHING, 200.0, 0.0) + &line(None, AGAIN, 203.0, 0.0) + DONE;
        assert_eq!(Counts::read(&drifted).expect("reads").doubts.len(), 1);
        let uneven = line(None, NOTHING, 200.0, 3.0) + DONE;
        assert_eq!(Counts::read(&uneven).expect("reads").doubts.len(), 1);
    }

    #[test]
    fn a_boot_that_breaks_off_is_no_result() {
        assert!(Counts::read(&line(None, NOTHING, 200.0, 0.0)).is_err());
        assert!(Counts::read("claviger-bench: {\"count\":{}}\n").is_err());
    }

    #[test]
    fn programs_and_maps_are_read() {
        let log = format!(
            "{MARK}{}\n{MARK}{}\n{MARK}{}\n{DONE}",
            r#"{"program":{"hook":"lsm","is":{"name":"lsm_file_open","verified":812,"translated_bytes":4096,"machine_bytes":1}}}"#,
            r#"{"map":{"hook":"lsm","is":{"name":"EVENTS","memory_bytes":100}}}"#,
            r#"{"map":{"hook":"lsm","is":{"name":"NAMES","memory_bytes":11}}}"#,
        );
        let counts = Counts::read(&log).expect("reads");
        assert_eq!(counts.verified["lsm.lsm_file_open"], 812.0);
        assert_eq!(counts.map_bytes["lsm"], 111.0);
    }
}
