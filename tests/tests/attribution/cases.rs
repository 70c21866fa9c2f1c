//! Cases under one sensor: each reads the decoy under a name of its own (a hard link), by which its events are found.

use std::{
    fs,
    path::{Path, PathBuf},
};

use claviger_tests::{Decoy, Traced, actor, script, trace};
use serde_json::Value;

/// A secret that programs are started with; it must be told nowhere.
pub(crate) const ARGUMENT: &str = "DECOYARGUMENT-hunter2";

/// Cases to come, and what they need.
pub(crate) struct Cases {
    pub(crate) decoy: Decoy,
    pub(crate) actor: PathBuf,
    commands: Vec<String>,
}

impl Cases {
    pub(crate) fn new() -> Self {
        let decoy = Decoy::new();
        let actor = actor(&decoy.beside("actor"));
        Self {
            decoy,
            actor,
            commands: Vec::new(),
        }
    }

    /// The decoy, under a name for this case.
    pub(crate) fn target(&self, case: &str) -> String {
        let path = self.decoy.beside(&format!("read-{case}"));
        if !path.exists() {
            fs::hard_link(self.decoy.path(".aws/credentials"), &path).expect("linked");
        }
        path.to_str().expect("plain").to_owned()
    }

    /// A place for programs, beside the home.
    pub(crate) fn place(&self, name: &str) -> String {
        let path = self.decoy.beside(name);
        path.to_str().expect("plain").to_owned()
    }

    /// A copy of the actor.
    pub(crate) fn copy(&self, name: &str) -> String {
        let path = actor(&self.decoy.beside(name));
        path.to_str().expect("plain").to_owned()
    }

    /// A script beside the home.
    pub(crate) fn script(&self, name: &str, text: &str) -> String {
        let path = script(&self.decoy.beside(name), text);
        path.to_str().expect("plain").to_owned()
    }

    /// Will be run, in the directory beside the home. It must succeed.
    pub(crate) fn run(&mut self, command: &str) {
        self.commands.push(command.to_owned());
    }

    /// Runs them all under one sensor, which logs all that it does.
    pub(crate) fn trace(self) -> Seen {
        let config = self.decoy.config("", "[log]\nlevel = \"trace\"");
        let mut text = format!("cd {}\n", self.place(""));
        for command in &self.commands {
            let said = command.replace('\'', "");
            text.push_str(&format!(
                "{command} || {{ echo 'failed: {said}' >&2; exit 1; }}\n"
            ));
        }
        let script = self.script("cases.sh", &text);
        let traced = trace(&config, &["/bin/sh", &script]);
        let end: Vec<_> = traced.stderr.lines().rev().take(20).collect();
        assert_eq!(traced.status, Some(0), "{end:#?}");
        Seen {
            traced,
            decoy: self.decoy,
        }
    }
}

/// What the sensor told.
pub(crate) struct Seen {
    pub(crate) traced: Traced,
    decoy: Decoy,
}

impl Seen {
    /// The events of a case.
    pub(crate) fn all(&self, case: &str) -> Vec<&Value> {
        self.traced.on(&self.decoy.beside(&format!("read-{case}")))
    }

    /// The actor of the only use of a case.
    pub(crate) fn actor(&self, case: &str) -> &Value {
        let all = self.all(case);
        assert_eq!(all.len(), 1, "{case}: {all:#?}");
        &all[0]["actor"]
    }

    /// Its process.
    pub(crate) fn process(&self, case: &str) -> &Value {
        &self.actor(case)["process"]
    }

    /// A path beside the home.
    pub(crate) fn beside(&self, name: &str) -> String {
        self.decoy.beside(name).to_str().expect("plain").to_owned()
    }

    /// Fails where a secret argument was told or logged.
    pub(crate) fn no_argument_is_told(&self) {
        for said in [&self.traced.stdout, &self.traced.stderr] {
            assert!(!said.contains(ARGUMENT), "an argument is told");
        }
        assert!(self.traced.stderr.contains("TRACE") || self.traced.stderr.contains("DEBUG"));
    }
}

/// The first of these that is there.
pub(crate) fn installed(paths: &[&str]) -> Option<String> {
    let found = paths.iter().find(|path| Path::new(path).exists());
    Some((*found?).to_owned())
}
