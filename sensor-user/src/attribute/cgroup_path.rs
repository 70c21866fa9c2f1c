//! What a cgroup path says, by the rules of systemd's naming (systemd.slice(5), systemd.scope(5)).

/// What a cgroup belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CgroupRole {
    /// A service, of the system's manager or of a user's.
    Unit {
        /// The unit, e.g. `nginx.service`.
        unit: String,
        /// The innermost slice around it; empty where none.
        slice: String,
        /// The user whose manager runs it.
        user: Option<u32>,
    },
    /// A login session.
    Session {
        /// logind's id.
        session: String,
        /// Whose.
        user: Option<u32>,
        /// The slice around it.
        slice: String,
    },
    /// Neither.
    Other {
        /// The innermost slice; empty where none.
        slice: String,
    },
}

/// Reads a path below the root of cgroup v2.
#[must_use]
pub fn classify(path: &str) -> CgroupRole {
    let mut slice = String::new();
    let mut user = None;
    let mut unit = None;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if let Some(name) = part.strip_suffix(".slice") {
            if let Some(uid) = name.strip_prefix("user-").and_then(|uid| uid.parse().ok()) {
                user = Some(uid);
            }
            slice = part.to_owned();
        } else if let Some(session) = part
            .strip_prefix("session-")
            .and_then(|rest| rest.strip_suffix(".scope"))
        {
            return CgroupRole::Session {
                session: session.to_owned(),
                user,
                slice,
            };
        } else if part.ends_with(".service") || part.ends_with(".scope") {
            // A user's manager is itself a unit; what it runs stands inside and is what an operator means.
            unit = Some(part.to_owned());
        }
    }
    match unit {
        Some(unit) => CgroupRole::Unit { unit, slice, user },
        None => CgroupRole::Other { slice },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_service() {
        assert_eq!(
            classify("/system.slice/nginx.service"),
            CgroupRole::Unit {
                unit: "nginx.service".into(),
                slice: "system.slice".into(),
                user: None
            }
        );
    }

    #[test]
    fn an_instance_in_a_slice_of_its_own() {
        assert_eq!(
            classify("/system.slice/system-getty.slice/getty@tty1.service"),
            CgroupRole::Unit {
                unit: "getty@tty1.service".into(),
                slice: "system-getty.slice".into(),
                user: None
            }
        );
    }

    #[test]
    fn a_login_session() {
        assert_eq!(
            classify("/user.slice/user-1000.slice/session-3.scope"),
            CgroupRole::Session {
                session: "3".into(),
                user: Some(1000),
                slice: "user-1000.slice".into()
            }
        );
    }

    #[test]
    fn a_unit_of_a_users_manager() {
        assert_eq!(
            classify("/user.slice/user-1000.slice/user@1000.service/app.slice/backup.service"),
            CgroupRole::Unit {
                unit: "backup.service".into(),
                slice: "app.slice".into(),
                user: Some(1000)
            }
        );
    }

    #[test]
    fn neither() {
        assert_eq!(classify("/"), CgroupRole::Other { slice: String::new() });
        assert_eq!(classify(""), CgroupRole::Other { slice: String::new() });
        assert_eq!(
            classify("/k8s.io/abc"),
            CgroupRole::Other { slice: String::new() }
        );
    }
}
