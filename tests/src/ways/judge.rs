//! Whether what a sensor said of a way is what it had to say. Pure.

use serde_json::Value;

use super::{Cell, Did, Sees, Way, When};

/// What is known of a way that was done, but for what the sensor says.
#[derive(Clone, Debug)]
pub struct Done<'a> {
    /// The way.
    pub way: &'a Way,
    /// What this level must see of it.
    pub cell: Option<Cell>,
    /// Who did it.
    pub pid: u64,
    /// How it ended: 0 or the errno.
    pub errno: u64,
    /// The process or key that it was done to.
    pub target: i64,
    /// The path of the object, absolute.
    pub path: &'a str,
    /// What else it was done with: of a core, the directory that it goes to.
    pub other: &'a str,
    /// Inodes of the object: before, and after where it was replaced.
    pub inodes: &'a [u64],
}

impl<'a> Done<'a> {
    /// Of a way and what its actor says; nothing where it did nothing.
    #[must_use]
    pub fn new(
        way: &'a Way,
        cell: Option<Cell>,
        did: &Did,
        (path, other): (&'a str, &'a str),
        inodes: &'a [u64],
    ) -> Option<Self> {
        let &Did::It { pid, errno, target } = did else {
            return None;
        };
        Some(Self {
            way,
            cell,
            pid,
            errno,
            target,
            path,
            other,
            inodes,
        })
    }
}

/// Looks for the one event that must be there.
///
/// # Errors
/// What is wrong: no such event, a wrong one, or one too many.
pub fn judge(done: &Done<'_>, events: &[Value]) -> Result<(), String> {
    let mut of_actor: Vec<_> = events
        .iter()
        .filter(|event| event["actor"]["process"]["pid"] == done.pid)
        .collect();
    if matches!(done.way.sees, Sees::OwnSecret(_)) {
        of_actor.retain(|event| event["kind"] == "process_secret_access");
    }
    if matches!(done.way.sees, Sees::ChangeBeside(_)) {
        of_actor.retain(|event| event["kind"] == "credential_change");
    }
    if let Sees::SecretBeside(part) = done.way.sees {
        of_actor.retain(|event| event["process_secret"]["part"] == part);
    }
    match (&of_actor[..], done.way.sees) {
        ([], Sees::Nothing) => Ok(()),
        ([], _) => Err("no event".to_owned()),
        ([event], sees) => fits(done, sees, event)
            .and_then(|()| is_by_its_own_ids(done, event))
            .map_err(|wrong| format!("{wrong}\n{event:#}")),
        (several, _) => Err(format!("{} events\n{several:#?}", several.len())),
    }
}

/// Whoever acts with the ids of another is told with its own.
fn is_by_its_own_ids(done: &Done<'_>, event: &Value) -> Result<(), String> {
    const NOBODY: u64 = 65_534;
    let uid = &event["actor"]["process"]["uid"];
    if done.way.name == "uring_personality" && *uid != NOBODY {
        return Err(format!("the user is {uid} and not {NOBODY}"));
    }
    Ok(())
}

