//! One run of cargo for the kernel half.

use std::env;
use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::environment;
use crate::toolchain::{Compiler, Toolchain};

/// The target of the kernel half: BPF, little endian.
pub const TARGET: &str = "bpfel-unknown-none";

/// The feature of the kernel half that switches aya-log on.
const DEBUG_LOGS: &str = "debug-logs";

/// Why there is no object.
#[derive(Debug)]
#[non_exhaustive]
pub enum CompileError {
    /// cargo could not be started.
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// cargo ended with an error.
    Cargo {
        /// Where.
        manifest_dir: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// What it and the compiler printed.
        stderr: String,
    },
    /// cargo ended well but named no program.
    NoObject {
        /// Where.
        manifest_dir: PathBuf,
    },
    /// The object could not be put in its place.
    Copy {
        /// The place.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { program, .. } => write!(f, "starting {}", program.display()),
            Self::Cargo {
                manifest_dir,
                status,
                stderr,
            } => {
                write!(
                    f,
                    "compiling {} for {TARGET}: {status}\n{stderr}",
                    manifest_dir.display()
                )
            }
            Self::NoObject { manifest_dir } => {
                write!(
                    f,
                    "compiling {} for {TARGET} made no program: it needs a [[bin]]",
                    manifest_dir.display()
                )
            }
            Self::Copy { path, .. } => write!(f, "writing {}", path.display()),
        }
    }
}

impl Error for CompileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Start { source, .. } | Self::Copy { source, .. } => Some(source),
            Self::Cargo { .. } | Self::NoObject { .. } => None,
        }
    }
}

/// Compiles the crate in `manifest_dir` and returns the path of the object, a file in `out_dir`.
///
/// Always in the release profile: the verifier sees the optimised code and nothing else. `debug_logs` turns on the crate's feature
/// `debug-logs`. The object carries BTF, with the lines of the source.
///
/// # Errors
/// When cargo cannot be run, fails, or makes no program; the text holds what the compiler said.
pub fn compile(
    toolchain: &Toolchain,
    manifest_dir: &Path,
    out_dir: &Path,
    debug_logs: bool,
) -> Result<PathBuf, CompileError> {
    let mut cargo = cargo(toolchain, "build");
    cargo.args([
        "--release",
        "--locked",
        "--target",
        TARGET,
        "--message-format",
        "json-render-diagnostics",
    ]);
    cargo.arg("--target-dir").arg(target_dir(out_dir, debug_logs));
    if debug_logs {
        cargo.args(["--features", DEBUG_LOGS]);
    }
    let output = cargo
        .current_dir(manifest_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", encoded_flags(toolchain, manifest_dir))
        .stdin(Stdio::null())
        .output()
        .map_err(|source| CompileError::Start {
            program: cargo.get_program().into(),
            source,
        })?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(CompileError::Cargo {
            manifest_dir: manifest_dir.to_owned(),
            status: output.status,
            stderr,
        });
    }
    let object =
        executable(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| CompileError::NoObject {
            manifest_dir: manifest_dir.to_owned(),
        })?;
    place(&object, out_dir)
}

/// A cargo subcommand with the compiler chosen and nothing inherited from an outer build; target, profile and flags are the caller's.
#[must_use]
pub fn cargo(toolchain: &Toolchain, subcommand: &str) -> Command {
    let mut command = match &toolchain.compiler {
        // Within a build, this is the cargo that runs it, past rustup's proxy.
        Compiler::Prebuilt { .. } => Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
        Compiler::Nightly { rustup } => Command::new(rustup),
    };
    environment::clean(&mut command);
    match &toolchain.compiler {
        // The bootstrap variable lets this one compiler, a stable one, take the unstable features that BPF code needs.
        Compiler::Prebuilt { rustc } => command
            .env("RUSTC", rustc)
            .env("RUSTC_BOOTSTRAP", "1")
            .arg(subcommand),
        Compiler::Nightly { .. } => {
            command.args(["run", "nightly", "cargo", subcommand, "-Z", "build-std=core"])
        }
    };
    command
}

