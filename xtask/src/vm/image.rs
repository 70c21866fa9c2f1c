//! The image: init, programs, tests, a few of the host's own programs, and the libraries of them all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::archive::Archive;
use super::artefacts::Artefacts;
use super::{kernel, libraries};
use crate::step::Progress;
use crate::workspace::{Workspace, find_program};

/// What tests start. One that the host lacks is left out; the test that needs it says so.
const HOST_PROGRAMS: [&str; 26] = [
    "bash",
    "busybox",
    "cat",
    "chmod",
    "chown",
    "chrt",
    "cp",
    "dd",
    "env",
    "head",
    "id",
    "ln",
    "ls",
    "mkdir",
    "mount",
    "mv",
    "rm",
    "sh",
    "sleep",
    "stat",
    "sync",
    "true",
    "umount",
    "unshare",
    "setpriv",
    "pivot_root",
];
const DIRECTORIES: [&str; 9] = [
    "dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "var/tmp",
];
/// As Debian has it; everything is put under /usr.
const LINKS: [(&str, &str); 4] = [
    ("bin", "usr/bin"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib64"),
    ("sbin", "usr/sbin"),
];
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";

/// Where `vm-init` looks.
const PROGRAMS: &str = "opt/claviger";
const TESTS: &str = "opt/claviger/tests";

const MODULES: &str = "opt/claviger/modules";
/// What the ways to a credential need and Debian's kernels have as modules: overlayfs, and a block device of memory. Then what the tests of network
/// file systems load themselves.
const MODULE_NAMES: [&str; 10] = [
    "overlay", "brd", "sunrpc", "grace", "lockd", "netfs", "fscache", "nfs_acl", "nfs", "nfsv3",
];
/// A file system for that device, small enough for any kernel's default.
const FILE_SYSTEM: &str = "opt/claviger/ext4.img";
const FILE_SYSTEM_BYTES: u64 = 1 << 20;

/// The image of one run, removed at its end unless it is to be kept.
pub(super) struct Image {
    directory: PathBuf,
    keep: bool,
}

impl Image {
    pub(super) fn path(&self) -> PathBuf {
        self.directory.join("image.cpio.gz")
    }

    /// The image with a kernel's modules behind it: the kernel unpacks one archive after the other.
    pub(super) fn with_modules_of(&self, kernel: &Path, name: &str) -> anyhow::Result<PathBuf> {
        let mut archive = Archive::default();
        for module in kernel::modules(kernel, &MODULE_NAMES)? {
            let file = module
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            archive.program(&format!("{MODULES}/{file}"), &module);
        }
        let modules = self.directory.join(format!("modules-{name}.cpio.gz"));
        archive.write(&modules)?;
        let whole = self.directory.join(format!("image-{name}.cpio.gz"));
        let mut bytes = fs::read(self.path()).context("reading the image")?;
        bytes.extend(fs::read(&modules).context("reading the modules")?);
        fs::write(&whole, bytes).with_context(|| format!("writing {}", whole.display()))?;
        Ok(whole)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if !self.keep
            && let Err(error) = fs::remove_dir_all(&self.directory)
        {
            eprintln!("warning: removing {}: {error}", self.directory.display());
        }
    }
}

/// Makes the image, in a directory of this process's own: another run may be under way.
pub(super) fn build(workspace: &Workspace, artefacts: &Artefacts, keep: bool) -> anyhow::Result<Image> {
    let progress = Progress::start("making the VMs' image");
    let directory = workspace.scratch(&format!("xtask/vm/image-{}", std::process::id()))?;
    let image = Image { directory, keep };
    let stage = image.directory.as_path();
    let mut archive = Archive::default();
    for directory in DIRECTORIES {
        archive.directory(directory);
    }
    for (link, target) in LINKS {
        archive.link(link, target);
    }
    archive.console("dev/console");
    archive.text("etc/passwd", PASSWD);
    archive.text("etc/group", GROUP);
    add_compiled(&mut archive, stage, "init", &artefacts.init)?;
    add_compiled(
        &mut archive,
        stage,
        &format!("{PROGRAMS}/claviger-sensor"),
        &artefacts.programs.sensor,
    )?;
    add_compiled(
        &mut archive,
        stage,
        &format!("{PROGRAMS}/claviger-detector"),
        &artefacts.programs.detector,
    )?;
    for (name, path) in &artefacts.tests {
        add_compiled(&mut archive, stage, &format!("{TESTS}/{name}"), path)?;
    }
    for name in HOST_PROGRAMS {
        if let Some(path) = find_program(name) {
            add_with_libraries(&mut archive, &format!("usr/bin/{name}"), &path)?;
        }
    }
    add_file_system(&mut archive, stage)?;
    archive.write(&image.path())?;
    progress.end("done");
    Ok(image)
}

/// Left out where the host cannot make one; the way to a block device then says so.
fn add_file_system(archive: &mut Archive, stage: &Path) -> anyhow::Result<()> {
    let Some(mkfs) = find_program("mkfs.ext4") else {
        eprintln!("warning: mkfs.ext4 is not installed: no VM has a block device");
        return Ok(());
    };
    let path = stage.join("ext4.img");
    let file = fs::File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    file.set_len(FILE_SYSTEM_BYTES).context("making a file of it")?;
    let status = Command::new(mkfs)
        .args(["-q", "-F", "-O", "^has_journal"])
        .arg(&path)
        .status();
    let status = status.context("starting mkfs.ext4")?;
    anyhow::ensure!(status.success(), "mkfs.ext4: {status}");
    archive.program(FILE_SYSTEM, &path);
    Ok(())
}

/// Without its debug information, which is most of it and would have to fit into the VM's memory.
fn add_compiled(archive: &mut Archive, stage: &Path, place: &str, program: &Path) -> anyhow::Result<()> {
    let stripped = stage.join(place.replace('/', "_"));
    let status = Command::new("strip")
        .arg("--strip-debug")
        .arg("-o")
        .arg(&stripped)
        .arg(program)
        .status();
    let status = status.context("starting strip")?;
    anyhow::ensure!(status.success(), "strip {}: {status}", program.display());
    add_with_libraries(archive, place, &stripped)
}

fn add_with_libraries(archive: &mut Archive, place: &str, program: &Path) -> anyhow::Result<()> {
    archive.program(place, program);
    for library in libraries::of(program)? {
        let place = under_usr(&library);
        if !archive.contains(&place) {
            archive.program(&place, &library);
        }
    }
    Ok(())
}

/// `/lib/x` and `/usr/lib/x` are one file; the image has it once.
fn under_usr(path: &Path) -> String {
    let text = path.to_string_lossy();
    if LINKS
        .iter()
        .any(|(link, _)| text.starts_with(&format!("/{link}/")))
    {
        format!("/usr{text}")
    } else {
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_put_where_the_links_lead() {
        assert_eq!(
            under_usr(Path::new("/lib64/ld-linux-x86-64.so.2")),
            "/usr/lib64/ld-linux-x86-64.so.2"
        );
        assert_eq!(under_usr(Path::new("/usr/lib/libx.so")), "/usr/lib/libx.so");
        assert_eq!(under_usr(Path::new("/opt/libx.so")), "/opt/libx.so");
    }
}
