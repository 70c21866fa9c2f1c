//! Programs loaded side by side. Most of a start is the verifier's work, which the kernel does for several programs at a time.
//!
//! Nothing rests on it: whoever starts a program loads it, where that is not done yet, and then learns why it is refused. So only what is alone at its place is
//! loaded here, which is not refused as a rule.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    thread,
};

use aya::{
    Btf, Ebpf,
    programs::{
        BtfTracePoint, CgroupSysctl, FEntry, FExit, Iter, Lsm, Program as Loadable, ProgramError, TracePoint,
    },
};

use super::hook::{Hook, Point, Program, program};

/// Threads that load, at most.
const THREADS_MAX: usize = 4;

/// The programs of a hook, and beside it, that have no other in their place.
pub(super) fn alone(hook: &Hook) -> impl Iterator<Item = Program> {
    let beside = hook.beside.iter().map(|either| either.programs);
    let all = std::iter::once(hook.programs).chain(beside);
    let alone = all.filter_map(|programs| match programs {
        [one] => Some(*one),
        _ => None,
    });
    alone.flat_map(|one| match one.point {
        Point::LsmWithResult(hook, result) => vec![*result, program(one.name, Point::Lsm(hook))],
        _ => vec![one],
    })
}

/// Loads those that are not loaded yet, as far as that goes.
pub(super) fn load_all(ebpf: &mut Ebpf, btf: &Btf, wanted: impl IntoIterator<Item = Program>) {
    let points: HashMap<&str, Point> = wanted
        .into_iter()
        .map(|program| (program.name, program.point))
        .collect();
    let waiting: Vec<_> = ebpf
        .programs_mut()
        .filter_map(|(name, program)| Some((program, *points.get(name)?)))
        .collect();
    let threads = thread::available_parallelism().map_or(1, |count| count.get().min(THREADS_MAX));
    let waiting = Mutex::new(waiting);
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let work = || {
        while let Some((program, point)) = next() {
            // Whoever starts it tries again, and says why.
            let _refused = load(program, point, btf);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // Where there can be no further thread, this one does it all.
            let _spawned = thread::Builder::new()
                .name("claviger-loads".to_owned())
                .spawn_scoped(scope, work);
        }
        work();
    });
}

/// Loads a program for a place, where it is not loaded yet.
pub(super) fn load(program: &mut Loadable, point: Point, btf: &Btf) -> Result<(), ProgramError> {
    if program.fd().is_ok() {
        return Ok(());
    }
    match point {
        Point::Lsm(hook) | Point::LsmWithResult(hook, _) => {
            let lsm: &mut Lsm = program.try_into()?;
            lsm.load(hook, btf)
        }
        Point::Fentry(function) => {
            let fentry: &mut FEntry = program.try_into()?;
            fentry.load(function, btf)
        }
        Point::Fexit(function) => {
            let fexit: &mut FExit = program.try_into()?;
            fexit.load(function, btf)
        }
        Point::BtfTracepoint(tracepoint) => {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(tracepoint, btf)
        }
        Point::Iterator(kind) => {
            let iterator: &mut Iter = program.try_into()?;
            iterator.load(kind, btf)
        }
        Point::Settings => {
            let program: &mut CgroupSysctl = program.try_into()?;
            program.load()
        }
        Point::Exits(_) | Point::Enters(_) | Point::ExitsAndNewer(..) => {
            let program: &mut TracePoint = program.try_into()?;
            program.load()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hook::{Either, lsm};
    use super::*;

    #[test]
    fn only_what_has_no_other_in_its_place_is_loaded_ahead() {
        const RESULT: Program = program("result", Point::Fexit("f"));
        const HOOK: Hook = Hook {
            name: "hook",
            programs: &[program("both", Point::LsmWithResult("h", &RESULT))],
            beside: &[
                Either {
                    programs: &[lsm("older", "h"), lsm("newer", "h")],
                    otherwise: "",
                },
                Either {
                    programs: &[program("beside", Point::Settings)],
                    otherwise: "",
                },
            ],
            cannot_see: &[],
        };
        let names: Vec<_> = alone(&HOOK).map(|program| program.name).collect();
        assert_eq!(names, ["result", "both", "beside"]);
    }
}
