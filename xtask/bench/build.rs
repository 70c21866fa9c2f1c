//! Compiles the empty programs with the compiler that makes the sensor's.

use std::{env, path::Path, process::exit};

use claviger_ebpf_build::{compile, find_toolchain};

fn main() {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("empty");
    for source in ["src", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", manifest_dir.join(source).display());
    }
    let out_dir = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let object = find_toolchain()
        .map_err(|missing| missing.to_string())
        .and_then(|toolchain| {
            compile(&toolchain, &manifest_dir, Path::new(&out_dir), false).map_err(|error| error.to_string())
        })
        .unwrap_or_else(|error| {
            eprintln!("{error}");
            exit(1)
        });
    println!("cargo::rustc-env=CLAVIGER_EMPTY_OBJECT={}", object.display());
}