fn fits(done: &Done<'_>, sees: Sees, event: &Value) -> Result<(), String> {
    let is = |what: &str, found: &Value, wanted: Value| {
        if *found == wanted {
            Ok(())
        } else {
            Err(format!("{what} is {found} and not {wanted}"))
        }
    };
    let kind = |wanted: &str| is("the kind", &event["kind"], wanted.into());
    // A descriptor that is found tells what it is open for, and not how it came.
    let done_by = |operation: &'static str| match done.cell {
        Some(Cell::Sweep) => "read",
        _ => operation,
    };
    let by = |operation, part: &Value| is("the operation", &part["operation"], done_by(operation).into());
    match sees {
        Sees::Access(operation) => {
            kind("credential_access")?;
            by(operation, &event["credential"])?;
            object(done, &event["credential"])?;
        }
        Sees::Change(what) | Sees::ChangeBeside(what) => {
            kind("credential_change")?;
            is("the change", &event["change"]["what"], what.into())?;
            object(done, &event["credential"])?;
        }
        Sees::Secret(part) | Sees::SecretBeside(part) => {
            kind("process_secret_access")?;
            is("the part", &event["process_secret"]["part"], part.into())?;
            is(
                "the target",
                &event["process_secret"]["target"]["pid"],
                done.target.into(),
            )?;
        }
        Sees::OwnSecret(part) => {
            kind("process_secret_access")?;
            is("the part", &event["process_secret"]["part"], part.into())?;
            is(
                "the target",
                &event["process_secret"]["target"]["pid"],
                done.pid.into(),
            )?;
            let written_to = event["process_secret"]["written_to"].as_str();
            if !written_to.is_some_and(|path| path.starts_with(done.other)) {
                return Err(format!("it went to {written_to:?} and not to {}", done.other));
            }
        }
        Sees::SecretBy(part, operation) => {
            kind("process_secret_access")?;
            is("the part", &event["process_secret"]["part"], part.into())?;
            by(operation, &event["process_secret"])?;
            is(
                "the target",
                &event["process_secret"]["target"]["pid"],
                done.target.into(),
            )?;
        }
        Sees::MachineSecret(part, operation) => {
            kind("process_secret_access")?;
            is("the part", &event["process_secret"]["part"], part.into())?;
            by(operation, &event["process_secret"])?;
        }
        Sees::KernelKey => {
            kind("kernel_key_access")?;
            is("the key", &event["kernel_key"]["serial"], done.target.into())?;
        }
        Sees::Environment => kind("environment_credential")?,
        Sees::Discovery => {
            kind("credential_discovery")?;
            object(done, &event["discovery"])?;
        }
        Sees::Tamper(what) => {
            kind("sensor_tamper")?;
            is("the tampering", &event["tamper"]["what"], what.into())?;
        }
        Sees::Nothing => return Err("it was reported".to_owned()),
    }
    is("the count", &event["count"], 1.into())?;
    let outcome = match (done.errno, done.cell, sees) {
        (0, Some(Cell::Path), _) if is_seen_to_end_after_all(done, event) => "succeeded",
        (0, Some(Cell::Path), Sees::Access(_)) if !done.way.is_end_seen() => "unknown",
        (0, Some(Cell::Path), Sees::ChangeBeside(_)) => "unknown",
        (0, Some(Cell::Path), Sees::Secret(_) | Sees::MachineSecret(..) | Sees::Tamper(_))
            if done.way.is_followed() =>
        {
            "unknown"
        }
        (0, ..) => "succeeded",
        _ => "denied",
    };
    is("the outcome", &event["outcome"], outcome.into())?;
    is("the errno", &event["errno"], done.errno.into())?;
    let before = done.way.when == When::BeforeSensor;
    is("pre_existing", &event["pre_existing"], before.into())?;
    let found = before || done.cell == Some(Cell::Sweep);
    let since = &event["since"];
    match (found, since.is_string()) {
        (true, false) => Err("it does not say since when".to_owned()),
        (false, true) => Err(format!(
            "it may have been since {since}, and its beginning was seen"
        )),
        _ => Ok(()),
    }
}

/// On such a kernel what it has opened is at hand, and known for the file that it is.
fn is_seen_to_end_after_all(done: &Done<'_>, event: &Value) -> bool {
    let inode = event["credential"]["inode"].as_u64();
    done.way.is_end_seen_on_some()
        && event["outcome"] == "succeeded"
        && inode.is_some_and(|inode| done.inodes.contains(&inode))
}

