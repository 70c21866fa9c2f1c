//! The look through all open descriptors: the programs of `open_descriptors.rs` of the kernel half run as their iterators are read.

use std::io::{self, Read as _};

use aya::{
    Btf, Ebpf,
    maps::{Array, MapData},
    programs::{Iter, Program, ProgramError},
};
use claviger_sensor_common::{Look, Probe, REQUEST_HELD};
use rustix::time::{ClockId, clock_gettime};
use zerocopy::transmute;

use super::{HookTrial, KernelError, Labeller, ProbeState, attach::reason};
use crate::error::in_one_line;

const DESCRIPTORS: (&str, &str) = ("open_descriptors", "task_file");
const MAPPED: (&str, &str) = ("mapped_files", "task_vma");
const REGISTERED: (&str, &str) = ("registered_rings", "task");
const HOOK: &str = "iter/task_file";

/// Looks through all open descriptors. What is found comes as records.
pub struct OpenDescriptors {
    descriptors: Iter,
    /// Nothing where this kernel has no such iterator.
    mapped: Option<Iter>,
    /// The same.
    registered: Option<Iter>,
    look: Array<MapData, [u8; size_of::<Look>()]>,
    number: u32,
    before_boot_ns: u64,
}

/// A look could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// A program of the kernel half refused.
    #[error("starting a look through open descriptors")]
    Program(#[source] Box<ProgramError>),
    /// The kernel made no iterator of it.
    #[error("beginning a look through open descriptors")]
    Link(#[from] Box<aya::programs::links::LinkError>),
    /// The kernel half could not be told what the look is.
    #[error("saying which look it is")]
    Map(#[source] Box<aya::maps::MapError>),
    /// The kernel broke it off.
    #[error("looking through open descriptors")]
    Io(#[from] io::Error),
}

/// Loads the programs and has them find a descriptor of this process. They are in use only with what comes back.
pub(super) fn load(ebpf: &mut Ebpf, btf: &Btf, labeller: &mut Labeller) -> ProbeState {
    let refused = |reason| {
        let hook = HOOK.to_owned();
        ProbeState::without(Probe::OpenDescriptors, vec![HookTrial { hook, reason }])
    };
    if let Err(why) = load_one(ebpf, btf, DESCRIPTORS) {
        return refused(why);
    }
    let seen = labeller.sees(REQUEST_HELD, || {
        own(ebpf, DESCRIPTORS).and_then(|mut it| run(&mut it))
    });
    match seen {
        Ok((Ok(()), true)) => {}
        Ok((Ok(()), false)) => return refused("attached but never ran".to_owned()),
        Ok((Err(error), _)) => return refused(in_one_line(&error)),
        Err(error) => return refused(in_one_line(&error)),
    }
    let mut cannot_see = Vec::new();
    if let Err(why) = load_one(ebpf, btf, MAPPED) {
        tracing::debug!(%why, "mapped files cannot be looked through");
        cannot_see.push("files that were mapped before, and are not open any more".to_owned());
    }
    if let Err(why) = load_one(ebpf, btf, REGISTERED) {
        tracing::debug!(%why, "registered rings cannot be looked through");
        cannot_see.push("what is put into rings that nothing but their registration holds".to_owned());
    }
    ProbeState {
        probe: Probe::OpenDescriptors,
        hook: Some(HOOK.to_owned()),
        refused: Vec::new(),
        cannot_see,
    }
}

pub(super) fn load_one(ebpf: &mut Ebpf, btf: &Btf, (name, kind): (&str, &str)) -> Result<(), String> {
    let program = ebpf
        .program_mut(name)
        .ok_or_else(|| format!("program {name} is not in the object"))?;
    let loaded: Result<(), ProgramError> = (|| {
        let iterator: &mut Iter = program.try_into()?;
        iterator.load(kind, btf)
    })();
    loaded.map_err(|error| reason(&error))
}

/// A loaded iterator that outlives the object it came from.
pub(super) fn own(ebpf: &Ebpf, (name, _): (&'static str, &str)) -> Result<Iter, LookError> {
    let program = ebpf.program(name).ok_or(ProgramError::NotLoaded);
    program
        .and_then(Program::info)
        .and_then(|info| Iter::from_program_info(info, name.into()))
        .map_err(|error| LookError::Program(Box::new(error)))
}

/// Runs an iterator from begin to end. What it writes is nothing; it is the running that counts.
pub(super) fn run(iterator: &mut Iter) -> Result<(), LookError> {
    let link = iterator
        .attach()
        .and_then(|link| iterator.take_link(link))
        .map_err(|error| LookError::Program(Box::new(error)))?;
    drain(&mut link.into_file().map_err(Box::new)?)
}

/// A long look is broken up by the kernel, which asks to be called again.
fn drain(file: &mut std::fs::File) -> Result<(), LookError> {
    let mut nothing = [0; 64];
    loop {
        match file.read(&mut nothing) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

impl OpenDescriptors {
    pub(super) fn new(ebpf: &mut Ebpf) -> Result<Self, KernelError> {
        let map = ebpf
            .take_map("LOOK")
            .ok_or_else(|| KernelError::io("finding map LOOK")(io::ErrorKind::NotFound.into()))?;
        let look = Array::try_from(map).map_err(|source| KernelError::Map {
            name: "LOOK",
            source: Box::new(source),
        })?;
        Ok(Self {
            descriptors: own(ebpf, DESCRIPTORS).map_err(KernelError::Look)?,
            mapped: own(ebpf, MAPPED).ok(),
            registered: own(ebpf, REGISTERED).ok(),
            look,
            number: 0,
            before_boot_ns: 0,
        })
    }

    /// Looks through all open descriptors and registered rings, and with `mapped` through all mapped files too. Blocks for some milliseconds.
    ///
    /// # Errors
    /// [`LookError`]; what was found until then was told.
    pub fn look(&mut self, mapped: bool) -> Result<(), LookError> {
        let begun = since_boot_ns();
        self.number = self.number.saturating_add(1);
        let look: [u8; size_of::<Look>()] = transmute!(Look {
            before_boot_ns: self.before_boot_ns,
            number: self.number,
            reserved: 0,
        });
        self.look
            .set(0, look, 0)
            .map_err(|error| LookError::Map(Box::new(error)))?;
        run(&mut self.descriptors)?;
        if let Some(iterator) = &mut self.registered {
            run(iterator)?;
        }
        if mapped && let Some(iterator) = &mut self.mapped {
            run(iterator)?;
        }
        self.before_boot_ns = begun;
        Ok(())
    }
}

fn since_boot_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    u64::try_from(now.tv_sec).unwrap_or_default() * 1_000_000_000
        + u64::try_from(now.tv_nsec).unwrap_or_default()
}
