//! One boot in QEMU, with an end to it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::kernel::Series;
use super::serial::{self, Report};
use crate::process;
use crate::step::{Progress, tail, text};
use crate::workspace::Workspace;

/// With `bpf` active, and without. It stands first, so that another LSM can refuse what its hook has let pass.
pub(super) const LSM_LISTS: [&str; 2] = ["bpf,landlock", "landlock"];
/// Emulated, a boot takes eight to fifteen minutes with the tests that every change has to pass, on a slow machine more. One that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(1800);
/// The same with all tests, of which each starts a sensor.
const FULL_LIMIT: Duration = Duration::from_secs(2 * 3600);
/// An instruction at a time, on one CPU, with ten thousand files to look at for each hook.
const COUNTING_LIMIT: Duration = Duration::from_secs(1800);
const MEMORY_MIB: &str = "1536";

/// A kernel, an image, and a list of LSMs.
#[derive(Clone, Debug)]
pub(super) struct Boot {
    pub(super) series: Series,
    pub(super) kernel: PathBuf,
    pub(super) image: PathBuf,
    pub(super) lsm: String,
    pub(super) machine: Machine,
    pub(super) tests: Tests,
}

/// Which of the image's tests a boot runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tests {
    All,
    /// Those of one binary, all or some: `NAME` or `NAME/PART/PART`.
    Of(String),
    /// Those that say something else for each kernel and hook, and one half of what else depends on the kernel.
    Half(&'static str),
}

/// Run in every boot.
const OF_HOOKS: &str = "hooks/the_hook_in_use/overlayfs_is_followed,ways";
/// What else depends on the kernel, in two halves that take about as long.
const HALVES: [&str; 2] = [
    "hooks/a_hook_that/every_other/whatever_its_descriptor,end_to_end/every_use_arrives/a_flood_is_delivered/what_is_asked_of_an_endpoint,\
     trace/a_process_that_is_gone/repeats_are_counted",
    "hooks/without_root/hard_link,end_to_end/the_accounts_hold_while_a_cpu/who_connects_to_an_agent/connections_to_identity,attribution/what_truly_runs,limits/nfs",
];

impl Tests {
    /// Of a boot among those that every change has to pass: the tests of hooks run in every boot, each of the others once on each kernel and once
    /// with each kind of hook. A sensor takes half a minute to start and stop in an emulated machine, and each test starts one.
    pub(super) fn thinned(series: Series, lsm: &str) -> Self {
        let has_lsm_hook = lsm.split(',').any(|one| one == "bpf");
        Self::Half(HALVES[usize::from((series == Series::V6_12) == has_lsm_hook)])
    }

    /// For the kernel's command line.
    fn argument(&self) -> String {
        let selection = match self {
            Self::All => return String::new(),
            Self::Of(some) => some.clone(),
            Self::Half(half) => format!("{OF_HOOKS},{half}"),
        };
        format!(" claviger.tests={selection}")
    }
}

/// What executes the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    /// Two emulated CPUs, as fast as they go.
    Emulated,
    /// The host's own CPUs.
    Kvm,
    /// One emulated CPU whose clock counts its instructions: a nanosecond each.
    Counting,
}

impl Machine {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Emulated => &["-smp", "2", "-accel", "tcg,thread=multi"],
            Self::Kvm => &["-smp", "2", "-accel", "kvm"],
            Self::Counting => &[
                "-smp",
                "1",
                "-accel",
                "tcg,thread=single",
                "-icount",
                "shift=0,sleep=off",
            ],
        }
    }

    fn limit(self, tests: &Tests) -> Duration {
        match (self, tests) {
            (Self::Counting, _) => COUNTING_LIMIT,
            (_, Tests::All) => FULL_LIMIT,
            (_, Tests::Of(_) | Tests::Half(_)) => LIMIT,
        }
    }
}

/// What a boot said on the serial line.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) log: PathBuf,
    /// Whether it ended by itself.
    pub(super) in_time: bool,
}

impl Boot {
    pub(super) fn name(&self) -> String {
        format!("linux {} lsm={}", self.series, self.lsm)
    }

    /// What its results are called in `target/xtask/coverage/`.
    pub(super) fn results_name(&self) -> String {
        format!("vm-{}-{}", self.series, self.lsm)
    }

