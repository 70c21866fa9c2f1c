//! What a row of the table says.

/// Whether what the document asks for is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It must be seen as said.
    Built,
    /// It must not be seen as said; when it is, this is to be `Built`.
    NotYet,
}

/// When it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before the sensor starts, and held until it has ended.
    BeforeSensor,
    /// While the sensor watches.
    Watched,
    /// While the sensor watches, after it has reported everything before.
    Afterwards,
}

/// A file or number of the sensor itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SensorPart {
    /// Its process id.
    Pid,
    /// The id of one of its links.
    Link,
    /// The id of one of its maps.
    Map,
    /// Its configuration file.
    Config,
    /// A file of its state directory.
    State,
    /// Its program.
    Program,
    /// The file with its signing key.
    Key,
}

/// What it is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A private key of its own, `~/.ssh/id_NAME`.
    Key,
    /// The same name, where nothing is.
    NoKey,
    /// A credential whose writes the catalogue asks for; there is one, for all ways that open it for writing.
    Written,
    /// A token as the kubelet lays it out, `~/.kube/cache/NAME/token`.
    Token,
    /// A token that is alone in a directory of its own, `~/.oci/sessions/NAME/token`.
    Session,
    /// The same name, where not even the directory is.
    NoSession,
    /// A copy of a private key beside the home, made by a process that was watched.
    Copied,
    /// The directory with the private keys.
    KeyDirectory,
    /// A directory of no interest.
    OtherDirectory,
    /// A file of no interest.
    OtherFile,
    /// A device or file of the kernel.
    Device(&'static str),
    /// The block device of a file system that is mounted here.
    BlockDevice,
    /// A part of the sensor.
    Sensor(SensorPart),
    /// Nothing that has a path.
    Nowhere,
}

/// The one event that the actor must be seen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    /// A `credential_access` by this operation.
    Access(&'static str),
    /// A `credential_change` of this sort.
    Change(&'static str),
    /// The same, beside the open that it took to get there.
    ChangeBeside(&'static str),
    /// A `process_secret_access` to this part of another process.
    Secret(&'static str),
    /// The same, by this operation.
    SecretBy(&'static str, &'static str),
    /// The same, beside what it took to get there.
    SecretBeside(&'static str),
    /// A `process_secret_access` to this, which is everybody's, by this operation.
    MachineSecret(&'static str, &'static str),
    /// A `process_secret_access` to this part of itself, after a read of the decoy.
    OwnSecret(&'static str),
    /// A `kernel_key_access`.
    KernelKey,
    /// An `environment_credential`.
    Environment,
    /// A `credential_discovery`.
    Discovery,
    /// A `sensor_tamper` of this sort.
    Tamper(&'static str),
    /// No event at all.
    Nothing,
}

/// One way.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Its name, in results and in `docs/coverage.md`.
    pub name: &'static str,
    /// What the program `ways` calls it.
    pub program: &'static str,
    /// The beginning of the row of the document that asks for it; empty for what is no use.
    pub row: &'static str,
    /// What it is done to.
    pub place: Place,
    /// What must be seen.
    pub sees: Sees,
    /// When it is done.
    pub when: When,
    /// By level, in the order of [`super::Level::ALL`].
    pub states: [State; 3],
}

impl Way {
    /// A way to a private key of its own.
    pub(super) const fn new(name: &'static str, sees: Sees, states: [State; 3]) -> Self {
        Self {
            name,
            program: name,
            row: "",
            place: Place::Key,
            sees,
            when: When::Watched,
            states,
        }
    }

    /// Whether the kernel refuses it; nothing where machines differ.
    #[must_use]
    pub fn is_refused(&self) -> Option<bool> {
        match (self.place, self.name) {
            (Place::Device(_) | Place::BlockDevice, _) => None,
            (_, "bpf_detach" | "bpf_map_write" | "bpf_map_write_hidden" | "written_program") => Some(true),
            (_, name) => Some(name.starts_with("denied_") || name.starts_with("refused_")),
        }
    }

    /// Whether the file is found by following its path where only that is known, for which its process must live.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        let beginnings = [
            "uring_suppressed_",
            "uring_worker_replaced",
            "uring_ended_openat",
            "uring_drained_reversed",
        ];
        beginnings
            .iter()
            .any(|beginning| self.name.starts_with(beginning))
    }

    /// Whether its end is seen on some kernels: where the worker of a ring that runs it also completes it, as before 6.2, or where what waits together runs in its order.
    #[must_use]
    pub fn is_end_seen_on_some(&self) -> bool {
        let beginnings = [
            "uring_worker_replaced",
            "uring_ended_openat",
            "uring_drained_reversed",
        ];
        beginnings
            .iter()
            .any(|beginning| self.name.starts_with(beginning))
    }

    /// Whether a refused one is found by following its path, for which its process must live.
    #[must_use]
    pub fn is_refused_and_followed(&self) -> bool {
        self.name.starts_with("denied_through_")
    }

    /// Whether its end is seen where only the path is.
    #[must_use]
    pub fn is_end_seen(&self) -> bool {
        self.name == "acct_file"
    }

    /// For what the program calls otherwise.
    pub(super) const fn program(mut self, program: &'static str) -> Self {
        self.program = program;
        self
    }

    pub(super) const fn to(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    pub(super) const fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }
}
