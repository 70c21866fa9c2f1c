//! What a catalogue holds once it has been read.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use super::{
    content::Content, endpoint::Endpoint, pattern::Pattern, provider::Provider, socket::Socket, start::Start,
};
use crate::v1;

/// Everything that is known about places of credentials. Made by [`Catalogue::parse`], [`Catalogue::shipped`] or [`Catalogue::with`].
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    pub(super) entries: Vec<Arc<Entry>>,
    pub(super) kinds: BTreeMap<String, Kind>,
    pub(super) starts: Vec<Arc<Start>>,
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    pub(super) providers: Vec<Arc<Provider>>,
    pub(super) sockets: Vec<Arc<Socket>>,
}

/// One place, or several of the same sort, where credentials of one kind lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) patterns: Vec<Pattern>,
    pub(super) exceptions: Vec<Pattern>,
    pub(super) operations: Vec<Operation>,
    pub(super) opt_in: bool,
    pub(super) content: Vec<Content>,
}

/// A kind of credential.
#[derive(Clone, Debug)]
pub struct Kind {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) usual_readers: Vec<String>,
    pub(super) reader_patterns: Vec<Pattern>,
}

/// What of a credential is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Opening it for reading.
    Read,
    /// Opening it for writing.
    Write,
}

impl Catalogue {
    /// All entries in the order of the file: where two match one path, the first names it. Shared, for what was labelled by an entry outlives
    /// the catalogue where another one takes its place.
    #[must_use]
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// What programs are started with, in the order of the file: where two name one variable, the first has it.
    #[must_use]
    pub fn starts(&self) -> &[Arc<Start>] {
        &self.starts
    }

    /// Endpoints that hand out tokens in clear, in the order of the file: where two share an address, the first whose call fits is meant.
    #[must_use]
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// Identity providers by their names, in the order of the file: where two name one host, the first has it.
    #[must_use]
    pub fn providers(&self) -> &[Arc<Provider>] {
        &self.providers
    }

    /// The provider that has this host, in lower case and without a dot at its end.
    #[must_use]
    pub fn provider_of(&self, host: &str) -> Option<&Provider> {
        self.providers
            .iter()
            .find(|provider| provider.has(host))
            .map(Arc::as_ref)
    }

    /// The provider that is at this address.
    #[must_use]
    pub fn provider_at(&self, address: SocketAddr) -> Option<&Provider> {
        self.providers
            .iter()
            .find(|provider| provider.addresses().contains(&address))
            .map(Arc::as_ref)
    }

    /// Sockets of programs that hold keys, in the order of the file: where two name one socket, the first has it.
    #[must_use]
    pub fn sockets(&self) -> &[Arc<Socket>] {
        &self.sockets
    }

    /// The entry with this id.
    #[must_use]
    pub fn entry(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id).map(Arc::as_ref)
    }

    /// All kinds, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.values()
    }

    /// What is known about a kind.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.get(name)
    }

    /// Patterns of the executables that usually read this kind; none for a kind that is not known.
    #[must_use]
    pub fn usual_readers(&self, kind: &str) -> &[String] {
        self.kinds.get(kind).map_or(&[], |kind| &kind.usual_readers)
    }

    /// Whether the executable at this absolute path is among the kind's usual readers. An empty path, a relative one and a kind that is
    /// not known are not.
    #[must_use]
    pub fn is_usual_reader(&self, kind: &str, exe_path: &str) -> bool {
        self.kinds.get(kind).is_some_and(|kind| {
            kind.reader_patterns
                .iter()
                .any(|pattern| pattern.matches(exe_path.as_bytes()))
        })
    }
}

impl Entry {
    /// The entry's name, e.g. `aws-credentials`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The kind of credential that lies there, e.g. `aws_access_key`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Where, with all alternatives written out.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// What matches one of the patterns and is no credential all the same, as the public half of a key beside it.
    #[must_use]
    pub fn exceptions(&self) -> &[Pattern] {
        &self.exceptions
    }

    /// What of it is watched.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Whether an open of this sort is a use worth reporting. One whose operation is not known always is.
    #[must_use]
    pub fn watches(&self, operation: v1::Operation) -> bool {
        let has = |operation| self.operations.contains(&operation);
        match operation {
            v1::Operation::Read | v1::Operation::Map | v1::Operation::Inherit | v1::Operation::Receive => {
                has(Operation::Read)
            }
            v1::Operation::Write => has(Operation::Write),
            v1::Operation::ReadWrite | v1::Operation::Unspecified => true,
        }
    }

    /// Whether it is watched only where the operator asks for it.
    #[must_use]
    pub fn is_opt_in(&self) -> bool {
        self.opt_in
    }

    /// What the content has to be, one of these; nothing where the name alone makes it a credential.
    #[must_use]
    pub fn content(&self) -> &[Content] {
        &self.content
    }

    /// Whether the name alone does not make it a credential: the content has to be looked at.
    #[must_use]
    pub fn needs_content(&self) -> bool {
        !self.content.is_empty()
    }

    /// Whether one of its patterns names every file.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.patterns.iter().any(Pattern::is_everything)
    }
}

impl Kind {
    /// The word that events use, e.g. `aws_access_key`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a person calls it, e.g. `AWS access key`.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }
}
