//! The handshake: learn an object's numbers from the kernel, and label it.

use std::io;

use aya::{
    Ebpf,
    maps::{Array, HashMap, MapData, MapError},
};
use claviger_sensor_common::{
    Label, LabelRequest, NameKey, OBJECTS_MAX, ObjectKey, REQUEST_ARMED, REQUEST_DIRECTORY, REQUEST_DONE,
    REQUEST_IDENTIFY, REQUEST_IDLE, REQUEST_OBJECT, REQUEST_PLACE, REQUEST_WAY,
};
use zerocopy::transmute;

use super::{KernelError, LeftOpens};

/// What a handshake is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Only learn the numbers.
    Identify,
    /// Label the object as a credential.
    Object(Label),
    /// Label the object as a directory.
    Directory(Label),
    /// Take the directory for one whose names matter.
    Way,
    /// Take it for a place of the sensor's own, or for one above such: `COVERS_` bits.
    Place(u32),
}

/// A map refused.
#[derive(Debug, thiserror::Error)]
#[error("map {name} of the kernel half")]
pub struct LabelError {
    /// Its name.
    name: &'static str,
    /// What aya said.
    #[source]
    source: Box<MapError>,
}

type Bytes<const N: usize> = [u8; N];

type Labels<K> = HashMap<MapData, K, Bytes<{ size_of::<Label>() }>>;

/// Sets labels. One per agent; used from one thread at a time, for the handshake recognises the thread that opens.
pub struct Labeller {
    request: Array<MapData, Bytes<{ size_of::<LabelRequest>() }>>,
    objects: Labels<Bytes<{ size_of::<ObjectKey>() }>>,
    directories: Labels<Bytes<{ size_of::<ObjectKey>() }>>,
    names: Labels<Bytes<{ size_of::<NameKey>() }>>,
    watching: Array<MapData, u32>,
    ways: HashMap<MapData, Bytes<{ size_of::<ObjectKey>() }>, u32>,
    places: HashMap<MapData, Bytes<{ size_of::<ObjectKey>() }>, u32>,
    taken: Array<MapData, u64>,
    /// Opens by io_uring that are to run.
    pub left_opens: LeftOpens,
}

