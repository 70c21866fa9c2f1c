//! A network of its own with servers in it, and clients there.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use claviger_tests::{Decoy, Told, Traced, told, trace, trace_with};
use serde_json::Value;

/// What is resolved there.
const HOSTS: &str = "127.0.0.1 localhost\n\
    127.0.0.2 sts.eu-central-1.amazonaws.com sts.amazonaws.com secretsmanager.eu-central-1.amazonaws.com oauth2.googleapis.com \
    login.microsoftonline.com auth.docker.io registry-1.docker.io\n\
    127.0.0.2 hidden.example\n\
    127.0.0.3 api.cluster.example\n\
    127.0.0.4 proxy.example\n\
    127.0.0.5 git.example\n\
    169.254.169.254 metadata.google.internal\n";

/// Servers that end with it.
pub(crate) struct Network {
    servers: Child,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) decoy: Decoy,
}

impl Network {
    /// With these servers of `tests/clients/servers.py`; nothing where the clients are not installed.
    pub(crate) fn with(servers: &[&str]) -> Option<Self> {
        if !Self::has_clients() {
            return None;
        }
        let python = python().expect("it is there");
        let directory = tempfile::tempdir().expect("a directory");
        let decoy = Decoy::new();
        fs::write(directory.path().join("hosts"), HOSTS).expect("written");
        fs::write(directory.path().join("passwd"), users(&decoy.home())).expect("written");
        let log = fs::File::create(directory.path().join("servers.log")).expect("a log");
        let mut child = Command::new("unshare")
            .args(["--net", "--mount", "sh"])
            .arg(of_clients("network.sh"))
            .arg(directory.path())
            .arg(python)
            .arg(of_clients("servers.py"))
            .arg(directory.path())
            .args(servers)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("unshare");
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped"))
            .read_line(&mut first)
            .expect("it speaks");
        let log = fs::read_to_string(directory.path().join("servers.log")).unwrap_or_default();
        assert_eq!(first, "ready\n", "{log}");
        Some(Self {
            servers: child,
            directory,
            decoy,
        })
    }

    /// Whether clients are installed; says so where not.
    pub(crate) fn has_clients() -> bool {
        let has = python().is_some();
        if !has {
            eprintln!("not tested: no clients are installed (cargo xtask test does)");
        }
        has
    }

    /// What a trace tells of a command there, with more lines of its configuration.
    pub(crate) fn trace(&self, tables: &str, command: &[&str]) -> Traced {
        let config = self.decoy.config("", tables);
        let traced = trace(&config, &self.inside(command));
        assert_eq!(traced.status, Some(0), "{}", traced.stderr);
        traced
    }

    /// What a trace tells people of a command there.
    pub(crate) fn tell(&self, tables: &str, command: &[&str]) -> Told {
        let config = self.decoy.config("", tables);
        let told = told(&config, &self.inside(command));
        assert_eq!(told.status, Some(0), "{}", told.stderr);
        told
    }

