//! What a program start runs beside its executable.

use std::fmt;

use claviger_sensor_common::{
    MARK_DELETED, MARK_LAYER_UNKNOWN, MARK_MEMFD, MARK_UPPER_LAYER, NameWord, PROGRAM_ARGUMENTS,
    PROGRAM_MAPPED, PROGRAM_SCRIPT_FILE, PROGRAM_SCRIPT_PATH, ProgramRecord,
};

use super::{DecodeError, FilePath, NotTold, ProgramRun, arguments, numbers::stat_device};

/// What marks a file that is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(u32);

impl Marks {
    pub(super) const fn new(bits: u32) -> Self {
        Self(bits)
    }

    /// It has no name any more.
    #[must_use]
    pub const fn deleted(self) -> bool {
        self.0 & MARK_DELETED != 0
    }

    /// It was made in memory, and is called `memfd:` and what its maker chose.
    #[must_use]
    pub const fn memfd(self) -> bool {
        self.0 & MARK_MEMFD != 0
    }

    /// It lies in the upper layer of an overlay.
    #[must_use]
    pub const fn upper_layer(self) -> bool {
        self.0 & MARK_UPPER_LAYER != 0
    }

    /// It lies in an overlay whose layers are not known.
    #[must_use]
    pub const fn layer_unknown(self) -> bool {
        self.0 & MARK_LAYER_UNKNOWN != 0
    }
}

/// Bytes that a process was given. They may hold anything, so they are not shown before they were found to be the path of a file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Given(Vec<u8>);

impl Given {
    /// Them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Given({} bytes)", self.0.len())
    }
}

/// A file that is run without being the executable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The kernel was given this script.
    ScriptFile {
        /// Which.
        file: CarriedFile,
        /// The path as it was given.
        given: Given,
    },
    /// The kernel was given a script, of which only this path is known.
    ScriptPath(FilePath),
    /// An argument may name a script.
    Argument {
        /// It.
        given: Given,
        /// It, as a path from the process's root.
        path: Given,
        /// Whether another may have other code run beside it.
        beside_code: bool,
    },
    /// The arguments name no script, for this reason.
    NoScript(NotTold),
    /// The dynamic loader has mapped this program.
    Mapped(CarriedFile),
}

/// It, as an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarriedFile {
    /// Where it lies.
    pub path: FilePath,
    /// `st_dev` of its superblock's device.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
    /// What marks it.
    pub marks: Marks,
}

/// What a program start runs beside its executable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Which start.
    pub run: ProgramRun,
    /// A script, or what the dynamic loader loads.
    pub carried: Option<Carried>,
    /// By which name a program of many names was called; empty where it is none.
    pub applet: Given,
}

impl Program {
    pub(super) fn from_record(record: &ProgramRecord) -> Result<Self, DecodeError> {
        let out_of_range = |field, value| DecodeError::OutOfRange { field, value };
        let used = |bytes: &[u8], field, length: u32| {
            let used = usize::try_from(length)
                .ok()
                .and_then(|length| bytes.get(..length));
            used.map(|used| Given(used.to_vec()))
                .ok_or(out_of_range(field, length))
        };
        let given = used(&record.given, "given_length", record.given_length)?;
        let path = FilePath::from_record(&record.path)?;
        let marks = Marks::new(record.marks);
        let file = |path: FilePath| CarriedFile {
            path: path.marked(marks),
            device: stat_device(record.device),
            inode: record.inode,
            marks,
        };
        let cut = record.given_truncated != 0;
        let carried = match record.how {
            0 => None,
            PROGRAM_SCRIPT_FILE => Some(Carried::ScriptFile {
                file: file(path),
                given,
            }),
            PROGRAM_SCRIPT_PATH => {
                let mut path = path.join_as_given(&given.0);
                path.truncated |= cut;
                Some(Carried::ScriptPath(path))
            }
            PROGRAM_ARGUMENTS => Some(by_arguments(NameWord(record.interpreter), &given, cut, &path)),
            PROGRAM_MAPPED => Some(Carried::Mapped(file(path))),
            value => return Err(out_of_range("how", value)),
        };
        Ok(Self {
            run: (&record.process).into(),
            carried,
            applet: used(&record.applet, "applet_length", record.applet_length)?,
        })
    }
}

