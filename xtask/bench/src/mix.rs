//! (e) What a developer's or build machine does all day: cargo checks a small crate from nothing. Many processes, many files opened, mostly
//! computing.
//!
//! What is taken is the CPU time of all its processes, in which what hooks cost them is: on a machine that does other things too, the clock on
//! the wall says more of these.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::decoys::Decoys;

const MODULES: usize = 60;
const FUNCTIONS: usize = 40;
/// Kernels for people's machines count in hundredths of a second.
const NS_A_TICK: f64 = 1e7;

/// A crate that depends on nothing.
#[derive(Debug)]
pub(crate) struct Mix {
    directory: PathBuf,
}

impl Mix {
    /// Writes it.
    pub(crate) fn make(decoys: &Decoys) -> anyhow::Result<Self> {
        let directory = decoys.directory().join("mix");
        let sources = directory.join("src");
        fs::create_dir_all(&sources).with_context(|| format!("creating {}", sources.display()))?;
        let write = |path: PathBuf, text: String| {
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
        };
        write(
            directory.join("Cargo.toml"),
            "[package]\nname = \"mix\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n".to_owned(),
        )?;
        let modules: String = (0..MODULES)
            .map(|number| format!("pub mod m{number};\n"))
            .collect();
        write(sources.join("lib.rs"), modules)?;
        for number in 0..MODULES {
            let functions: String = (0..FUNCTIONS)
                .map(|function| {
                    format!(
                        "pub fn f{function}(x: &[u64]) -> Option<u64> {{ x.iter().copied().map(|y| y.wrapping_mul({number})).max() }}\n"
                    )
                })
                .collect();
            write(sources.join(format!("m{number}.rs")), functions)?;
        }
        Ok(Self { directory })
    }

    /// Runs it once; nanoseconds of CPU, to the tick of 10 ms.
    pub(crate) fn measure(&self) -> anyhow::Result<f64> {
        let target = self.directory.join("target");
        if target.exists() {
            fs::remove_dir_all(&target).with_context(|| format!("removing {}", target.display()))?;
        }
        let before = children_ticks()?;
        let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["check", "--offline", "--quiet", "--jobs", "1", "--target-dir"])
            .arg(&target)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .context("starting cargo")?;
        ensure!(status.success(), "cargo check: {status}");
        #[expect(clippy::cast_precision_loss, reason = "a measurement")]
        let took = (children_ticks()? - before) as f64 * NS_A_TICK;
        Ok(took)
    }
}

/// CPU time of children that have ended and been waited for, and of theirs.
fn children_ticks() -> anyhow::Result<u64> {
    let stat = fs::read_to_string("/proc/self/stat").context("reading /proc/self/stat")?;
    parse(&stat).context("reading the times of children")
}

/// Fields 16 and 17: behind the name in brackets, which may hold anything, the 14th and 15th.
fn parse(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(13).map(str::parse::<u64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_times_of_children_are_behind_ones_own() {
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 30 4 20 0";
        assert_eq!(parse(stat), Some(34));
        assert_eq!(parse("12 (a) S 1"), None);
    }
}
