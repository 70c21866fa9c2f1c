use std::{
    io::{self, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
};

use super::*;

/// A shell that runs a script in a mount namespace of its own, and a line after the other of what it is told; nothing where that cannot be made.
fn elsewhere(script: &str) -> Option<Child> {
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/unshare").exists() {
        eprintln!("skipped: only root can make a mount namespace, with unshare(1)");
        return None;
    }
    let script = format!("{script}; echo there; while read line; do eval \"$line\"; echo there; done");
    let mut child = Command::new("/usr/bin/unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    wait(&mut child);
    Some(child)
}

fn wait(child: &mut Child) {
    // A byte at a time, so that nothing is read ahead.
    let stdout = child.stdout.as_mut().expect("piped");
    for _ in 0..b"there\n".len() {
        io::Read::read_exact(stdout, &mut [0]).expect("it says so");
    }
}

fn run(child: &mut Child, line: &str) {
    let stdin: &mut ChildStdin = child.stdin.as_mut().expect("piped");
    writeln!(stdin, "{line}").expect("it waits for lines");
    wait(child);
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    child.wait().expect("ours");
}

fn key_of(pid: u32) -> Option<Key> {
    let process = ProcessDirectory::of(pid)?;
    Key::of(&process, process.namespace("mnt")?)
}

/// Nothing answers it.
struct Hanging;

impl Touch for Hanging {
    fn touch<T: Send + 'static>(
        &mut self,
        at: &Path,
        work: impl FnOnce(&dyn Fn(&Path) -> bool) -> T + Send + 'static,
    ) -> Result<T, Hangs> {
        if at == Path::new("/proc") {
            Ok(work(&|_| false))
        } else {
            Err(Hangs::There)
        }
    }
}

#[test]
fn a_namespace_is_met_once_and_gone_when_its_last_process_is() {
    let Some(child) = elsewhere("true") else { return };
    let key = key_of(child.id()).expect("it runs");
    let mut roots = Roots::default();
    let first = roots.look();
    let id = roots.known[&key].id;
    let root = first.roots.iter().find(|root| root.id == id).expect("met");
    assert!(root.is_new && first.namespaces.contains(&key.namespace()));
    assert!(root.mountinfo.windows(5).any(|window| window == b"/proc"));
    let again = roots.look();
    let root = again
        .roots
        .iter()
        .find(|root| root.id == id)
        .expect("still there");
    assert!(!root.is_new);
    let hanging = roots.look_by(&mut Hanging);
    assert!(
        hanging.roots.is_empty() && hanging.gone.is_empty(),
        "it hangs, and is not gone"
    );
    end(child);
    let last = roots.look();
    assert!(last.gone.contains(&id) && last.left.contains(&key.namespace()));
    assert!(!roots.known.contains_key(&key));
}

#[test]
fn another_root_in_the_same_namespace_is_another_though_it_is_called_the_same() {
    let place = tempfile::tempdir().expect("a directory");
    let mount = format!("mount -t tmpfs none {0} && mkdir {0}/old", place.path().display());
    let Some(mut child) = elsewhere(&mount) else {
        return;
    };
    let mut roots = Roots::default();
    let OfProcess::Root(before) = roots.of_process(child.id(), &mut Itself) else {
        panic!("it runs");
    };
    assert!(before.is_new);
    assert!(matches!(
        roots.of_process(child.id(), &mut Itself),
        OfProcess::Root(root) if root.id == before.id && !root.is_new
    ));
    let pid = child.id();
    let called = || {
        let process = ProcessDirectory::of(pid)?;
        Some((process.namespace("mnt")?, process.link("root")?))
    };
    let was = called();
    run(
        &mut child,
        &format!(
            "cd {0} && /usr/sbin/pivot_root . old && cd /",
            place.path().display()
        ),
    );
    assert_eq!(called(), was, "it is called the same");
    assert!(
        roots.again(before.id, pid, &mut Itself).is_none(),
        "nobody has that any more"
    );
    let seen = roots.look();
    let after = seen.roots.iter().find(|root| root.pid == pid).expect("met");
    assert!(after.is_new && after.id != before.id && seen.gone.contains(&before.id));
    let again = roots
        .again(after.id, u32::MAX, &mut Itself)
        .expect("whoever has it");
    assert_eq!(again.pid, pid);
    end(child);
    assert!(matches!(roots.of_process(pid, &mut Itself), OfProcess::Gone));
}

#[test]
fn ones_own_root_is_none_of_them() {
    let mut roots = Roots::default();
    roots.look();
    let own = key_of(std::process::id()).expect("there");
    assert!(!roots.known.contains_key(&own));
    let of_own = roots.of_process(std::process::id(), &mut Itself);
    assert!(matches!(of_own, OfProcess::Own));
}
