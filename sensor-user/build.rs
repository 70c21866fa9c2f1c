//! Compiles the kernel half, so that the sensor never carries an old one: cargo runs this again whenever its sources change, and
//! without a compiler for it there is no sensor.

use std::{env, error::Error, fs, path::Path, process::exit};

use claviger_ebpf_build::{compile, find_toolchain, rerun_if_changed};
use object::{
    build::elf::{Builder, SectionData},
    elf::SHT_STRTAB,
};

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
    without_debug_information(&object).expect("the linker wrote an ELF file");
    println!("cargo::rustc-env=CLAVIGER_EBPF_OBJECT={}", object.display());
}

/// The sensor carries the object in its memory, and five sixths of it is DWARF that no kernel reads. BTF has the lines of the source too.
fn without_debug_information(path: &Path) -> Result<(), Box<dyn Error>> {
    let whole = fs::read(path)?;
    let mut object = Builder::read64(&*whole)?;
    for section in &mut object.sections {
        let name = section.name.to_string();
        section.delete = name.starts_with(".debug_") || name.starts_with(".rel.debug_");
    }
    object.delete_orphans();
    // The linker keeps names of sections with those of symbols; what writes here does not.
    let names = object.sections.add();
    names.name = ".shstrtab".into();
    names.sh_type = SHT_STRTAB;
    names.data = SectionData::SectionString;
    let mut stripped = Vec::new();
    object.write(&mut stripped)?;
    Ok(fs::write(path, stripped)?)
}
