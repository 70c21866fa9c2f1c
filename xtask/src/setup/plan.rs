//! From what is there and what is needed to what must be installed. Pure.

use claviger_ebpf_build::LINKER_VERSION;

use super::facts::Facts;

/// The nextest that its profile in `.config/nextest.toml` was written for.
const NEXTEST_VERSION: &str = "0.9.143";
/// Debian's clippy: the only one that reads what Debian's rustc writes.
pub(crate) const DEBIAN_CLIPPY: &str = "/usr/bin/clippy-driver";

/// What a verb needs from the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// To compile the workspace: the kernel half and the C parts of the user half.
    KernelHalf,
    /// To boot other kernels.
    Vm,
    /// To run every check.
    Tests,
}

/// A program that `cargo install` makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CargoProgram {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) arguments: &'static [&'static str],
    /// Whether it is linked with Debian's LLVM.
    pub(super) with_llvm: bool,
    /// How long it took on two cores.
    pub(super) seconds: u32,
}

const BPF_LINKER: CargoProgram = CargoProgram {
    name: "bpf-linker",
    version: LINKER_VERSION,
    arguments: &["--no-default-features", "--features", "llvm-22"],
    with_llvm: true,
    seconds: 90,
};

const NEXTEST: CargoProgram = CargoProgram {
    name: "cargo-nextest",
    version: NEXTEST_VERSION,
    arguments: &[],
    with_llvm: false,
    seconds: 240,
};

/// What must be installed, in order: packages first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) packages: Vec<&'static str>,
    pub(super) programs: Vec<CargoProgram>,
}

/// What is missing for these needs.
pub(super) fn plan(facts: &Facts, needs: &[Need]) -> Plan {
    let mut plan = Plan::default();
    if needs.contains(&Need::KernelHalf) {
        plan.package(facts.c_compiler, &["gcc", "libc6-dev"]);
        // The allocator is built by it.
        plan.package(facts.make, &["make"]);
        plan.package(facts.bpf_compiler, &["rustc-web", "libstd-rust-web-dev-bpf"]);
        if !facts.bpf_linker {
            plan.package(facts.llvm, &["llvm-22-dev"]);
            plan.programs.push(BPF_LINKER);
        }
    }
    if needs.contains(&Need::Vm) {
        plan.package(facts.qemu, &["qemu-system-x86"]);
    }
    if needs.contains(&Need::Tests) {
        // libFuzzer is written in it.
        plan.package(facts.cxx_compiler, &["g++"]);
        plan.package(facts.bpf_clippy, &["rust-web-clippy"]);
        // A program of many names, in the VMs too.
        plan.package(facts.busybox, &["busybox-static"]);
        // A root that a program serves.
        plan.package(facts.fuse_overlayfs, &["fuse-overlayfs"]);
        // File systems with requests of their own.
        plan.package(facts.mkfs_xfs, &["xfsprogs"]);
        plan.package(facts.btrfs, &["btrfs-progs"]);
        // Interpreters whose scripts are told, half a minute together; Debian's other ones are larger.
        plan.package(facts.ruby, &["ruby"]);
        plan.package(facts.php, &["php-cli"]);
        plan.package(facts.lua, &["lua5.4"]);
        // Clients and servers on the network.
        plan.package(facts.python, &["python3-venv"]);
        plan.package(facts.curl, &["curl"]);
        plan.package(facts.openssl, &["openssl"]);
        plan.package(facts.nginx, &["nginx-light"]);
        plan.package(facts.iproute, &["iproute2"]);
        plan.package(facts.nft, &["nftables"]);
        // Another reader of what clients say: 20 s.
        plan.package(facts.tshark, &["tshark"]);
        plan.package(facts.ssh_client, &["openssh-client"]);
        // OpenSSH's server would be started by its package, on the host; this package starts nothing.
        plan.package(facts.ssh_server, &["dropbear-bin"]);
        plan.package(facts.git, &["git"]);
        // Docker's client comes with its daemon.
        plan.package(facts.skopeo, &["skopeo"]);
        if !facts.nextest {
            plan.programs.push(NEXTEST);
        }
    }
    plan
}

