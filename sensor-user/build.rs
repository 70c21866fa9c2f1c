//! Compiles the kernel half, so that the sensor never carries an old one: cargo runs this again whenever its sources change, and
//! without a compiler for it there is no sensor.

use std::{env, path::Path, process::exit};

use claviger_ebpf_build::{compile, find_toolchain, rerun_if_changed};

fn main() {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sensor-ebpf");
    rerun_if_changed(&manifest_dir);
    let out_dir = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let debug_logs = env::var_os("CARGO_FEATURE_DEBUG_LOGS").is_some();
    let object = find_toolchain()
        .map_err(|missing| missing.to_string())
        .and_then(|toolchain| {
            compile(&toolchain, &manifest_dir, Path::new(&out_dir), debug_logs)
                .map_err(|error| error.to_string())
        })
        .unwrap_or_else(|error| {
            eprintln!("{error}");
            exit(1)
        });
    println!("cargo::rustc-env=CLAVIGER_EBPF_OBJECT={}", object.display());
}
