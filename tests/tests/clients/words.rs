//! A story as people read it.

use claviger_tests::Told;

/// What was told first of each use: its headline, the program, the identity, and what may be behind it, without what differs from run to run, from kernel to kernel
/// and from machine to machine. How often a use was repeated is not in it, for when that is told depends on the time.
pub(crate) fn story(told: &Told) -> Vec<String> {
    let mut is_repeat = false;
    let of_interest = |line: &&str| {
        if !line.starts_with(' ') {
            is_repeat = line.ends_with(" again");
        }
        !is_repeat
            && ["  started by", "  created by", "  workload", "  seen by"]
                .iter()
                .all(|rest| !line.starts_with(rest))
    };
    told.words.lines().filter(of_interest).map(in_short).collect()
}

/// Without pids, the interpreter of a script, the versions of TLS that a client's library has, and why an identity is not known, which depends on the hook.
fn in_short(line: &str) -> String {
    let mut line = line.to_owned();
    while let Some(from) = line.find(" (pid ") {
        let to = line[from..]
            .find(')')
            .map_or(line.len(), |length| from + length + 1);
        line.replace_range(from..to, "");
    }
    for cut in [" run by ", ", TLS ", ": "] {
        line.truncate(line.find(cut).unwrap_or(line.len()));
    }
    line
}

/// Asserts that this was told, and no more.
pub(crate) fn assert_story(told: &Told, expected: &[&str]) {
    assert_eq!(story(told), expected, "{}\n{}", told.words, told.stderr);
}

#[test]
fn what_differs_is_left_out() {
    let told = Told {
        status: Some(0),
        words: "read /k (ssh_private_key)\n  by        /x/aws run by /usr/bin/python3 (pid 7, uid 0)\n  identity  not known: gone\n  started by sh (6) ← x (5)\n  workload  y\n\
            read /k (ssh_private_key), 2 times again\n  by        /x/aws (pid 7)\n\
            agent_socket_connect /s (ssh_agent), answered by /usr/bin/ssh-agent (pid 9), another user's\n  seen by   lsm/x\n"
            .into(),
        stderr: String::new(),
    };
    assert_story(
        &told,
        &[
            "read /k (ssh_private_key)",
            "  by        /x/aws",
            "  identity  not known",
            "agent_socket_connect /s (ssh_agent), answered by /usr/bin/ssh-agent, another user's",
        ],
    );
}
