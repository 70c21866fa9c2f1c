//! (e) What a developer's or build machine does all day: cargo checks a small crate from nothing. Many processes, many files opened, mostly
//! computing.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};

use crate::decoys::Decoys;

const MODULES: usize = 60;
const FUNCTIONS: usize = 40;

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

    /// Runs it once; nanoseconds.
    pub(crate) fn measure(&self) -> anyhow::Result<f64> {
        let target = self.directory.join("target");
        if target.exists() {
            fs::remove_dir_all(&target).with_context(|| format!("removing {}", target.display()))?;
        }
        let begun = Instant::now();
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
        let took = begun.elapsed().as_nanos() as f64;
        Ok(took)
    }
}
