//! What a build script must be run again for.

use std::path::Path;

/// Prints cargo's directives so that the build script that compiles `manifest_dir` (the folder `sensor-ebpf`) runs again whenever its
/// sources, its lock file, or those of `sensor-common` beside it change.
pub fn rerun_if_changed(manifest_dir: &Path) {
    for directive in directives(manifest_dir) {
        println!("cargo::{directive}");
    }
}

fn directives(manifest_dir: &Path) -> Vec<String> {
    let common = manifest_dir
        .parent()
        .unwrap_or(manifest_dir)
        .join("sensor-common");
    let paths = [
        manifest_dir.join("src"),
        manifest_dir.join("Cargo.toml"),
        manifest_dir.join("Cargo.lock"),
        common.join("src"),
        common.join("Cargo.toml"),
    ];
    paths
        .iter()
        .map(|path| format!("rerun-if-changed={}", path.display()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_crates_are_watched() {
        let directives = directives(Path::new("/r/sensor-ebpf"));
        assert!(directives.contains(&"rerun-if-changed=/r/sensor-ebpf/src".to_owned()));
        assert!(directives.contains(&"rerun-if-changed=/r/sensor-ebpf/Cargo.lock".to_owned()));
        assert!(directives.contains(&"rerun-if-changed=/r/sensor-common/src".to_owned()));
    }
}
