//! A process that copies a decoy (`copier-c/`), and waits.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use claviger_tests::{SECRET, copier};

use crate::host::Host;

/// A process that has made a copy, and waits.
pub(crate) struct Copier(Child);

impl Copier {
    /// Nothing where it cannot be done here, which it says itself.
    pub(crate) fn start(program: &Path, how: &str, original: &Path, to: &Path) -> Option<Self> {
        let child = Command::new(program)
            .args([Path::new(how), original, to])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut copier = Self(child);
        copier.says_so().then_some(copier)
    }

    /// Whether it says that it has copied, once more.
    pub(crate) fn says_so(&mut self) -> bool {
        let mut said = Vec::new();
        let stdout = self.0.stdout.as_mut().expect("piped");
        stdout.take(7).read_to_end(&mut said).expect("readable");
        said == b"copied\n"
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn go_on(&mut self) {
        let stdin = self.0.stdin.as_mut().expect("piped");
        stdin.write_all(b"\n").expect("it waits");
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ended = self.0.wait();
    }
}

/// A host with a private key, and the program that copies it.
pub(crate) struct Copies {
    pub(crate) host: Host,
    pub(crate) program: PathBuf,
    pub(crate) original: PathBuf,
}

impl Copies {
    /// Its sensor runs.
    pub(crate) fn new() -> Self {
        let mut host = Host::new("version = 1\n", "");
        host.decoy.write(
            ".ssh/id_original",
            &format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----\n"),
        );
        let program = copier(&host.decoy.beside("copier"));
        host.sensor.start();
        Self {
            program,
            original: host.decoy.path(".ssh/id_original"),
            host,
        }
    }

    /// Copies that were found to be some.
    pub(crate) fn found(&self) -> usize {
        self.host
            .sensor
            .log()
            .matches("a copy of a credential is watched")
            .count()
    }

    /// Copies; the process waits.
    pub(crate) fn start(&self, how: &str, to: &Path) -> Copier {
        Copier::start(&self.program, how, &self.original, to).unwrap_or_else(|| panic!("{how}"))
    }

    /// Copies, and waits until the copy is found; the process waits.
    pub(crate) fn copied(&self, how: &str, to: &Path) -> Copier {
        let before = self.found();
        let copier = self.start(how, to);
        self.host.wait(how, |_| self.found() > before);
        copier
    }
}
