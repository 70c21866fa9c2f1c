//! On whose behalf: from the facts to a workload that an operator recognises.

use claviger_proto::v1::{Evidence, Workload, WorkloadKind};

use super::{CgroupRole, classify};

/// What a workload is told from.
#[derive(Clone, Debug, Default)]
pub struct WorkloadContext<'a> {
    /// This host's name.
    pub host: &'a str,
    /// Path of the cgroup, or why it is not known.
    pub cgroup: Option<Result<&'a str, &'a str>>,
    /// Path of what truly runs: a script, or what the dynamic loader loaded, before the executable; empty where unknown.
    pub program: &'a str,
    /// Path of the executable; empty where unknown.
    pub exe_path: &'a str,
    /// Name of the user of the session or of the user's manager.
    pub user: Option<&'a str>,
}

/// Names the workload.
#[must_use]
pub fn workload(context: &WorkloadContext<'_>) -> Workload {
    let host = context.host;
    let user = context.user.unwrap_or_default();
    let mut workload = Workload {
        host: host.to_owned(),
        ..Workload::default()
    };
    match context.cgroup {
        Some(Ok(path)) => {
            workload.evidence.push(Evidence {
                source: "cgroup_path".into(),
                value: path.into(),
            });
            match classify(path) {
                CgroupRole::Unit {
                    unit,
                    slice,
                    user: manager,
                } => {
                    workload.kind = WorkloadKind::SystemdUnit.into();
                    workload.id = match manager {
                        Some(uid) => format!("systemd://{host}/user/{}/{unit}", name_or_id(user, Some(uid))),
                        None => format!("systemd://{host}/{unit}"),
                    };
                    workload.systemd_unit = unit;
                    workload.systemd_slice = slice;
                    workload.user = if manager.is_some() {
                        user.to_owned()
                    } else {
                        String::new()
                    };
                    return workload;
                }
                CgroupRole::Session {
                    session,
                    user: uid,
                    slice,
                } => {
                    workload.kind = WorkloadKind::UserSession.into();
                    workload.id = format!("session://{host}/{}", name_or_id(user, uid));
                    workload.session = session;
                    workload.systemd_slice = slice;
                    workload.user = user.to_owned();
                    return workload;
                }
                CgroupRole::Other { slice } => {
                    workload.systemd_slice = slice;
                    workload.unknown_reason = "its cgroup is no unit's and no session's".into();
                }
            }
        }
        Some(Err(reason)) => workload.unknown_reason = reason.to_owned(),
        None => {}
    }
    if !context.program.is_empty() {
        workload.kind = WorkloadKind::Program.into();
        let root = if context.program.starts_with('/') { "" } else { "/" };
        workload.id = format!("program://{host}{root}{}", context.program);
        let mut rests_on = |source: &str, value: &str| {
            workload.evidence.push(Evidence {
                source: source.into(),
                value: value.into(),
            });
        };
        if context.program != context.exe_path {
            rests_on("program_path", context.program);
        }
        rests_on("exe_path", context.exe_path);
    }
    workload
}

fn name_or_id(name: &str, uid: Option<u32>) -> String {
    if name.is_empty() {
        uid.map_or_else(|| "unknown".to_owned(), |uid| uid.to_string())
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cgroup: Result<&str, &str>) -> Workload {
        workload(&WorkloadContext {
            host: "web1",
            cgroup: Some(cgroup),
            program: "/usr/bin/cat",
            exe_path: "/usr/bin/cat",
            user: Some("demo"),
        })
    }

    #[test]
    fn a_unit_is_named_by_itself() {
        let workload = of(Ok("/system.slice/nginx.service"));
        assert_eq!(workload.id, "systemd://web1/nginx.service");
        assert_eq!(workload.user, "", "a system unit has no user of its own");
        assert_eq!(workload.evidence[0].source, "cgroup_path");
    }

    #[test]
    fn a_session_is_named_by_its_user() {
        let workload = of(Ok("/user.slice/user-1000.slice/session-3.scope"));
        assert_eq!(
            (workload.id.as_str(), workload.session.as_str()),
            ("session://web1/demo", "3")
        );
    }

    #[test]
    fn a_unit_of_a_users_manager_names_both() {
        let workload = of(Ok(
            "/user.slice/user-1000.slice/user@1000.service/app.slice/backup.service",
        ));
        assert_eq!(workload.id, "systemd://web1/user/demo/backup.service");
    }

    #[test]
    fn otherwise_it_is_the_program_and_the_reason_is_told() {
        let workload = of(Err("cgroup v2 is not mounted"));
        assert_eq!(workload.id, "program://web1/usr/bin/cat");
        assert_eq!(workload.unknown_reason, "cgroup v2 is not mounted");
    }

    #[test]
    fn what_an_interpreter_runs_is_the_program() {
        let workload = workload(&WorkloadContext {
            host: "web1",
            program: "/usr/bin/aws",
            exe_path: "/usr/bin/python3.11",
            ..WorkloadContext::default()
        });
        assert_eq!(workload.id, "program://web1/usr/bin/aws");
        let sources: Vec<_> = workload.evidence.iter().map(|it| it.source.as_str()).collect();
        assert_eq!(sources, ["program_path", "exe_path"]);
    }

    #[test]
    fn what_lies_in_memory_is_named_too() {
        let workload = workload(&WorkloadContext {
            host: "web1",
            program: "memfd:x",
            exe_path: "memfd:x",
            ..WorkloadContext::default()
        });
        assert_eq!(workload.id, "program://web1/memfd:x");
    }

    #[test]
    fn nothing_known_is_said_as_nothing() {
        let workload = workload(&WorkloadContext {
            host: "web1",
            ..WorkloadContext::default()
        });
        assert_eq!((workload.id.as_str(), workload.kind), ("", 0));
    }
}
