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
        // A process may say that it runs another file than it was started from.
        if let Some(exe) = facts.started(task.run()).or(task.exe)
            && !facts.exe_path.is_empty()
            && facts.exe_place.as_ref().is_none_or(|(object, _)| *object != exe)
            && let Some(place) = look(&facts.exe_path, exe)
        {
            facts.exe_place = Some((exe, place));
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
        // What was told of it before it was known is not told again.
        self.changes += 1;
        if facts.exe_path == sought.path {
            facts.exe_place = Some((sought.object, place.clone()));
        }
        let is_it = |file: &&mut File| file.path == sought.path && (file.device, file.inode) == sought.object;
        for file in facts.run.carried().filter(is_it) {
            file.place = Some(place.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_sensor_common::TaskSnapshot;
    use zerocopy::FromZeros as _;

    use super::*;
    use crate::attribute::ProcessFacts;

    #[test]
    fn the_place_is_that_of_what_was_started_whatever_it_says_that_it_runs() {
        let mut task = Task::from(&TaskSnapshot::new_zeroed());
        let started = (1, 2);
        task.exe = Some((3, 4));
        let mut table = ProcessTable::default();
        let facts = ProcessFacts {
            exe_path: "/".into(),
            exe_device: Some(started.0),
            exe_inode: Some(started.1),
            exec_id: Some(task.exec_id),
            ..ProcessFacts::default()
        };
        table.facts.insert(task.process, facts);
        let to_come = table.look_up_places(&task);
        let place = &table.facts[&task.process].exe_place;
        let looked = place.as_ref().map(|(object, _)| *object);
        assert_eq!(
            looked.or(to_come.first().map(|sought| sought.object)),
            Some(started)
        );
    }

    #[test]
    fn what_was_told_is_told_anew_when_a_place_is_known() {
        let task = Task::from(&TaskSnapshot::new_zeroed());
        let mut table = ProcessTable::default();
        let facts = ProcessFacts {
            exe_path: "/bin/sh".into(),
            ..ProcessFacts::default()
        };
        table.facts.insert(task.process, facts);
        let before = table.changes();
        table.placed(&Sought::of(&task, "/bin/sh", (1, 2)), &Place::hangs());
        assert!(table.changes() > before);
    }
}