/// Separated by a character that is in no path, unlike the spaces of `RUSTFLAGS`.
fn encoded_flags(toolchain: &Toolchain, manifest_dir: &Path) -> String {
    let linker = format!("linker={}", toolchain.linker.display());
    // The object is shipped inside the sensor: no one's home directory belongs in its line information.
    let remap = format!("--remap-path-prefix={}=sensor-ebpf", manifest_dir.display());
    ["-C", "debuginfo=2", "-C", "link-arg=--btf", "-C", &linker, &remap].join("\u{1f}")
}

/// Under the outer build's target directory, so that its profiles share it and `cargo clean` removes it; one for each set of features, so
/// that neither replaces the other's object between its making and its copying.
fn target_dir(out_dir: &Path, debug_logs: bool) -> PathBuf {
    let is_root = |directory: &&Path| {
        [".rustc_info.json", "CACHEDIR.TAG"]
            .iter()
            .any(|mark| directory.join(mark).is_file())
    };
    let root = out_dir.ancestors().find(is_root).unwrap_or(out_dir);
    root.join(if debug_logs { "ebpf-debug-logs" } else { "ebpf" })
}

/// The program that cargo's messages name; the last, should there be several.
fn executable(messages: &str) -> Option<PathBuf> {
    const KEY: &str = "\"executable\":\"";
    messages
        .lines()
        .filter_map(|line| line.split_once(KEY)?.1.split('"').next())
        .next_back()
        .map(PathBuf::from)
}

/// Into `out_dir`, by a rename, so that no reader meets half an object.
fn place(object: &Path, out_dir: &Path) -> Result<PathBuf, CompileError> {
    let name = object.file_name().unwrap_or(object.as_os_str());
    let path = out_dir.join(name).with_extension("o");
    let partial = path.with_extension("partial");
    fs::create_dir_all(out_dir)
        .and_then(|()| fs::copy(object, &partial))
        .and_then(|_| fs::rename(&partial, &path))
        .map_err(|source| CompileError::Copy {
            path: path.clone(),
            source,
        })?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_read_from_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"aya_ebpf"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"p"},"filenames":["/t/p"],"executable":"/t/p","fresh":true}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#
        );
        assert_eq!(executable(messages), Some(PathBuf::from("/t/p")));
        assert_eq!(executable("{\"executable\":null}\n"), None);
        assert_eq!(executable(""), None);
    }

    #[test]
    fn flags_survive_a_space_in_a_path() {
        let toolchain = Toolchain {
            compiler: Compiler::Prebuilt {
                rustc: "/usr/bin/rustc".into(),
            },
            linker: "/home/a b/bpf-linker".into(),
        };
        let flags = encoded_flags(&toolchain, Path::new("/src/sensor-ebpf"));
        assert!(
            flags
                .split('\u{1f}')
                .any(|flag| flag == "linker=/home/a b/bpf-linker")
        );
    }

    #[test]
    fn the_two_feature_sets_have_two_directories() {
        let out = Path::new("/nonexistent/out");
        assert_ne!(target_dir(out, true), target_dir(out, false));
        assert!(target_dir(out, true).starts_with(out));
    }

    #[test]
    fn a_failure_carries_what_the_compiler_said() {
        let toolchain = Toolchain {
            compiler: Compiler::Prebuilt {
                rustc: "/nonexistent/rustc".into(),
            },
            linker: "/nonexistent/bpf-linker".into(),
        };
        let out = env::temp_dir().join(format!("claviger-ebpf-build-{}", std::process::id()));
        let error = compile(&toolchain, Path::new(env!("CARGO_MANIFEST_DIR")), &out, false)
            .expect_err("no such compiler");
        let CompileError::Cargo { stderr, .. } = error else {
            panic!("{error}")
        };
        assert!(stderr.contains("/nonexistent/rustc"), "{stderr}");
        assert!(!out.join("claviger-ebpf-build.o").exists());
    }
}
