//! Where a core went, by the pattern of core(5).

use std::fs;

use crate::decode::{FilePath, display};

/// What is known of a core that was written.
#[derive(Clone, Copy, Debug)]
pub struct Dumped<'a> {
    /// The process, where its pid namespace has the same number for it.
    pub pid: Option<u32>,
    /// Its real user.
    pub uid: Option<u32>,
    /// Its real group.
    pub gid: Option<u32>,
    /// The signal that ended it.
    pub signal: u32,
    /// Its working directory.
    pub directory: &'a FilePath,
}

/// Where it went, as the kernel is set now: the path of a file, `|` and a program, or `@` and a socket. Nothing where that cannot be read. What the
/// kernel puts in and is not known here stays as the pattern has it (`%h`).
#[must_use]
pub fn core_path(dumped: &Dumped<'_>) -> Option<String> {
    let pattern = fs::read("/proc/sys/kernel/core_pattern").ok()?;
    let uses_pid = fs::read("/proc/sys/kernel/core_uses_pid").is_ok_and(|text| text.trim_ascii() != b"0");
    Some(expanded(pattern.trim_ascii_end(), uses_pid, dumped))
}

fn expanded(pattern: &[u8], uses_pid: bool, dumped: &Dumped<'_>) -> String {
    if let [b'|', command @ ..] = pattern {
        // Arguments say nothing of where it went.
        let program = command.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        return format!("|{}", display(program));
    }
    let name = put_in(pattern, uses_pid, dumped);
    if name.first() == Some(&b'@') {
        return display(&name);
    }
    dumped.directory.join(&name).display()
}

fn put_in(pattern: &[u8], uses_pid: bool, dumped: &Dumped<'_>) -> Vec<u8> {
    let mut name = Vec::with_capacity(pattern.len() + 16);
    let mut has_pid = false;
    let mut bytes = pattern.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            name.push(byte);
            continue;
        }
        let known = match bytes.next() {
            Some(b'%') => {
                name.push(b'%');
                continue;
            }
            Some(which) => {
                has_pid |= which == b'p';
                let value = match which {
                    b'p' | b'P' => dumped.pid,
                    b'u' => dumped.uid,
                    b'g' => dumped.gid,
                    b's' => Some(dumped.signal),
                    _ => None,
                };
                (which, value)
            }
            // The kernel drops one at the end.
            None => break,
        };
        match known {
            (_, Some(value)) => name.extend_from_slice(value.to_string().as_bytes()),
            (which, None) => name.extend_from_slice(&[b'%', which]),
        }
    }
    if uses_pid && !has_pid {
        match dumped.pid {
            Some(pid) => name.extend_from_slice(format!(".{pid}").as_bytes()),
            None => name.extend_from_slice(b".%p"),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded_in(pattern: &str, uses_pid: bool, pid: Option<u32>) -> String {
        let directory = FilePath {
            bytes: b"/srv/payments".to_vec(),
            truncated: false,
        };
        let dumped = Dumped {
            pid,
            uid: Some(1_000),
            gid: None,
            signal: 6,
            directory: &directory,
        };
        expanded(pattern.as_bytes(), uses_pid, &dumped)
    }

    #[test]
    fn a_file_lies_where_the_pattern_says_and_else_in_the_working_directory() {
        assert_eq!(expanded_in("core", false, Some(7)), "/srv/payments/core");
        assert_eq!(
            expanded_in("/var/cores/core.%p.%s", true, Some(7)),
            "/var/cores/core.7.6"
        );
        assert_eq!(expanded_in("core", true, Some(7)), "/srv/payments/core.7");
        assert_eq!(expanded_in("core", true, None), "/srv/payments/core.%p");
    }

    #[test]
    fn what_is_not_known_stays_as_it_is() {
        assert_eq!(
            expanded_in("c.%h.%g.%u%%%", false, None),
            "/srv/payments/c.%h.%g.1000%"
        );
    }

    #[test]
    fn a_program_is_named_without_its_arguments() {
        assert_eq!(
            expanded_in("|/usr/lib/systemd/systemd-coredump %P %u", true, Some(7)),
            "|/usr/lib/systemd/systemd-coredump"
        );
        assert_eq!(
            expanded_in("@/run/cores.socket", false, Some(7)),
            "@/run/cores.socket"
        );
        assert_eq!(expanded_in("", false, Some(7)), "/srv/payments");
    }
}