impl Labeller {
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        fn take<T: TryFrom<aya::maps::Map, Error = MapError>>(
            ebpf: &mut Ebpf,
            name: &'static str,
        ) -> Result<T, KernelError> {
            let map = ebpf.take_map(name).ok_or_else(|| {
                KernelError::io(format!("finding map {name}"))(io::ErrorKind::NotFound.into())
            })?;
            T::try_from(map).map_err(|source| KernelError::Map {
                name,
                source: Box::new(source),
            })
        }
        Ok(Self {
            request: take(ebpf, "REQUEST")?,
            objects: take(ebpf, "OBJECTS")?,
            directories: take(ebpf, "DIRECTORIES")?,
            names: take(ebpf, "NAMES")?,
            watching: take(ebpf, "WATCHING")?,
            ways: take(ebpf, "WAYS")?,
            places: take(ebpf, "OWN_PLACES")?,
            taken: take(ebpf, "TAKEN")?,
            left_opens: LeftOpens::new(ebpf)?,
        })
    }

    /// Calls `open` on this thread; returns what it returned, and the kernel's numbers of the file that it opened first. No numbers: the
    /// hook did not run, or could not set the label because the map is full. `open` must open the candidate and nothing else.
    ///
    /// # Errors
    /// [`LabelError`].
    pub fn ask<T>(
        &mut self,
        purpose: Purpose,
        open: impl FnOnce() -> T,
    ) -> Result<(T, Option<ObjectKey>), LabelError> {
        self.ask_of(own_tid(), purpose, open)
    }

    /// The same, where `open` has the thread of this id open the candidate, and returns when that is done or given up. A thread that was given up
    /// and opens it later answers no request: each names its thread.
    ///
    /// # Errors
    /// [`LabelError`].
    pub fn ask_of<T>(
        &mut self,
        tid: u32,
        purpose: Purpose,
        open: impl FnOnce() -> T,
    ) -> Result<(T, Option<ObjectKey>), LabelError> {
        let (code, label) = match purpose {
            Purpose::Identify => (REQUEST_IDENTIFY, Label::default()),
            Purpose::Object(label) => (REQUEST_OBJECT, label),
            Purpose::Directory(label) => (REQUEST_DIRECTORY, label),
            Purpose::Way => (REQUEST_WAY, Label::default()),
            Purpose::Place(id) => (REQUEST_PLACE, Label { id, flags: 0 }),
        };
        self.handshake(tid, code, label, open)
    }

    /// Calls `act` on this thread, and tells whether the kernel half saw it do what the request names.
    ///
    /// # Errors
    /// [`LabelError`].
    pub(super) fn sees<T>(&mut self, request: u32, act: impl FnOnce() -> T) -> Result<(T, bool), LabelError> {
        let (acted, answer) = self.handshake(own_tid(), request, Label::default(), act)?;
        Ok((acted, answer.is_some()))
    }

    fn handshake<T>(
        &mut self,
        tid: u32,
        code: u32,
        label: Label,
        open: impl FnOnce() -> T,
    ) -> Result<(T, Option<ObjectKey>), LabelError> {
        self.set(LabelRequest {
            state: REQUEST_ARMED | code,
            tid,
            label,
            object: ObjectKey::default(),
        })?;
        let opened = open();
        let answer = self.get();
        self.set(LabelRequest {
            state: REQUEST_IDLE,
            ..LabelRequest::default()
        })?;
        let answer = answer?;
        Ok((
            opened,
            (answer.state == REQUEST_DONE | code).then_some(answer.object),
        ))
    }

    /// Watches a name in a labelled directory.
    ///
    /// # Errors
    /// [`LabelError`], e.g. where the map is full.
    pub fn watch_name(&mut self, key: NameKey, label: Label) -> Result<(), LabelError> {
        self.names
            .insert(bytes_of_name(key), bytes_of_label(label), 0)
            .map_err(|source| LabelError {
                name: "NAMES",
                source: Box::new(source),
            })
    }

    /// The label of an object, if it has one.
    #[must_use]
    pub fn label_of(&self, object: ObjectKey) -> Option<Label> {
        let label = self.objects.get(&bytes_of_object(object), 0).ok()?;
        Some(transmute!(label))
    }

    /// How many objects the kernel half has labelled by itself so far, by the name at which they came to lie.
    ///
    /// # Errors
    /// [`LabelError`].
    pub fn taken(&self) -> Result<u64, LabelError> {
        self.taken.get(&0, 0).map_err(|source| LabelError {
            name: "TAKEN",
            source: Box::new(source),
        })
    }

    /// So many of them were looked after: only [`claviger_sensor_common::TAKEN_MAX`] more are labelled until this is called again.
    ///
    /// # Errors
    /// [`LabelError`].
    pub fn looked_after(&mut self, count: u64) -> Result<(), LabelError> {
        self.taken.set(1, count, 0).map_err(|source| LabelError {
            name: "TAKEN",
            source: Box::new(source),
        })
    }

    /// All objects that have a label now. What gets or loses one meanwhile may be left out or be there twice.
    pub fn objects(&self) -> impl Iterator<Item = ObjectKey> {
        // Where entries go while it is gone through, it begins anew: no more steps than there is room.
        let keys = self.objects.keys().take(OBJECTS_MAX as usize);
        keys.filter_map(Result::ok).map(|key| transmute!(key))
    }

    /// Gives an object that has a label the same with another id; false where it has none.
    ///
    /// # Errors
    /// [`LabelError`].
    pub fn relabel(&mut self, object: ObjectKey, id: u32) -> Result<bool, LabelError> {
        const ONLY_THERE: u64 = 2;
        let Some(label) = self.label_of(object) else {
            return Ok(false);
        };
        let label = bytes_of_label(Label { id, ..label });
        match self.objects.insert(bytes_of_object(object), label, ONLY_THERE) {
            Ok(()) => Ok(true),
            Err(source) => gone("OBJECTS", Err(source)).map(|()| false),
        }
    }

    /// Takes the label from an object.
    ///
    /// # Errors
    /// [`LabelError`]; none where it has no label.
    pub fn forget_object(&mut self, object: ObjectKey) -> Result<(), LabelError> {
        gone("OBJECTS", self.objects.remove(&bytes_of_object(object)))
    }

    /// Takes the label from a directory. Its names keep theirs.
    ///
    /// # Errors
    /// [`LabelError`]; none where it has no label.
    pub fn forget_directory(&mut self, directory: ObjectKey) -> Result<(), LabelError> {
        gone(
            "DIRECTORIES",
            self.directories.remove(&bytes_of_object(directory)),
        )
    }

    /// From now on what is told is read.
    ///
    /// # Errors
    /// [`LabelError`].
    pub fn begin_to_watch(&mut self) -> Result<(), LabelError> {
        self.watching.set(0, 1, 0).map_err(|source| LabelError {
            name: "WATCHING",
            source: Box::new(source),
        })
    }

    /// The names of this directory matter no longer.
    ///
    /// # Errors
    /// [`LabelError`]; none where they did not.
    pub fn forget_way(&mut self, directory: ObjectKey) -> Result<(), LabelError> {
        gone("WAYS", self.ways.remove(&bytes_of_object(directory)))
    }

    /// This is no place of the sensor's own any more.
    ///
    /// # Errors
    /// [`LabelError`]; none where it was none.
    pub fn forget_place(&mut self, place: ObjectKey) -> Result<(), LabelError> {
        gone("OWN_PLACES", self.places.remove(&bytes_of_object(place)))
    }

    /// Watches a name in a labelled directory no longer.
    ///
    /// # Errors
    /// [`LabelError`]; none where it was not watched.
    pub fn forget_name(&mut self, key: NameKey) -> Result<(), LabelError> {
        gone("NAMES", self.names.remove(&bytes_of_name(key)))
    }

    fn set(&mut self, request: LabelRequest) -> Result<(), LabelError> {
        let bytes: [u8; size_of::<LabelRequest>()] = transmute!(request);
        self.request.set(0, bytes, 0).map_err(|source| LabelError {
            name: "REQUEST",
            source: Box::new(source),
        })
    }

    fn get(&self) -> Result<LabelRequest, LabelError> {
        let bytes = self.request.get(&0, 0).map_err(|source| LabelError {
            name: "REQUEST",
            source: Box::new(source),
        })?;
        Ok(transmute!(bytes))
    }
}

fn own_tid() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

/// What is not there need not be removed.
fn gone(name: &'static str, removed: Result<(), MapError>) -> Result<(), LabelError> {
    match removed {
        Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error)) if error.io_error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(LabelError {
            name,
            source: Box::new(source),
        }),
    }
}

fn bytes_of_object(key: ObjectKey) -> [u8; size_of::<ObjectKey>()] {
    transmute!(key)
}

fn bytes_of_name(key: NameKey) -> [u8; size_of::<NameKey>()] {
    transmute!(key)
}

fn bytes_of_label(label: Label) -> [u8; size_of::<Label>()] {
    transmute!(label)
}
