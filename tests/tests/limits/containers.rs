//! Containers whose root a program serves: fuse-overlayfs, which answers, and then does not.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use claviger_tests::can_load;
use rustix::process::{Pid, Signal, kill_process};

use crate::host::Host;

/// A shell in a root of its own, in a mount namespace of its own, which runs a line after the other.
struct Container {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Container {
    /// Over a directory, which `mount` (a command of the shell) has made its root.
    fn start(root: &Path, mount: &str) -> Self {
        Self::start_by(&["unshare", "--mount", "--propagation", "private"], root, mount)
    }

    /// The same, in namespaces of another kind.
    fn start_by(unshare: &[&str], root: &Path, mount: &str) -> Self {
        let root = root.display();
        let script =
            format!("{mount} && exec chroot {root} /bin/busybox sh -c 'echo there; exec /bin/busybox sh'");
        let mut child = Command::new(unshare[0])
            .args(&unshare[1..])
            .args(["sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("util-linux is on every Debian");
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("UTF-8");
        assert_eq!(line, "there\n");
        Self { child, said }
    }

    /// Reads a file in it, by `cat`.
    fn cat(&mut self, path: &str) {
        self.run(&format!("/bin/cat {path} > /dev/null && echo read"), "read\n");
    }

    fn run(&mut self, command: &str, says: &str) {
        let stdin = self.child.stdin.as_mut().expect("piped");
        writeln!(stdin, "{command}").expect("it runs");
        let mut line = String::new();
        self.said.read_line(&mut line).expect("UTF-8");
        assert_eq!(line, says);
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// A directory with what a container needs and a credential.
fn lower(directory: &Path) -> PathBuf {
    let lower = directory.join("lower");
    for below in ["bin", "dev", "root/.aws", "root/.ssh"] {
        fs::create_dir_all(lower.join(below)).expect("made");
    }
    fs::copy("/usr/bin/busybox", lower.join("bin/busybox"))
        .or_else(|_| fs::copy("/bin/busybox", lower.join("bin/busybox")))
        .expect("busybox is set up");
    std::os::unix::fs::symlink("busybox", lower.join("bin/cat")).expect("linked");
    fs::write(lower.join("dev/null"), "").expect("written");
    fs::write(
        lower.join("root/.aws/credentials"),
        "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = decoy\n",
    )
    .expect("written");
    fs::write(lower.join("root/.ssh/id_decoy"), "a decoy").expect("written");
    lower
}

/// The program that serves a root. It ends with this, and its mount with it.
struct Program(Pid);

impl Program {
    fn signal(&self, signal: Signal) {
        kill_process(self.0, signal).expect("it runs");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        for signal in [Signal::CONT, Signal::TERM] {
            let _gone = kill_process(self.0, signal);
        }
    }
}

/// Whether fuse-overlayfs can run here.
fn has_fuse_overlayfs() -> bool {
    let has = Path::new("/usr/bin/fuse-overlayfs").exists() && Path::new("/dev/fuse").exists();
    if !has {
        eprintln!("not tested: fuse-overlayfs or /dev/fuse is not here");
    }
    has
}

/// A container without anything that a program serves, with a credential; it is labelled.
fn plain_container(host: &Host, directory: &Path, lower: &Path) -> Container {
    let root = directory.join("other");
    fs::create_dir_all(root.join("root")).expect("made");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(lower.join("bin"))
        .arg(lower.join("dev"))
        .arg(&root)
        .status();
    assert!(copied.expect("runs").success());
    fs::write(
        root.join("root/.netrc"),
        "machine example.com login decoy password decoy\n",
    )
    .expect("written");
    let mut plain = Container::start(&root, "true");
    host.wait("the other one is labelled", |_| {
        plain.cat("/root/.netrc");
        !host.uses(Path::new("/root/.netrc")).is_empty()
    });
    plain
}

/// A root that fuse-overlayfs makes of `lower` in a directory, as a command of the shell, and the file in which its number will be.
fn served(directory: &Path, lower: &Path) -> (PathBuf, String, PathBuf) {
    let path = |name: &str| {
        let path = directory.join(name);
        fs::create_dir_all(&path).expect("made");
        path.display().to_string()
    };
    let (upper, work, merged) = (path("upper"), path("work"), path("merged"));
    let pid_file = directory.join("pid");
    // In the foreground, so that its number is known; it ends with its mount, which goes with the namespace.
    let mount = format!(
        "{{ fuse-overlayfs -f -o lowerdir={},upperdir={upper},workdir={work} {merged} & echo $! > {}; }} && \
         until test -e {merged}/bin/busybox; do sleep 0.05; done",
        lower.display(),
        pid_file.display()
    );
    (merged.into(), mount, pid_file)
}

fn program_of(pid_file: &Path) -> Program {
    let pid = fs::read_to_string(pid_file).expect("written");
    Program(Pid::from_raw(pid.trim().parse().expect("a number")).expect("a pid"))
}

/// As a plain user, in namespaces of its own, `/dev/fuse` being open to all, as udev has it.
fn rootless(device: &Path) -> [String; 7] {
    let device = device.display();
    let script = format!(
        "mknod -m 666 {device} c 10 229 && mount --bind {device} /dev/fuse && \
         exec setpriv --reuid=65534 --regid=65534 --clear-groups \
         unshare --user --map-root-user --mount --propagation private \"$@\""
    );
    [
        "unshare",
        "--mount",
        "--propagation=private",
        "sh",
        "-c",
        &script,
        "sh",
    ]
    .map(str::to_owned)
}

#[test]
fn a_rootless_container_on_fuse_overlayfs_is_not_looked_into() {
    if !can_load() || !has_fuse_overlayfs() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let tried = rootless(&directory.path().join("tried"));
    let may = Command::new(&tried[0]).args(&tried[1..]).arg("true").output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("not tested: a plain user may not make a user namespace here");
        return;
    }
    let mut host = Host::new("version = 1\n", "");
    let lower = lower(directory.path());
    let theirs = directory.path().join("theirs");
    let (merged, mount, pid_file) = served(&theirs, &lower);
    let given = Command::new("sh")
        .args([
            "-c",
            "chmod 755 \"$1\" && chown -R 65534:65534 \"$2\" \"$3\"",
            "sh",
        ])
        .args([directory.path(), &theirs, &lower])
        .status();
    assert!(given.expect("runs").success());
    let command = rootless(&directory.path().join("fuse"));
    let mut served = Container::start_by(&command.each_ref().map(String::as_str), &merged, &mount);
    let _program = program_of(&pid_file);
    host.sensor.start();
    // It came later, and is looked into after the other one.
    let _plain = plain_container(&host, directory.path(), &lower);
    let aws = "/root/.aws/credentials";
    served.cat(aws);
    let uses = host.uses(Path::new(aws));
    assert_eq!(
        uses.len(),
        0,
        "it is told: say so in README and ADR 0021: {uses:#?}"
    );
    host.sensor.end(Signal::TERM);
}

#[test]
fn a_container_on_fuse_overlayfs_is_looked_into_and_holds_up_no_other_when_it_hangs() {
    if !can_load() || !has_fuse_overlayfs() {
        return;
    }
    let mut host = Host::new("version = 1\n", "");
    let directory = tempfile::tempdir().expect("a directory");
    let lower = lower(directory.path());
    let (merged, mount, pid_file) = self::served(directory.path(), &lower);
    let mut served = Container::start(&merged, &mount);
    let program = program_of(&pid_file);
    host.sensor.start();
    let status = host.wait("it is looked into", |status| {
        status["labelled"]["roots"].as_u64() >= Some(1)
    });
    assert_eq!(status["hanging"], serde_json::json!([]));
    let uses = |host: &Host, path: &str| host.uses(Path::new(path));
    let (aws, ssh) = ("/root/.aws/credentials", "/root/.ssh/id_decoy");
    // Which is labelled some moments after it was found.
    host.wait("it is labelled", |_| {
        served.cat(aws);
        served.cat(ssh);
        !uses(&host, aws).is_empty() && !uses(&host, ssh).is_empty()
    });
    assert_eq!(uses(&host, aws)[0]["credential"]["kind"], "aws_access_key");
    assert_eq!(
        uses(&host, aws)[0]["credential"]["identities"][0]["id"],
        "AKIAIOSFODNN7EXAMPLE"
    );

    // It hangs, and another container comes.
    program.signal(Signal::STOP);
    host.wait("it hangs", |status| {
        let hanging = status["hanging"].as_array().expect("a list");
        hanging.iter().any(|path| {
            let path = path.as_str().expect("text");
            path.starts_with("/proc/") && path.ends_with("/root")
        })
    });
    let _plain = plain_container(&host, directory.path(), &lower);

    program.signal(Signal::CONT);
    host.wait("it answers", |status| status["hanging"] == serde_json::json!([]));
    // What is new in it is known without a restart.
    served.run("echo a decoy > /root/.ssh/id_new; echo made", "made\n");
    host.wait("the new one is labelled", |_| {
        served.cat("/root/.ssh/id_new");
        !uses(&host, "/root/.ssh/id_new").is_empty()
    });
    host.sensor.end(Signal::TERM);
}
