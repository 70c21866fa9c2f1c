//! Hosts that lack something, made from this one: a mount namespace of the sensor's own, another personality, a low limit.

use std::process::{Command, Output};

use claviger_tests::{Decoy, can_load, sensor, trace_by, ways::Programs};
use serde_json::json;

/// The sensor, started by a script in a mount namespace of its own: `$0` and what follows is the sensor's command line.
fn in_namespace(script: &str) -> Vec<String> {
    ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c"]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("set -e; {script}; exec \"$0\" \"$@\"")])
        .collect()
}

/// `check`, started by a command that starts what stands behind it.
fn check_by(wrapper: &[String]) -> Output {
    let (program, arguments) = wrapper.split_first().expect("a wrapper");
    Command::new(program)
        .args(arguments)
        .arg(sensor().get_program())
        .arg("check")
        .output()
        .expect("util-linux is on every Debian")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn without_btf_it_says_so_and_fails() {
    if !can_load() {
        return;
    }
    let output = check_by(&in_namespace("mount -t tmpfs none /sys/kernel/btf"));
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("/sys/kernel/btf/vmlinux") && said(&output).contains("CONFIG_DEBUG_INFO_BTF"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_kernel_that_is_too_old_is_named() {
    if !can_load() {
        return;
    }
    let old = ["setarch", "--uname-2.6"].map(str::to_owned);
    let output = check_by(&old);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("2.6.") && said(&output).contains("5.8"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_limit_on_locked_memory_that_stays_is_no_hindrance() {
    if !can_load() {
        return;
    }
    let limited = [
        "setpriv",
        "--bounding-set=-sys_resource",
        "--inh-caps=-sys_resource",
        "prlimit",
        "--memlock=65536:65536",
    ]
    .map(str::to_owned);
    let output = check_by(&limited);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn without_cgroup_v2_uses_and_calls_are_told_and_the_lack_too() {
    if !can_load() {
        return;
    }
    let decoy = Decoy::new();
    let config = decoy.config("", "");
    let programs = decoy.beside("programs");
    std::fs::create_dir_all(&programs).expect("a directory");
    let _programs = Programs::put(&programs);
    // Not where the first process has it either, which is the host's.
    let unmount = "awk '/ - cgroup2 /{print $5}' /proc/self/mountinfo | sort -r | xargs -rn1 umount -l; \
                   mount --bind /dev/null /proc/1/mounts; ! grep -q ' cgroup2 ' /proc/self/mounts";
    let script = format!(
        "/bin/cat {}; {} token_call > /dev/null",
        decoy.path(".aws/credentials").display(),
        programs.join("ways").display()
    );
    let command = ["/bin/sh", "-c", &script];
    let traced = trace_by(&in_namespace(unmount), &config, &command);
    let [read, calls @ ..] = &traced.events[..] else {
        panic!("{traced:#?}");
    };
    let reason = read["actor"]["process"]["unknown_reason"]
        .as_str()
        .unwrap_or_default();
    assert!(reason.contains("cgroup"), "{read:#}");
    assert!(
        traced.stderr.contains("cgroup v2 is not mounted"),
        "{}",
        traced.stderr
    );
    // Connections are seen all the same, from a mount that has no place.
    let asked: Vec<_> = calls
        .iter()
        .map(|call| (&call["kind"], &call["endpoint"]["status"]))
        .collect();
    assert_eq!(
        asked,
        [(&json!("token_endpoint_call"), &json!(200)); 3],
        "{traced:#?}"
    );
}
