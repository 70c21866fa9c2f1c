//! A detector as a service.

use super::*;

/// A running detector.
pub struct Detector {
    directory: PathBuf,
    address: String,
    child: Option<Child>,
}

impl Detector {
    /// Starts one with its data in `directory`.
    ///
    /// # Panics
    /// Where it does not get ready.
    #[must_use]
    pub fn start(directory: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .expect("a free port")
            .local_addr()
            .expect("bound")
            .port();
        let mut detector = Self {
            directory: directory.join("detector"),
            address: format!("127.0.0.1:{port}"),
            child: None,
        };
        detector.restart();
        detector
    }

    /// Starts it again at the same address, with the same data.
    ///
    /// # Panics
    /// Where it does not get ready.
    pub fn restart(&mut self) {
        self.stop();
        let mut command = detector_program();
        command
            .args(["serve", "--listen", &self.address, "--data-dir"])
            .arg(&self.directory);
        self.child = Some(start(command, &self.directory.with_extension("log")));
    }

    /// Ends it, as systemd would.
    pub fn stop(&mut self) {
        if let Some(child) = self.child.take() {
            end(child, Signal::TERM);
        }
    }

    /// Has it crash, as [`crash`].
    ///
    /// # Panics
    /// Where it does not run.
    pub fn crash(&mut self) -> ExitStatus {
        crash(self.child.take().expect("it runs"))
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where its data lies.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// One of its reading commands.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = detector_program();
        command.args(arguments).arg("--data-dir").arg(&self.directory);
        command
    }

    /// Makes a join token.
    ///
    /// # Panics
    /// Where it cannot.
    #[must_use]
    pub fn token(&self) -> String {
        let output = self.command(&["token", "new", "--json"]).output().expect("runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let token: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        token["token"].as_str().expect("a token").to_owned()
    }

    /// The objects that a reading command prints, one a line, under `key`.
    ///
    /// # Panics
    /// Where it fails or prints something else.
    #[must_use]
    pub fn read(&self, what: &str, key: &str) -> Vec<Value> {
        let output = self
            .command(&[what, "--json", "--limit", "100000"])
            .output()
            .expect("runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout)
            .expect("UTF-8")
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON")[key].clone())
            .collect()
    }

    /// The log that it wrote.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.with_extension("log")).unwrap_or_default()
    }
}

impl Drop for Detector {
    fn drop(&mut self) {
        self.stop();
    }
}
