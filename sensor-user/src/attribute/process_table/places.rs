//! Where the programs of processes lie, each looked up once for a program run.

use claviger_proto::v1::Program as File;

use super::ProcessTable;
use crate::{
    attribute::program_place::{Place, Sought, WouldWait},
    decode::Task,
};

impl ProcessTable {
    /// Looks up where what a task runs lies, as far as that is not known yet; what of it could not be looked up without waiting.
    pub fn look_up_places(&mut self, task: &Task) -> Vec<Sought> {
        let Some(facts) = self
            .facts
            .get_mut(&task.process)
            .filter(|facts| facts.is_of(task.run()))
        else {
            return Vec::new();
        };
        let mut to_come = Vec::new();
        let mut look = |path: &str, object| {
            let sought = Sought::of(task, path, object);
            sought
                .look(false)
                .inspect_err(|WouldWait| to_come.push(sought))
                .ok()
        };
        if let Some(exe) = task.exe
            && !facts.exe_path.is_empty()
            && facts.exe_place.as_ref().is_none_or(|(object, _)| *object != exe)
        {
            facts.exe_place = look(&facts.exe_path, exe).map(|place| (exe, place));
        }
        for file in facts.run.carried() {
            if file.place.is_none() && file.inode != 0 {
                file.place = look(&file.path, (file.device, file.inode)).map(|place| (&place).into());
            }
        }
        to_come
    }

    /// It was found out where a file lies that a process runs.
    pub fn placed(&mut self, sought: &Sought, place: &Place) {
        let process = sought.run.process;
        let Some(facts) = self
            .facts
            .get_mut(&process)
            .filter(|facts| facts.is_of(sought.run))
        else {
            return;
        };
        if facts.exe_path == sought.path {
            facts.exe_place = Some((sought.object, place.clone()));
        }
        let is_it = |file: &&mut File| file.path == sought.path && (file.device, file.inode) == sought.object;
        for file in facts.run.carried().filter(is_it) {
            file.place = Some(place.into());
        }
    }
}