    /// The file hook that must be the one in use.
    fn expected_hook(&self) -> &'static str {
        if self.lsm.split(',').any(|lsm| lsm == "bpf") {
            "lsm/file_open"
        } else {
            "fentry/security_file_open"
        }
    }

    /// Boots, waits for the end or the limit, and reads what the tests said on the serial line.
    pub(super) fn run(&self, workspace: &Workspace, keep: bool) -> anyhow::Result<Report> {
        let mut progress = Progress::start(&self.name());
        let said = self.listen(workspace, keep, &mut progress)?;
        let mut report = serial::read(&said.text);
        if !said.in_time {
            report.trouble.push(format!(
                "no end after {} s",
                self.machine.limit(&self.tests).as_secs()
            ));
        }
        progress.end(&format!("{} passed, {} failed", report.passed, report.failed()));
        if report.failed() > 0 {
            eprintln!("{}\nall of it: {}", report.explanation(), said.log.display());
            if report.output.is_empty() {
                eprintln!("its end:\n{}", tail(&said.log));
            }
        }
        Ok(report)
    }

    /// Boots, and waits for the end or the limit.
    pub(super) fn listen(
        &self,
        workspace: &Workspace,
        keep: bool,
        progress: &mut Progress,
    ) -> anyhow::Result<Said> {
        let kind = if self.machine == Machine::Counting {
            "counting"
        } else {
            "vm"
        };
        let log = workspace
            .scratch("xtask/logs")?
            .join(format!("{kind}-{}-{}.log", self.series, self.lsm));
        let file = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        let errors = file
            .try_clone()
            .with_context(|| format!("opening {} twice", log.display()))?;
        let mut qemu = self.command();
        if keep {
            eprintln!("{qemu:?}");
        }
        let mut child = qemu
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .context("starting qemu-system-x86_64")?;
        let start = Instant::now();
        let in_time = loop {
            if process::wait_timeout(&mut child, Duration::from_secs(1))
                .context("waiting for qemu")?
                .is_some()
            {
                break true;
            }
            if start.elapsed() > self.machine.limit(&self.tests) {
                process::stop(&mut child, Duration::from_secs(5)).context("stopping qemu")?;
                break false;
            }
            progress.tick(|| tail(&log).lines().last().unwrap_or_default().to_owned());
        };
        Ok(Said {
            text: text(&log)?,
            log,
            in_time,
        })
    }

    fn command(&self) -> Command {
        let mut qemu = process::with_this(Path::new("qemu-system-x86_64"));
        qemu.args(["-M", "q35", "-cpu", "max", "-m", MEMORY_MIB]);
        qemu.args(self.machine.arguments());
        qemu.args([
            "-display",
            "none",
            "-serial",
            "stdio",
            "-monitor",
            "none",
            "-nic",
            "none",
            "-no-reboot",
        ]);
        qemu.arg("-kernel")
            .arg(&self.kernel)
            .arg("-initrd")
            .arg(&self.image);
        qemu.arg("-append").arg(format!(
            "console=ttyS0 panic=-1 quiet rcupdate.rcu_expedited=1 lsm={} claviger.expect_hook={}{}",
            self.lsm,
            self.expected_hook(),
            self.tests.argument()
        ));
        qemu
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(lsm: &str) -> Boot {
        Boot {
            series: Series::V6_1,
            kernel: "/k".into(),
            image: "/i".into(),
            lsm: lsm.to_owned(),
            machine: Machine::Emulated,
            tests: Tests::All,
        }
    }

    #[test]
    fn each_kernel_and_each_kind_of_hook_meets_both_halves() {
        for half in HALVES {
            let has = |series, lsm: &str| Tests::thinned(series, lsm) == Tests::Half(half);
            for series in Series::ALL {
                assert_eq!(LSM_LISTS.iter().filter(|lsm| has(series, lsm)).count(), 1);
            }
            for lsm in LSM_LISTS {
                assert_eq!(Series::ALL.iter().filter(|series| has(**series, lsm)).count(), 1);
            }
        }
    }

    #[test]
    fn the_lsm_hook_is_expected_only_where_bpf_is_active() {
        assert_eq!(boot("bpf,landlock").expected_hook(), "lsm/file_open");
        assert_eq!(boot("landlock,bpf").expected_hook(), "lsm/file_open");
        assert_eq!(boot("landlock").expected_hook(), "fentry/security_file_open");
        assert_eq!(
            boot("landlock,bpfoo").expected_hook(),
            "fentry/security_file_open"
        );
    }
}
