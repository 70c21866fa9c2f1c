//! Keys of SSH: in a file, and in an agent.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use claviger_tests::PATIENCE;

use crate::network::Network;

/// Makes a key at `.ssh/id_ed25519` of the home there, which the server lets in, and returns its fingerprint.
pub(crate) fn make(network: &Network) -> String {
    let decoy = &network.decoy;
    decoy.write(
        ".ssh/config",
        &format!(
            "Host git.example\n    UserKnownHostsFile {}\n",
            network.path("known_hosts")
        ),
    );
    fs::set_permissions(decoy.path(".ssh"), fs::Permissions::from_mode(0o700)).expect("permissions");
    let key = path(network);
    let name = key.to_str().expect("plain");
    done(
        "ssh-keygen",
        &["-q", "-t", "ed25519", "-N", "", "-C", "decoy", "-f", name],
        None,
    );
    let public = fs::read_to_string(key.with_extension("pub")).expect("it was made");
    decoy.write(".ssh/authorized_keys", &public);
    let shown = done("ssh-keygen", &["-l", "-f", name], None);
    let shown = String::from_utf8(shown.stdout).expect("plain");
    shown.split(' ').nth(1).expect("a fingerprint").to_owned()
}

/// Where the key is.
pub(crate) fn path(network: &Network) -> PathBuf {
    network.decoy.path(".ssh/id_ed25519")
}

/// An agent that ends with it.
pub(crate) struct KeyAgent {
    child: Child,
    pub(crate) socket: PathBuf,
}

impl KeyAgent {
    /// One that holds the key, which is in no file any more.
    pub(crate) fn with_the_key(network: &Network) -> Self {
        let directory = network.decoy.path(".ssh/agent");
        fs::create_dir(&directory).expect("a directory");
        let socket = directory.join("decoy");
        let child = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .expect("ssh-agent");
        let mut agent = Self { child, socket };
        let begun = Instant::now();
        while !agent.socket.exists() {
            assert!(agent.child.try_wait().expect("ours").is_none(), "it has ended");
            assert!(begun.elapsed() < PATIENCE, "it does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        let key = path(network);
        done(
            "ssh-add",
            &["-q", key.to_str().expect("plain")],
            Some(&agent.socket),
        );
        fs::remove_file(&key).expect("it was there");
        agent
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for KeyAgent {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Runs a program of OpenSSH to its good end.
fn done(program: &str, arguments: &[&str], agent: Option<&Path>) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    if let Some(agent) = agent {
        command.env("SSH_AUTH_SOCK", agent);
    }
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
