//! A network file system whose server does not answer.

mod server;
mod xdr;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use claviger_tests::can_load;
use rustix::{
    mount::{MountFlags, UnmountFlags, mount, unmount},
    process::Signal,
    system::finit_module,
};
use serde_json::Value;

use crate::host::{Host, cat};

use server::{GETATTR, LOOKUP, NAME, Server, Waits};

/// What Debian's kernels need for it, in the order in which one needs the other. 6.12 has no `fscache` of its own.
const MODULES: [&str; 8] = [
    "sunrpc", "grace", "lockd", "netfs", "fscache", "nfs_acl", "nfs", "nfsv3",
];

/// Where the VMs have them.
const MODULES_OF_VM: &str = "/opt/claviger/modules";

/// Whether this kernel has NFS; in a VM it is loaded.
fn has_nfs() -> bool {
    if env::var_os("CLAVIGER_VM").is_some() {
        load_modules();
    }
    let known = fs::read_to_string("/proc/filesystems").expect("there");
    let has = known
        .lines()
        .any(|line| line.split_whitespace().last() == Some("nfs"));
    if !has {
        eprintln!("not tested: this kernel has no nfs");
    }
    has
}

fn load_modules() {
    const COMPRESSED: i32 = 4;
    for name in MODULES {
        for (ending, flags) in [("ko", 0), ("ko.xz", COMPRESSED)] {
            let path = PathBuf::from(MODULES_OF_VM).join(format!("{name}.{ending}"));
            if let Ok(file) = fs::File::open(&path) {
                finit_module(file, c"", flags).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            }
        }
    }
}

/// A mount that goes with this.
struct Mounted(PathBuf);

impl Mounted {
    /// Nothing is cached: each look is a question.
    fn new(server: &Server, at: PathBuf) -> Self {
        let options = format!(
            "addr=127.0.0.1,vers=3,proto=tcp,nolock,port={0},mountport={0},mountproto=tcp,mountvers=3,hard,noac,lookupcache=none",
            server.port
        );
        let options = std::ffi::CString::new(options).expect("no zero");
        mount(
            "127.0.0.1:/decoy",
            &at,
            "nfs",
            MountFlags::empty(),
            Some(options.as_c_str()),
        )
        .expect("mounted");
        Self(at)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        unmount(&self.0, UnmountFlags::FORCE | UnmountFlags::DETACH).expect("unmounted");
    }
}

fn hanging(status: &Value) -> Vec<String> {
    let hanging = status["hanging"].as_array().expect("a list");
    hanging
        .iter()
        .map(|path| path.as_str().expect("text").to_owned())
        .collect()
}

#[test]
fn a_server_that_does_not_answer_holds_up_nothing_else() {
    if !can_load() || !has_nfs() {
        return;
    }
    let mut host = Host::new("version = 1\n", "");
    let over = host.decoy.path(".kube");
    fs::create_dir_all(&over).expect("made");
    let server = Server::start();
    let mounted = Mounted::new(&server, over.clone());
    server.set(Waits::All);
    host.sensor.start();
    let here = vec![over.display().to_string()];
    host.wait("it hangs", |status| hanging(status) == here);
    let there = host.decoy.path(".aws/credentials");
    let mut read = 0;
    let is_watched = |host: &Host, read: &mut usize, path: &Path| {
        cat(path);
        *read += 1;
        assert_eq!(host.uses(path).len(), *read, "{}", host.sensor.log());
    };
    is_watched(&host, &mut read, &there);

    server.set(Waits::Nothing);
    host.wait("it answers", |status| hanging(status).is_empty());
    let files = |status: &Value| status["labelled"]["files"].as_u64().expect("a number");
    let key = over.join(NAME);
    let mut of_key = 0;
    // It is labelled with a scan that follows.
    let labelled = host.wait("it is labelled", |_| {
        cat(&key);
        of_key = host.uses(&key).len();
        of_key > 0
    });
    for call in [GETATTR, LOOKUP] {
        server.set(Waits::Only(call));
        let status = host.wait("it hangs again", |status| hanging(status) == here);
        assert_eq!(
            files(&status),
            files(&labelled),
            "what is labelled there stays so"
        );
        is_watched(&host, &mut read, &there);
        server.set(Waits::Nothing);
        host.wait("it answers again", |status| hanging(status).is_empty());
    }
    cat(&key);
    assert!(host.uses(&key).len() > of_key, "{}", host.sensor.log());

    server.set(Waits::All);
    host.wait("it hangs at last", |status| hanging(status) == here);
    // Whoever waits for such a server can be killed.
    host.sensor.end(Signal::TERM);
    drop(mounted);
}
