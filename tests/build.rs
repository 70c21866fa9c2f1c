//! Compiles the programs in `ways-c/`, which the tests carry inside them: `ways` for this machine, and `ways32`, which runs without a library,
//! for its 32-bit form. Where the compiler makes no 32-bit programs, that one is left empty. `attribution-c/` becomes `actor`, and `copier-c/`
//! `copier`.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCES: &str = "ways-c";
const PROGRAM32: &str = "ways32.c";
const PROGRAMS: [(&str, &str); 2] = [("actor", "attribution-c"), ("copier", "copier-c")];

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    let sources = sources(SOURCES)?;
    // Static, for it starts fast and runs in any root; a machine without libc.a does without.
    if !compiles(compiler()?.arg("-static").args(&sources), &out.join("ways")) {
        let mut dynamic = compiler()?;
        if !compiles(dynamic.args(&sources), &out.join("ways")) {
            return Err(format!("{SOURCES} does not compile, see above: {dynamic:?}").into());
        }
    }
    for (name, directory) in PROGRAMS {
        let sources = self::sources(directory)?;
        let program = out.join(name);
        if !compiles(compiler()?.arg("-static").args(&sources), &program)
            && !compiles(compiler()?.args(&sources), &program)
        {
            return Err(format!("{directory} does not compile, see above").into());
        }
    }
    let program32 = out.join("ways32");
    let mut freestanding = compiler()?;
    freestanding
        .args([
            "-m32",
            "-nostdlib",
            "-static",
            "-ffreestanding",
            "-fno-stack-protector",
            "-fno-pie",
            "-no-pie",
        ])
        .arg(Path::new(SOURCES).join(PROGRAM32));
    let is_x86 = env::var("CARGO_CFG_TARGET_ARCH")? == "x86_64";
    if !(is_x86 && compiles(&mut freestanding, &program32)) {
        fs::write(&program32, [])?;
    }
    Ok(())
}

/// The sources in a directory, but for those of the 32-bit program.
fn sources(directory: &str) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={directory}");
    let mut sources = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") && !path.ends_with(PROGRAM32) {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}

/// Warnings are shown by cargo when it fails; a compiler of tomorrow may have new ones.
fn compiler() -> Result<Command, Box<dyn Error>> {
    let tool = cc::Build::new().try_get_compiler()?;
    let mut command = Command::new(tool.path());
    command.args([
        "-std=gnu11",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Wno-missing-field-initializers",
        "-pthread",
    ]);
    Ok(command)
}

fn compiles(command: &mut Command, to: &Path) -> bool {
    command
        .arg("-o")
        .arg(to)
        .status()
        .is_ok_and(|status| status.success())
}