impl Plan {
    fn package(&mut self, is_there: bool, names: &[&'static str]) {
        if !is_there {
            self.packages.extend(names);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.programs.is_empty()
    }

    /// Whether apt must be run, which takes root on Debian.
    pub(super) fn needs_packages(&self) -> bool {
        !self.packages.is_empty()
    }

    /// One line that names it all.
    pub(super) fn announcement(&self) -> String {
        let mut parts = Vec::new();
        if self.needs_packages() {
            parts.push(format!("by apt: {}", self.packages.join(" ")));
        }
        if !self.programs.is_empty() {
            let programs: Vec<_> = self
                .programs
                .iter()
                .map(|program| format!("{} {}", program.name, program.version))
                .collect();
            parts.push(format!("by cargo: {}", programs.join(", ")));
        }
        parts.join("; ")
    }

    /// For a machine that set-up may not change: one line per missing thing.
    pub(super) fn instructions(&self, facts: &Facts) -> String {
        let mut text =
            "this is missing, and only root on Debian or Ubuntu has it installed by set-up:".to_owned();
        let mut line = |what: &str| text.extend(["\n  ", what]);
        if !facts.c_compiler && self.packages.contains(&"gcc") {
            line("a C compiler: install gcc or clang");
        }
        if self.packages.contains(&"make") {
            line("make");
        }
        if self.packages.contains(&"g++") {
            line("a C++ compiler: install g++ or clang");
        }
        if self.packages.contains(&"rustc-web") {
            line(
                "a compiler for BPF: rustup toolchain install nightly --component rust-src (or Debian's rustc-web and libstd-rust-web-dev-bpf)",
            );
        }
        if self.packages.contains(&"qemu-system-x86") {
            line("QEMU: install qemu-system-x86_64");
        }
        if self.packages.contains(&"rust-web-clippy") {
            line("clippy of Debian's compiler: install rust-web-clippy");
        }
        if self.packages.contains(&"busybox-static") {
            line("busybox: install busybox, linked statically");
        }
        if self.packages.contains(&"fuse-overlayfs") {
            line("fuse-overlayfs: install fuse-overlayfs");
        }
        for package in ["xfsprogs", "btrfs-progs"] {
            if self.packages.contains(&package) {
                line(&format!("{package}: install {package}"));
            }
        }
        for (package, program) in [
            ("ruby", "Ruby"),
            ("php-cli", "PHP"),
            ("lua5.4", "Lua 5.4"),
            ("python3-venv", "Python 3 with venv"),
            ("curl", "curl"),
            ("openssl", "OpenSSL"),
            ("nginx-light", "nginx"),
            ("iproute2", "ip"),
            ("nftables", "nft"),
            ("tshark", "tshark"),
            ("openssh-client", "OpenSSH"),
            ("dropbear-bin", "dropbear"),
            ("git", "git"),
            ("skopeo", "skopeo"),
        ] {
            if self.packages.contains(&package) {
                line(&format!("{program}: install {package}"));
            }
        }
        for program in &self.programs {
            line(&format!(
                "{}: cargo install {} --version {} --locked",
                program.name, program.name, program.version
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> Facts {
        Facts {
            may_install_packages: true,
            bpf_compiler: true,
            bpf_linker: true,
            llvm: true,
            c_compiler: true,
            cxx_compiler: true,
            make: true,
            qemu: true,
            bpf_clippy: true,
            nextest: true,
            busybox: true,
            fuse_overlayfs: true,
            mkfs_xfs: true,
            btrfs: true,
            ruby: true,
            php: true,
            lua: true,
            python: true,
            curl: true,
            openssl: true,
            nginx: true,
            iproute: true,
            nft: true,
            tshark: true,
            ssh_client: true,
            ssh_server: true,
            git: true,
            skopeo: true,
        }
    }

    const ALL: [Need; 3] = [Need::KernelHalf, Need::Vm, Need::Tests];

    #[test]
    fn a_complete_machine_gets_nothing() {
        assert!(plan(&complete(), &ALL).is_empty());
    }

    #[test]
    fn a_bare_machine_gets_what_was_asked_for_and_no_more() {
        let kernel_half = plan(&Facts::default(), &[Need::KernelHalf]);
        assert_eq!(
            kernel_half.packages,
            [
                "gcc",
                "libc6-dev",
                "make",
                "rustc-web",
                "libstd-rust-web-dev-bpf",
                "llvm-22-dev"
            ]
        );
        assert_eq!(kernel_half.programs, [BPF_LINKER]);
        assert_eq!(plan(&Facts::default(), &[Need::Vm]).packages, ["qemu-system-x86"]);
        let all = plan(&Facts::default(), &ALL).announcement();
        assert!(
            all.contains("qemu-system-x86")
                && all.contains("bpf-linker 0.13.0")
                && all.contains("cargo-nextest")
        );
    }

    #[test]
    fn llvm_is_for_the_linker_only() {
        let facts = Facts {
            llvm: false,
            ..complete()
        };
        assert!(plan(&facts, &ALL).is_empty());
        let facts = Facts {
            llvm: false,
            bpf_linker: false,
            ..complete()
        };
        assert_eq!(plan(&facts, &ALL).packages, ["llvm-22-dev"]);
    }

    #[test]
    fn who_may_not_install_is_told_a_line_each() {
        let facts = Facts::default();
        let text = plan(&facts, &ALL).instructions(&facts);
        for word in [
            "C compiler",
            "rust-src",
            "QEMU",
            "bpf-linker --version 0.13.0",
            "cargo-nextest",
        ] {
            assert!(
                text.lines().skip(1).any(|line| line.contains(word)),
                "{word}: {text}"
            );
        }
    }
}