    /// A command line that runs a command there.
    fn inside(&self, command: &[&str]) -> Vec<String> {
        let namespace = |name: &str| format!("/proc/{}/ns/{name}", self.servers.id());
        let home = self.decoy.home();
        let authority = self.path("ca.crt");
        let clients = python().expect("it was there");
        let clients = clients.parent().expect("in a directory").display();
        let mut all = vec![
            "nsenter".to_owned(),
            format!("--net={}", namespace("net")),
            format!("--mount={}", namespace("mnt")),
            "--".to_owned(),
            "env".to_owned(),
            "-i".to_owned(),
            format!("PATH={clients}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            format!("HOME={}", home.display()),
        ];
        for name in [
            "AWS_CA_BUNDLE",
            "REQUESTS_CA_BUNDLE",
            "SSL_CERT_FILE",
            "CURL_CA_BUNDLE",
        ] {
            all.push(format!("{name}={authority}"));
        }
        all.extend(command.iter().map(|&word| word.to_owned()));
        all
    }

    /// Begins a script of `tests/clients` there, without a trace.
    pub(crate) fn begin(&self, script: &str, arguments: &[&str]) -> Child {
        let python = python().expect("it was there").display().to_string();
        let script = of_clients(script).display().to_string();
        let mut command = vec![&*python, "-B", &*script];
        command.extend(arguments);
        let all = self.inside(&command);
        let (program, arguments) = all.split_first().expect("a program");
        Command::new(program).args(arguments).spawn().expect("runs")
    }

    /// As [`Self::trace`], of all processes while the command runs, which is not there.
    pub(crate) fn trace_all(&self, tables: &str, command: &[&str]) -> Traced {
        let config = self.decoy.config("", tables);
        let traced = trace_with(&["--all"], &config, command);
        assert_eq!(traced.status, Some(0), "{}", traced.stderr);
        traced
    }

    /// The same of a script of `tests/clients`, with arguments.
    pub(crate) fn script(&self, script: &str, arguments: &[&str]) -> Traced {
        self.script_with("", &[], script, arguments)
    }

    /// The same with more lines for the catalogue's table, and with variables.
    pub(crate) fn script_with(
        &self,
        catalogue: &str,
        variables: &[&str],
        script: &str,
        arguments: &[&str],
    ) -> Traced {
        let python = python().expect("it was there").display().to_string();
        let script = of_clients(script).display().to_string();
        let mut command = variables.to_vec();
        command.extend([&*python, "-B", &*script]);
        command.extend(arguments);
        self.trace(catalogue, &command)
    }

    /// Lines for the catalogue's table by which an operator names a cluster there.
    pub(crate) fn with_provider(&self, named: &str) -> String {
        self.with_catalogue(&format!(
            "[[provider]]\nid = \"cluster\"\nprovider = \"kubernetes\"\n{named}\n"
        ))
    }

    /// Lines for the catalogue's table by which it has these of an operator too.
    pub(crate) fn with_catalogue(&self, entries: &str) -> String {
        let catalogue = self.decoy.beside("catalogue.d");
        fs::create_dir_all(&catalogue).expect("a directory");
        fs::write(catalogue.join("own.toml"), format!("version = 1\n{entries}")).expect("written");
        format!("directory = {:?}", catalogue.display().to_string())
    }

    /// One of the programs that are installed for tests.
    pub(crate) fn client(name: &str) -> String {
        let python = python().expect("it was there");
        let directory = python.parent().expect("in a directory").canonicalize();
        directory.expect("it was there").join(name).display().to_string()
    }

    /// A program of the machine, or else one of those that were unpacked for tests below `target/NAME`.
    pub(crate) fn unpacked(name: &str, path: &Path) -> String {
        let program = path.file_name().expect("a program");
        let places = std::env::var_os("PATH").unwrap_or_default();
        let mut installed = std::env::split_paths(&places).map(|place| place.join(program));
        if let Some(installed) = installed.find(|path| path.exists()) {
            return installed.display().to_string();
        }
        let python = python().expect("it was there");
        let target = python
            .ancestors()
            .nth(3)
            .expect("in target/clients/bin")
            .canonicalize();
        let program = target.expect("it was there").join(name).join(path);
        program.display().to_string()
    }

    /// A script of `tests/clients`.
    pub(crate) fn of_clients(name: &str) -> String {
        of_clients(name).display().to_string()
    }

    /// A path in its directory.
    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // It ends with its standard input.
        drop(self.servers.stdin.take());
        let _ended = self.servers.wait();
    }
}

/// Who is known there: programs that do not ask for HOME have the decoys' home for root's too.
fn users(home: &Path) -> String {
    let home = home.display();
    let real = fs::read_to_string("/etc/passwd").expect("users");
    let others = real.lines().filter(|line| !line.starts_with("root:"));
    let powerless = "sshd:x:65533:65533::/run/sshd:/usr/sbin/nologin\n".to_owned();
    ["root", "git"]
        .into_iter()
        .map(|name| format!("{name}:x:0:0::{home}:/bin/sh\n"))
        .chain([powerless])
        .chain(others.map(|line| format!("{line}\n")))
        .collect()
}

/// Events of a kind.
pub(crate) fn of_kind<'a>(traced: &'a Traced, kind: &str) -> Vec<&'a Value> {
    traced
        .events
        .iter()
        .filter(|event| event["kind"] == kind)
        .collect()
}

/// The events that an event says may be behind it, with their relation.
pub(crate) fn behind<'a>(traced: &'a Traced, event: &Value) -> Vec<(&'a Value, String)> {
    let causes = event["caused_by"].as_array().cloned().unwrap_or_default();
    causes
        .iter()
        .map(|cause| {
            let found = traced.events.iter().find(|one| one["id"] == cause["event"]);
            let relation = cause["relation"].as_str().unwrap_or_default().to_owned();
            (found.expect("an event that was told"), relation)
        })
        .collect()
}

/// The interpreter beside which the clients are installed.
fn python() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clients/bin/python");
    path.exists().then_some(path)
}

fn of_clients(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}