/// By its inode; by its path where that is all that this level has, and where the attempt never reached an inode.
fn object(done: &Done<'_>, part: &Value) -> Result<(), String> {
    let inode = part["inode"].as_u64().unwrap_or_default();
    let by_path = done.cell == Some(Cell::Path) || done.errno != 0;
    if done.inodes.contains(&inode) || (by_path && part["path"] == done.path) {
        return Ok(());
    }
    Err(format!(
        "the object is {} of inode {inode} and not {} of {:?}",
        part["path"], done.path, done.inodes
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::all;
    use super::*;

    fn event() -> Value {
        json!({
            "kind": "credential_access", "outcome": "succeeded", "errno": 0, "count": 1, "pre_existing": false,
            "actor": {"process": {"pid": 7}},
            "credential": {"operation": "read", "inode": 42, "path": "/h/id_openat"},
        })
    }

    fn verdict(cell: Cell, errno: u64, events: &[Value]) -> bool {
        verdict_of("openat", cell, errno, events)
    }

    fn verdict_of(name: &str, cell: Cell, errno: u64, events: &[Value]) -> bool {
        let ways = all();
        let way = ways.iter().find(|way| way.name == name).expect("there");
        let done = Done {
            way,
            cell: Some(cell),
            pid: 7,
            errno,
            target: 0,
            path: "/h/id_openat",
            other: "",
            inodes: &[42],
        };
        judge(&done, events).is_ok()
    }

    fn changed(pointer: &str, value: impl Into<Value>) -> [Value; 1] {
        let mut event = event();
        *event.pointer_mut(pointer).expect("there") = value.into();
        [event]
    }

    #[test]
    fn one_event_that_says_it_all_is_right_whatever_others_do() {
        assert!(verdict(Cell::Must, 0, &[event()]));
        let [other] = changed("/actor/process/pid", 8);
        assert!(verdict(Cell::Must, 0, &[other, event()]));
    }

    #[test]
    fn no_event_or_two_or_a_wrong_one_is_not() {
        assert!(!verdict(Cell::Must, 0, &[]));
        assert!(!verdict(Cell::Must, 0, &[event(), event()]));
        for (pointer, value) in [
            ("/kind", json!("credential_change")),
            ("/outcome", json!("denied")),
            ("/errno", json!(13)),
            ("/count", json!(2)),
            ("/pre_existing", json!(true)),
            ("/actor/process/pid", json!(8)),
            ("/credential/operation", json!("write")),
            ("/credential/inode", json!(43)),
        ] {
            assert!(!verdict(Cell::Must, 0, &changed(pointer, value)), "{pointer}");
        }
    }

    #[test]
    fn what_the_program_was_refused_must_be_told_as_denied() {
        assert!(!verdict(Cell::Must, 13, &[event()]));
        let [mut denied] = changed("/outcome", "denied");
        denied["errno"] = 13.into();
        denied["credential"]["inode"] = 0.into();
        assert!(verdict(Cell::Must, 13, std::slice::from_ref(&denied)));
        denied["credential"]["path"] = "/elsewhere".into();
        assert!(!verdict(Cell::Must, 13, &[denied]));
    }

    #[test]
    fn a_path_is_enough_only_where_the_document_says_so() {
        let [mut by_path] = changed("/credential/inode", 0);
        assert!(!verdict(Cell::Must, 0, std::slice::from_ref(&by_path)));
        by_path["outcome"] = "unknown".into();
        assert!(verdict(Cell::Path, 0, &[by_path]));
    }

    #[test]
    fn what_was_not_seen_to_end_is_unknown() {
        let unknown = changed("/outcome", "unknown");
        assert!(verdict(Cell::Path, 0, &unknown));
        assert!(!verdict(Cell::Path, 0, &[event()]));
        assert!(!verdict(Cell::Must, 0, &unknown));
        let [mut written] = [event()];
        written["credential"]["operation"] = "write".into();
        assert!(verdict_of("acct_file", Cell::Path, 0, &[written.clone()]));
        written["outcome"] = "unknown".into();
        assert!(!verdict_of("acct_file", Cell::Path, 0, &[written]));
    }

    #[test]
    fn what_is_found_says_since_when() {
        let [mut found] = [event()];
        assert!(!verdict(Cell::Sweep, 0, &[found.clone()]));
        found["since"] = "2026-01-01T00:00:00Z".into();
        assert!(verdict(Cell::Sweep, 0, &[found.clone()]));
        assert!(
            !verdict(Cell::Must, 0, &[found.clone()]),
            "its beginning was seen"
        );
        found["pre_existing"] = true.into();
        assert!(
            !verdict(Cell::Sweep, 0, &[found]),
            "it came while the sensor watched"
        );
    }

    #[test]
    fn what_is_no_use_has_no_event() {
        let ways = all();
        let way = ways.iter().find(|way| way.name == "stat").expect("there");
        let did = Did::It {
            pid: 7,
            errno: 0,
            target: 0,
        };
        let done = Done::new(way, None, &did, ("/h/id_stat", ""), &[42]).expect("done");
        assert!(judge(&done, &[]).is_ok());
        assert!(judge(&done, &[event()]).is_err());
        assert!(Done::new(way, None, &Did::Nothing("no".into()), ("", ""), &[]).is_none());
    }
}
