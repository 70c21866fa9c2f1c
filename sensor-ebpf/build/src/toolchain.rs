//! Which compiler and which linker make BPF code on this machine.
//!
//! A compiler must bring `core` for BPF. Two do: Debian's `/usr/bin/rustc` with the package `libstd-rust-web-dev-bpf`, which holds it
//! prebuilt, and a rustup nightly with the component `rust-src`, which builds it. Debian's is taken first: it needs no building.

use std::env;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::TARGET;

/// The bpf-linker that set-up installs and that is known to work.
pub const LINKER_VERSION: &str = "0.13.0";

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// A compiler that has, or can build, `core` for BPF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// A rustc outside rustup whose sysroot holds the BPF target, used through `RUSTC`.
    Prebuilt {
        /// That rustc.
        rustc: PathBuf,
    },
    /// A rustup nightly with `rust-src`, used with `-Z build-std=core`.
    Nightly {
        /// rustup itself.
        rustup: PathBuf,
    },
}

/// All that compiling the kernel half takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// The compiler.
    pub compiler: Compiler,
    /// bpf-linker.
    pub linker: PathBuf,
}

/// One thing that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No compiler with `core` for BPF.
    Compiler,
    /// No bpf-linker.
    Linker,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compiler => write!(
                f,
                "no compiler for {TARGET}: install Debian's rustc-web and libstd-rust-web-dev-bpf, or a rustup nightly with rust-src \
                 (rustup toolchain install nightly --component rust-src)"
            ),
            Self::Linker => write!(
                f,
                "no bpf-linker in PATH or ~/.cargo/bin: cargo install bpf-linker --version {LINKER_VERSION} --locked"
            ),
        }
    }
}

/// What is missing for compiling the kernel half: one line per thing, then the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingToolchain {
    /// The things, at least one.
    pub missing: Vec<Missing>,
}

impl fmt::Display for MissingToolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for missing in &self.missing {
            writeln!(f, "{missing}")?;
        }
        f.write_str("`cargo xtask setup` installs what is missing where it can")
    }
}

impl Error for MissingToolchain {}

/// Looks for a compiler and a linker.
///
/// # Errors
/// Names everything that is missing.
pub fn find_toolchain() -> Result<Toolchain, MissingToolchain> {
    choose(find_compiler(), find_linker())
}

fn choose(compiler: Option<Compiler>, linker: Option<PathBuf>) -> Result<Toolchain, MissingToolchain> {
    match (compiler, linker) {
        (Some(compiler), Some(linker)) => Ok(Toolchain { compiler, linker }),
        (compiler, linker) => {
            let compiler = compiler.is_none().then_some(Missing::Compiler);
            let linker = linker.is_none().then_some(Missing::Linker);
            Err(MissingToolchain {
                missing: compiler.into_iter().chain(linker).collect(),
            })
        }
    }
}

/// Looks for a compiler alone.
#[must_use]
pub fn find_compiler() -> Option<Compiler> {
    prebuilt(Path::new(DEBIAN_RUSTC)).or_else(nightly)
}

fn prebuilt(rustc: &Path) -> Option<Compiler> {
    let core = sysroot(Command::new(rustc))?
        .join("lib/rustlib")
        .join(TARGET)
        .join("lib");
    core.is_dir().then(|| Compiler::Prebuilt {
        rustc: rustc.to_owned(),
    })
}

fn nightly() -> Option<Compiler> {
    let rustup = find_program("rustup")?;
    let mut rustc = Command::new(&rustup);
    rustc.args(["run", "nightly", "rustc"]);
    let source = sysroot(rustc)?.join("lib/rustlib/src/rust/library/core/Cargo.toml");
    source.is_file().then_some(Compiler::Nightly { rustup })
}

fn sysroot(mut rustc: Command) -> Option<PathBuf> {
    crate::environment::clean(&mut rustc);
    let output = rustc
        .args(["--print", "sysroot"])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(text.trim_end()))
}

/// Looks for bpf-linker alone, in `PATH` and where `cargo install` puts programs.
#[must_use]
pub fn find_linker() -> Option<PathBuf> {
    find_program("bpf-linker")
}

/// In `PATH`, else where `cargo install` puts programs.
fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    env::split_paths(&path)
        .chain(cargo_home.map(|home| home.join("bin")))
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linker() -> PathBuf {
        PathBuf::from("/x/bpf-linker")
    }

    fn compiler() -> Compiler {
        Compiler::Prebuilt {
            rustc: PathBuf::from("/x/rustc"),
        }
    }

    #[test]
    fn both_make_a_toolchain() {
        assert_eq!(
            choose(Some(compiler()), Some(linker())),
            Ok(Toolchain {
                compiler: compiler(),
                linker: linker()
            })
        );
    }

    #[test]
    fn each_missing_thing_has_its_line_and_the_way_out_is_named() {
        let missing = choose(None, None).expect_err("nothing is there");
        assert_eq!(missing.missing, [Missing::Compiler, Missing::Linker]);
        let text = missing.to_string();
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains("libstd-rust-web-dev-bpf") && text.contains("rust-src"));
        assert!(text.contains("bpf-linker --version 0.13.0"));
        assert!(text.ends_with("`cargo xtask setup` installs what is missing where it can"));
    }

    #[test]
    fn only_what_is_missing_is_named() {
        let missing = choose(Some(compiler()), None).expect_err("no linker");
        assert_eq!(missing.missing, [Missing::Linker]);
        assert!(!missing.to_string().contains("rust-src"));
    }

    #[test]
    fn a_rustc_that_is_not_there_is_no_compiler() {
        assert_eq!(prebuilt(Path::new("/nonexistent/rustc")), None);
    }
}
