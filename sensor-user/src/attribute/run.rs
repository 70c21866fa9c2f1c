//! What a program run carries out beside its executable: a script, what the dynamic loader has loaded, an applet.
//!
//! - What the kernel was given, or has mapped, is told as the kernel half saw it.
//! - An argument is told only once a file was found under it. It is looked up as late as it can be, when a use is told, and without ever waiting: the
//!   interpreter has looked it up itself by then. Until then it is kept, [`LOOKS_MAX`] looks long, and goes nowhere.

use claviger_proto::v1::{Program as File, ProgramBasis};
use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};

use super::{applets, proc_fs::root_of};
use crate::decode::{Carried, CarriedFile, Exec, Given, NotTold, ProcessKey, Program, RootId, display};

/// How often an argument is looked up before it is let go.
pub(super) const LOOKS_MAX: u32 = 16;

const BY_OPTION: &str = "an option may say what it runs";
const NO_ARGUMENT: &str = "no argument names one; it may read it from its standard input";
const CODE: &str = "it is code on the command line, not a script";
const NAME: &str = "its arguments name a module or class, not a script";
const TOO_LONG: &str = "its arguments are too long";
const UNREADABLE: &str = "its arguments could not be read";
const LOST: &str = "the record that names it was lost";
const NO_FILE: &str = "what its argument names is no file";
const WOULD_WAIT: &str = "what its argument names could not be looked up without waiting";
const ENDED: &str = "it ended before its argument was looked up";
const NOTHING_LOADED: &str = "it was not seen to load one";
const ONLY_PATH: &str = "only its path was seen";

/// What one program run carries out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// The script that it interprets.
    pub script: Option<File>,
    /// What the dynamic loader has loaded.
    pub loaded: Option<File>,
    /// The name of the one of many programs.
    pub applet: &'static str,
    /// The script's path as the kernel was given it.
    given: Option<Given>,
    argument: Option<Argument>,
}

/// What may be the path of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Argument {
    path: Given,
    basis: ProgramBasis,
    /// The tree in which the interpreter found it.
    root: RootId,
    looks: u32,
}

impl Run {
    /// Of a program start, with what was told of it and the run before, which may have passed its script on: `env` starts the interpreter that the
    /// first line of a script asks for.
    pub(super) fn start(exec: &Exec, told: Option<Program>, before: Option<&Self>) -> Self {
        let runs = exec.runs;
        let applet = told
            .as_ref()
            .filter(|_| runs.applet())
            .and_then(|told| applets::known(told.applet.bytes()));
        let mut run = Self {
            loaded: runs.loader().then(|| unknown(NOTHING_LOADED)),
            applet: applet.unwrap_or_default(),
            ..Self::default()
        };
        let not_told = runs.not_told.map(why);
        match told.and_then(|told| told.carried) {
            Some(Carried::ScriptFile { file, given }) => {
                run.script = Some(known(&file, ProgramBasis::ExecutedFile));
                run.given = Some(given);
            }
            Some(Carried::ScriptPath(path)) => {
                run.script = Some(File {
                    path: path.display(),
                    basis: ProgramBasis::ExecutedPath.into(),
                    unknown_reason: ONLY_PATH.into(),
                    ..File::default()
                });
            }
            Some(Carried::NoScript(reason)) => run.script = Some(unknown(why(reason))),
            Some(Carried::Argument {
                given,
                path,
                beside_code,
            }) => {
                let basis = if beside_code {
                    ProgramBasis::ArgumentBesideCode
                } else {
                    ProgramBasis::Argument
                };
                let passed_on = before.filter(|before| before.given.as_ref() == Some(&given));
                match passed_on.and_then(|before| before.script.as_ref()) {
                    Some(script) if given.bytes().first() == Some(&b'/') => {
                        run.script = Some(File {
                            basis: basis.into(),
                            ..script.clone()
                        });
                    }
                    _ => {
                        run.script = Some(unknown(WOULD_WAIT));
                        run.argument = Some(Argument {
                            path,
                            basis,
                            root: exec.root,
                            looks: 0,
                        });
                    }
                }
            }
            Some(Carried::Mapped(_)) | None if runs.script() || not_told.is_some() => {
                run.script = Some(unknown(not_told.unwrap_or(LOST)));
            }
            Some(Carried::Mapped(_)) | None => {}
        }
        run
    }

    /// What is run beside the executable.
    pub(super) fn carried(&mut self) -> impl Iterator<Item = &mut File> {
        [&mut self.script, &mut self.loaded].into_iter().flatten()
    }

    /// The dynamic loader has mapped what it runs.
    pub(super) fn mapped(&mut self, file: &CarriedFile) {
        self.loaded = Some(known(file, ProgramBasis::Mapped));
    }

    /// Looks up what an argument names, if there is one that was not yet: as `process` sees it, or, where that is gone and saw the sensor's own tree, as the
    /// sensor does.
    pub(super) fn look_up(&mut self, process: ProcessKey, is_own: impl FnOnce(RootId) -> bool) {
        let Some(argument) = &mut self.argument else {
            return;
        };
        argument.looks += 1;
        let root = argument.root;
        let found = look(process, || is_own(root), argument.path.bytes());
        let again = found == Err(WOULD_WAIT) && argument.looks < LOOKS_MAX;
        self.script = Some(match found {
            Ok((device, inode)) => File {
                path: display(argument.path.bytes()),
                device,
                inode,
                basis: argument.basis.into(),
                ..File::default()
            },
            Err(reason) => unknown(reason),
        });
        if !again {
            self.argument = None;
        }
    }
}

/// Why a script is not known, for people.
const fn why(reason: NotTold) -> &'static str {
    match reason {
        NotTold::ByOption => BY_OPTION,
        NotTold::NoArgument => NO_ARGUMENT,
        NotTold::Code => CODE,
        NotTold::Name => NAME,
        NotTold::TooLong => TOO_LONG,
        NotTold::Unreadable => UNREADABLE,
    }
}

/// A file by device and inode, or why it is not known.
fn look(process: ProcessKey, is_own: impl FnOnce() -> bool, path: &[u8]) -> Result<(u64, u64), &'static str> {
    let root = match root_of(process) {
        Some(root) => root,
        None if is_own() => {
            rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(|_| ENDED)?
        }
        None => return Err(ENDED),
    };
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::CACHED;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let found =
        rustix::fs::openat2(root, path, flags, Mode::empty(), resolve).map_err(|error| match error {
            Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::LOOP => NO_FILE,
            // Kernels before 5.12 do not know how not to wait.
            _ => WOULD_WAIT,
        })?;
    let stat = rustix::fs::fstat(found).map_err(|_| WOULD_WAIT)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
        Ok((stat.st_dev, stat.st_ino))
    } else {
        Err(NO_FILE)
    }
}

fn known(file: &CarriedFile, basis: ProgramBasis) -> File {
    File {
        path: file.path.display(),
        device: file.device,
        inode: file.inode,
        basis: basis.into(),
        deleted: file.marks.deleted(),
        memfd: file.marks.memfd(),
        upper_layer: file.marks.upper_layer(),
        unknown_reason: String::new(),
        place: None,
    }
}

fn unknown(reason: &str) -> File {
    File {
        unknown_reason: reason.into(),
        ..File::default()
    }
}

#[cfg(test)]
mod tests;
