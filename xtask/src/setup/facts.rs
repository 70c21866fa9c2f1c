//! What this machine has.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use claviger_ebpf_build::{Compiler, find_compiler, find_linker};

use crate::workspace::find_program;

/// LLVM's major version must be that of the compiler: bpf-linker reads what the compiler writes. Debian's rustc-web 1.96 has 22.
pub(super) const LLVM_PREFIX: &str = "/usr/lib/llvm-22";

/// What set-up looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a list of facts, each true or not")]
pub(crate) struct Facts {
    /// Root, and apt on Debian or one of its kind.
    pub(super) may_install_packages: bool,
    pub(super) bpf_compiler: bool,
    pub(super) bpf_linker: bool,
    pub(super) llvm: bool,
    pub(super) c_compiler: bool,
    pub(super) cxx_compiler: bool,
    pub(super) make: bool,
    pub(super) qemu: bool,
    pub(super) bpf_clippy: bool,
    pub(super) nextest: bool,
    pub(super) busybox: bool,
    pub(super) fuse_overlayfs: bool,
    pub(super) mkfs_xfs: bool,
    pub(super) btrfs: bool,
    pub(super) ruby: bool,
    pub(super) php: bool,
    pub(super) lua: bool,
    pub(super) python: bool,
    pub(super) curl: bool,
    pub(super) openssl: bool,
    pub(super) nginx: bool,
    pub(super) iproute: bool,
    pub(super) nft: bool,
    pub(super) tshark: bool,
    pub(super) ssh_client: bool,
    pub(super) ssh_server: bool,
    pub(super) git: bool,
    pub(super) skopeo: bool,
}

impl Facts {
    /// Looks around; changes nothing.
    pub(super) fn gather() -> Self {
        let compiler = find_compiler();
        let clippy_is_rustups = matches!(compiler, Some(Compiler::Nightly { .. }));
        Self {
            may_install_packages: is_root() && is_debian() && find_program("apt-get").is_some(),
            bpf_compiler: compiler.is_some(),
            bpf_linker: find_linker().is_some(),
            llvm: Path::new(LLVM_PREFIX).join("bin/llvm-config").is_file(),
            c_compiler: find_program("cc").is_some(),
            cxx_compiler: find_program("c++").is_some(),
            make: find_program("make").is_some(),
            qemu: find_program("qemu-system-x86_64").is_some(),
            bpf_clippy: clippy_is_rustups || Path::new(super::plan::DEBIAN_CLIPPY).is_file(),
            nextest: find_program("cargo-nextest").is_some(),
            busybox: find_program("busybox").is_some(),
            fuse_overlayfs: find_program("fuse-overlayfs").is_some(),
            mkfs_xfs: find_program("mkfs.xfs").is_some(),
            btrfs: find_program("btrfs").is_some(),
            ruby: find_program("ruby").is_some(),
            php: find_program("php").is_some(),
            lua: find_program("lua5.4").is_some(),
            python: has_python(),
            curl: find_program("curl").is_some(),
            openssl: find_program("openssl").is_some(),
            nginx: find_program("nginx").is_some(),
            iproute: find_program("ip").is_some(),
            nft: find_program("nft").is_some(),
            tshark: find_program("tshark").is_some(),
            ssh_client: find_program("ssh-agent").is_some(),
            ssh_server: find_program("dropbear").is_some() && find_program("dropbearkey").is_some(),
            git: find_program("git").is_some(),
            skopeo: find_program("skopeo").is_some(),
        }
    }
}

/// Whether there is a Python that can make environments.
fn has_python() -> bool {
    find_program("python3").is_some_and(|python| {
        Command::new(python)
            .args(["-c", "import venv, ensurepip"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn is_debian() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|text| os_release_is_debian(&text))
}

fn os_release_is_debian(text: &str) -> bool {
    text.lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace())
        .any(|id| id == "debian" || id == "ubuntu")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_its_kind_are_known() {
        assert!(os_release_is_debian("NAME=x\nID=debian\n"));
        assert!(os_release_is_debian("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!os_release_is_debian("ID=fedora\nNAME=\"not debian\"\n"));
        assert!(!os_release_is_debian(""));
    }
}