/// What arguments say. Those that name no script are let go here.
fn by_arguments(interpreter: NameWord, arguments: &Given, cut: bool, base: &FilePath) -> Carried {
    let script = match arguments::script(interpreter, &arguments.0, cut) {
        Ok(script) => script,
        Err(reason) => return Carried::NoScript(reason),
    };
    let from_root = base.join_as_given(script.path);
    if script.path.is_empty() {
        Carried::NoScript(NotTold::NoArgument)
    } else if from_root.truncated {
        // A path that was cut leads elsewhere.
        Carried::NoScript(NotTold::TooLong)
    } else {
        Carried::Argument {
            given: Given(script.path.to_vec()),
            path: Given(from_root.bytes),
            beside_code: script.beside_code,
        }
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros as _;

    use super::*;

    fn record(how: u32, given: &[u8], path: &[u8]) -> ProgramRecord {
        let mut record = ProgramRecord::new_zeroed();
        record.how = how;
        record.interpreter = NameWord::of(b"python3").0;
        record.process.pid = 7;
        record.process.exec_id = 3;
        record.given_length = u32::try_from(given.len()).expect("short");
        record.given[..given.len()].copy_from_slice(given);
        record.path.length = u32::try_from(path.len()).expect("short");
        record.path.components[..path.len()].copy_from_slice(path);
        record
    }

    #[test]
    fn an_argument_is_a_path_from_where_the_process_is() {
        let program = Program::from_record(&record(PROGRAM_ARGUMENTS, b"-B\0../x.py\0", b"work\0demo\0"));
        let Some(Carried::Argument { path, .. }) = program.expect("decodes").carried else {
            panic!("an argument")
        };
        assert_eq!(path.bytes(), b"/demo/work/../x.py");
        let program = Program::from_record(&record(PROGRAM_ARGUMENTS, b"./x.py\0", b""));
        let Some(Carried::Argument { path, .. }) = program.expect("decodes").carried else {
            panic!("an argument")
        };
        assert_eq!(path.bytes(), b"/x.py");
    }

    #[test]
    fn an_argument_is_never_shown() {
        let secret = b"-B\0hunter2-hunter2\0";
        let program = Program::from_record(&record(PROGRAM_ARGUMENTS, secret, b"")).expect("decodes");
        assert!(!format!("{program:?}").contains("hunter2"));
    }

    #[test]
    fn what_was_cut_names_nothing() {
        let mut cut = record(PROGRAM_ARGUMENTS, b"/usr/bin/a", b"");
        cut.given_truncated = 1;
        let carried = Program::from_record(&cut).expect("decodes").carried;
        assert_eq!(carried, Some(Carried::NoScript(NotTold::TooLong)));
        let mut long = record(PROGRAM_ARGUMENTS, b"x.py\0", b"work\0");
        long.path.truncated = 1;
        let carried = Program::from_record(&long).expect("decodes").carried;
        assert_eq!(carried, Some(Carried::NoScript(NotTold::TooLong)));
    }

    #[test]
    fn what_names_no_script_is_not_kept() {
        let code = record(PROGRAM_ARGUMENTS, b"-c\0hunter2-hunter2\0", b"");
        let program = Program::from_record(&code).expect("decodes");
        assert_eq!(program.carried, Some(Carried::NoScript(NotTold::Code)));
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        let mut long = record(PROGRAM_SCRIPT_FILE, b"x", b"x\0");
        long.applet_length = 65;
        assert!(Program::from_record(&long).is_err());
        assert!(Program::from_record(&record(9, b"x", b"x\0")).is_err());
    }

    #[test]
    fn a_script_is_an_object_with_its_marks() {
        let mut script = record(PROGRAM_SCRIPT_FILE, b"./aws", b"aws\0bin\0usr\0");
        (script.inode, script.device, script.marks) = (5, (8 << 20) | 1, MARK_UPPER_LAYER);
        let program = Program::from_record(&script).expect("decodes");
        assert_eq!(program.run.exec_id, 3);
        let Some(Carried::ScriptFile { file, given }) = program.carried else {
            panic!("a script")
        };
        assert_eq!(
            (file.path.bytes.as_slice(), file.device),
            (&b"/usr/bin/aws"[..], 0x801)
        );
        assert!(file.marks.upper_layer() && !file.marks.deleted());
        assert_eq!(given.bytes(), b"./aws");
    }
}
