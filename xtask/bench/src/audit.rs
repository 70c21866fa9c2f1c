//! auditd with rules for some of the decoys, as its peers run it, and nothing of it afterwards.
//!
//! - The daemon has a configuration and a log of its own, under the decoys; nothing of Debian's is read.
//! - Every rule has our key, by which all are removed, also those that a killed run left.
//! - The kernel never forgets that audit was enabled once: until the next boot it looks at every system call of every new task, rules or not,
//!   which costs what a tracepoint's slow path costs and so would hide that. [`Quiet`] keeps it from new tasks while others are measured.
//! - `enabled` and the backlog's bounds are put back. Where another daemon has the kernel's audit, nothing is touched.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::child::{Running, output};
use crate::decoys::Decoys;
use crate::interrupt::Interrupt;
use crate::peer::Peer;

/// Credentials that have a rule, as many as the places that published rule sets name.
pub(crate) const RULES: usize = 7;
const KEY: &str = "claviger-bench";
/// As Debian's own rules set it.
const BACKLOG: &str = "8192";
/// For every task that is made from now on.
const NEVER: [&str; 2] = ["-a", "never,task"];
const PATIENCE: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(50);

/// Its programs.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    pub(crate) daemon: Peer,
    pub(crate) control: Peer,
}

/// The kernel's settings, of which we change some.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Settings {
    enabled: String,
    pid: String,
    backlog_limit: String,
}

/// auditd at work.
#[derive(Debug)]
pub(crate) struct Auditd {
    control: Peer,
    before: Settings,
    daemon: Option<Running>,
}

impl Auditd {
    /// Starts it and sets the rules.
    pub(crate) fn start(tools: &Tools, decoys: &Decoys, interrupt: &Interrupt) -> anyhow::Result<Self> {
        let before = settings(&tools.control)?;
        ensure!(
            before.pid == "0",
            "process {} has the kernel's audit already: stop it to compare with auditd",
            before.pid
        );
        // From here on, dropping it puts everything back.
        let mut auditd = Self {
            control: tools.control.clone(),
            before,
            daemon: None,
        };
        auditd.control(&["-D", "-k", KEY])?;
        let directory = decoys.directory().join("auditd");
        write_configuration(&directory)?;
        let mut daemon = tools.daemon.command();
        daemon
            .args(["-n", "-s", "nochange", "-c"])
            .arg(&directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        auditd.daemon = Some(Running::start("auditd", &mut daemon)?);
        let end = std::time::Instant::now() + PATIENCE;
        while settings(&auditd.control)?.pid == "0" {
            ensure!(std::time::Instant::now() < end, "auditd does not get ready");
            if let Some(daemon) = &mut auditd.daemon {
                daemon.check()?;
            }
            interrupt.sleep(STEP)?;
        }
        auditd.control(&["-b", BACKLOG])?;
        auditd.control(&["-e", "1"])?;
        for path in decoys.credentials().iter().take(RULES) {
            auditd.control(&["-w", &path.display().to_string(), "-p", "r", "-k", KEY])?;
        }
        Ok(auditd)
    }

    fn control(&self, arguments: &[&str]) -> anyhow::Result<()> {
        control(&self.control, arguments).map(drop)
    }

    fn put_back(&mut self) -> anyhow::Result<()> {
        let rules = self.control(&["-D", "-k", KEY]);
        // Before the daemon ends: what the kernel has nobody to give to, it prints.
        let enabled = self.control(&["-e", &self.before.enabled]);
        self.daemon = None;
        let backlog = self.control(&["-b", &self.before.backlog_limit]);
        rules.and(enabled).and(backlog)
    }
}

impl Drop for Auditd {
    fn drop(&mut self) {
        if let Err(error) = self.put_back() {
            eprintln!("warning: putting audit back: {error:#}; see `auditctl -s` and `auditctl -l`");
        }
    }
}

/// No audit of new tasks, as long as this is held.
#[derive(Debug)]
pub(crate) struct Quiet {
    control: Peer,
}

impl Quiet {
    /// Nothing where such a rule is there already, or where another daemon has the kernel's audit.
    pub(crate) fn hold(tools: &Tools) -> anyhow::Result<Option<Self>> {
        let is_ours = settings(&tools.control)?.pid == "0";
        let rules = control(&tools.control, &["-l"])?;
        if !is_ours || rules.lines().any(|rule| rule.trim() == NEVER.join(" ")) {
            return Ok(None);
        }
        control(&tools.control, &NEVER)?;
        Ok(Some(Self {
            control: tools.control.clone(),
        }))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Err(error) = control(&self.control, &["-d", NEVER[1]]) {
            eprintln!("warning: removing the rule `{}`: {error:#}", NEVER.join(" "));
        }
    }
}

fn control(program: &Peer, arguments: &[&str]) -> anyhow::Result<String> {
    let what = format!("auditctl {}", arguments.join(" "));
    output(program.command().args(arguments), &what)
}

fn settings(program: &Peer) -> anyhow::Result<Settings> {
    let text = control(program, &["-s"])?;
    parse(&text).with_context(|| format!("auditctl -s said: {text}"))
}

fn parse(text: &str) -> Option<Settings> {
    let value = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
            .map(|value| value.trim().to_owned())
    };
    Some(Settings {
        enabled: value("enabled")?,
        pid: value("pid")?,
        backlog_limit: value("backlog_limit")?,
    })
}

/// What Debian's has, but for the place of the log and a full disk's consequences.
fn write_configuration(directory: &Path) -> anyhow::Result<()> {
    let plugins = directory.join("plugins.d");
    fs::create_dir_all(&plugins).with_context(|| format!("creating {}", plugins.display()))?;
    let text = format!(
        "local_events = yes\nwrite_logs = yes\nlog_file = {}\nlog_group = root\nlog_format = ENRICHED\nflush = INCREMENTAL_ASYNC\n\
         freq = 50\nmax_log_file = 8\nnum_logs = 5\nmax_log_file_action = ROTATE\nspace_left = 75\nspace_left_action = IGNORE\n\
         admin_space_left = 50\nadmin_space_left_action = IGNORE\ndisk_full_action = IGNORE\ndisk_error_action = IGNORE\n\
         name_format = NONE\nq_depth = 2000\noverflow_action = IGNORE\nplugin_dir = {}\n",
        directory.join("audit.log").display(),
        plugins.display()
    );
    let path = directory.join("auditd.conf");
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_from_what_auditctl_prints() {
        let text = "enabled 1\nfailure 1\npid 812\nrate_limit 0\nbacklog_limit 64\nbacklog 3\nbacklog_wait_time 15000\n";
        let expected = Settings {
            enabled: "1".into(),
            pid: "812".into(),
            backlog_limit: "64".into(),
        };
        assert_eq!(parse(text), Some(expected));
        assert_eq!(parse("You must be root"), None);
    }
}
