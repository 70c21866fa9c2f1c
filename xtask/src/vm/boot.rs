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

/// With `bpf` active, and without.
pub(super) const LSM_LISTS: [&str; 2] = ["landlock,bpf", "landlock"];
/// Emulated, a boot with all tests takes a minute or two. One that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(600);
const MEMORY_MIB: &str = "1536";

/// A kernel, an image, and a list of LSMs.
#[derive(Clone, Debug)]
pub(super) struct Boot {
    pub(super) series: Series,
    pub(super) kernel: PathBuf,
    pub(super) image: PathBuf,
    pub(super) lsm: String,
    pub(super) kvm: bool,
}

impl Boot {
    pub(super) fn name(&self) -> String {
        format!("linux {} lsm={}", self.series, self.lsm)
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
        let log = workspace
            .scratch("xtask/logs")?
            .join(format!("vm-{}-{}.log", self.series, self.lsm));
        let file = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        let errors = file
            .try_clone()
            .with_context(|| format!("opening {} twice", log.display()))?;
        let mut qemu = self.command();
        if keep {
            eprintln!("{qemu:?}");
        }
        let mut progress = Progress::start(&self.name());
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
            if start.elapsed() > LIMIT {
                process::stop(&mut child, Duration::from_secs(5)).context("stopping qemu")?;
                break false;
            }
            progress.tick(|| tail(&log).lines().last().unwrap_or_default().to_owned());
        };
        let mut report = serial::read(&text(&log)?);
        if !in_time {
            report.trouble.push(format!("no end after {} s", LIMIT.as_secs()));
        }
        progress.end(&format!("{} passed, {} failed", report.passed, report.failed()));
        if report.failed() > 0 {
            eprintln!("{}\nall of it: {}", report.explanation(), log.display());
            if report.output.is_empty() {
                eprintln!("its end:\n{}", tail(&log));
            }
        }
        Ok(report)
    }

    fn command(&self) -> Command {
        let mut qemu = process::with_this(Path::new("qemu-system-x86_64"));
        qemu.args(["-M", "q35", "-cpu", "max", "-smp", "2", "-m", MEMORY_MIB]);
        qemu.args(["-accel", if self.kvm { "kvm" } else { "tcg,thread=multi" }]);
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
            "console=ttyS0 panic=-1 quiet lsm={} claviger.expect_hook={}",
            self.lsm,
            self.expected_hook()
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
            kvm: false,
        }
    }

    #[test]
    fn the_lsm_hook_is_expected_only_where_bpf_is_active() {
        assert_eq!(boot("landlock,bpf").expected_hook(), "lsm/file_open");
        assert_eq!(boot("landlock").expected_hook(), "fentry/security_file_open");
        assert_eq!(
            boot("landlock,bpfoo").expected_hook(),
            "fentry/security_file_open"
        );
    }
}
