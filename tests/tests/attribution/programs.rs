//! What truly runs is told, whatever carries it out, whatever it calls itself, and however soon it is gone.

use claviger_tests::{can_load, vm};
use serde_json::Value;

use crate::cases::{ARGUMENT, Cases, Seen, installed};
use crate::interpreters;

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

#[test]
fn what_truly_runs_is_told() {
    if !can_load() {
        return;
    }
    let mut cases = Cases::new();
    scripts(&mut cases);
    interpreters::run(&mut cases);
    loaded(&mut cases);
    applets(&mut cases);
    disguised(&mut cases);
    related(&mut cases);
    let seen = cases.trace();
    scripts_are_told(&seen);
    interpreters::are_told(&seen);
    loaded_is_told(&seen);
    applets_are_told(&seen);
    disguised_is_told(&seen);
    related_is_told(&seen);
    seen.no_argument_is_told();
}

fn scripts(cases: &mut Cases) {
    let actor = cases.actor.display().to_string();
    let of_kernel = cases.script("bin/of-kernel", &format!("#!{actor} interpret\n"));
    cases.run(&format!("{of_kernel} {} {ARGUMENT}", cases.target("kernel")));
    // Gone within a millisecond, by a relative path, through a symbolic link.
    std::os::unix::fs::symlink(&of_kernel, cases.decoy.beside("linked")).expect("linked");
    cases.run(&format!("./linked {}", cases.target("linked")));

    let shell = cases.script("shell.sh", "#!/bin/sh\nread x < $1\n");
    cases.run(&format!("{shell} {} {ARGUMENT}", cases.target("shell")));
    cases.run(&format!("sh -e shell.sh {} {ARGUMENT}", cases.target("argument")));
    cases.run(&format!(
        "sh -c 'read x < {}' {shell} {ARGUMENT}",
        cases.target("option")
    ));
    let env = cases.script("env.sh", "#!/usr/bin/env sh\nread x < $1\n");
    cases.run(&format!("{env} {}", cases.target("env")));

    // Called as an interpreter is, and started with what is no file.
    let sh = cases.copy("sh");
    cases.run(&format!("{sh} {ARGUMENT} {}", cases.target("nofile")));

    if let Some(python) = installed(&["/usr/bin/python3"]) {
        let py = cases.script("read.py", "import sys\nopen(sys.argv[1]).read()\n");
        cases.run(&format!("{python} -B {py} {} {ARGUMENT}", cases.target("python")));
    } else {
        assert!(!std::path::Path::new("/usr/bin/python3").exists());
        eprintln!("skipped: no python3 here");
    }
}

/// The script of a process: its path and how it is known.
pub(crate) fn script(process: &Value) -> (&str, &str) {
    let script = &process["script"];
    let text = |name: &str| script[name].as_str().unwrap_or_else(|| panic!("{process:#}"));
    (text("path"), text("basis"))
}

fn scripts_are_told(seen: &Seen) {
    let of_kernel = seen.beside("bin/of-kernel");
    for case in ["kernel", "linked"] {
        let process = seen.process(case);
        assert_eq!(
            script(process),
            (of_kernel.as_str(), "executed_file"),
            "{process:#}"
        );
        assert_ne!(process["script"]["inode"], 0);
        assert_eq!(process["exe_path"], seen.beside("actor"));
    }
    let workload = &seen.all("kernel")[0]["workload"]["id"];
    if workload.as_str().expect("an id").starts_with("program://") {
        assert!(
            workload.as_str().expect("an id").ends_with(&of_kernel),
            "{workload}"
        );
    }
    let shell = seen.beside("shell.sh");
    assert_eq!(script(seen.process("shell")), (shell.as_str(), "executed_file"));
    let by_argument = seen.process("argument");
    assert_eq!(
        script(by_argument),
        (shell.as_str(), "argument"),
        "{by_argument:#}"
    );
    let env = seen.beside("env.sh");
    assert_eq!(script(seen.process("env")), (env.as_str(), "argument"));
    for case in ["option", "nofile"] {
        let process = seen.process(case);
        assert_eq!(script(process), ("", "unspecified"), "{process:#}");
        assert_ne!(process["script"]["unknown_reason"], "");
    }
    if !seen.all("python").is_empty() {
        let read = seen.beside("read.py");
        assert_eq!(script(seen.process("python")), (read.as_str(), "argument"));
    }
}

fn loaded(cases: &mut Cases) {
    cases.run(&format!(
        "{LOADER} /bin/cat {} > /dev/null",
        cases.target("loader")
    ));
}

fn loaded_is_told(seen: &Seen) {
    let process = seen.process("loader");
    let path = |of: &Value| of.as_str().unwrap_or_default().to_owned();
    assert!(path(&process["exe_path"]).contains("/ld-linux"), "{process:#}");
    let loaded = &process["loaded_program"];
    assert!(path(&loaded["path"]).ends_with("/bin/cat"), "{process:#}");
    assert_eq!(loaded["basis"], "mapped");
    assert_ne!(loaded["inode"], 0);
}

fn applets(cases: &mut Cases) {
    let busybox = cases.copy("busybox");
    std::os::unix::fs::symlink(&busybox, cases.decoy.beside("cat")).expect("linked");
    cases.run(&format!("./cat {}", cases.target("applet")));
    cases.run(&format!("./busybox head {}", cases.target("applet-argument")));
    cases.run(&format!(
        "./busybox {ARGUMENT} {}",
        cases.target("applet-unknown")
    ));
    if let Some(busybox) = installed(&["/bin/busybox"]) {
        cases.run(&format!("{busybox} cat {} > /dev/null", cases.target("busybox")));
        let text = format!("#!{busybox} sh\nread x < {}\n", cases.target("busybox-sh"));
        let script = cases.script("busybox.sh", &text);
        cases.run(&script);
        cases.run(&format!("{busybox} sh {script}"));
    }
}

fn applets_are_told(seen: &Seen) {
    for (case, applet) in [
        ("applet", "cat"),
        ("applet-argument", "head"),
        ("applet-unknown", ""),
    ] {
        let process = seen.process(case);
        assert_eq!(process["applet"], applet, "{process:#}");
        assert_eq!(process["exe_path"], seen.beside("busybox"));
    }
    if !seen.all("busybox").is_empty() {
        assert_eq!(seen.process("busybox")["applet"], "cat");
        let by_shell = seen.all("busybox-sh");
        assert_eq!(by_shell.len(), 2, "{by_shell:#?}");
        for (event, basis) in by_shell.iter().zip(["executed_file", "argument"]) {
            let process = &event["actor"]["process"];
            assert_eq!(process["applet"], "sh", "{process:#}");
            assert_eq!(script(process), (seen.beside("busybox.sh").as_str(), basis));
        }
    }
}

fn disguised(cases: &mut Cases) {
    let actor = cases.actor.display().to_string();
    for case in ["renamed", "thread", "memfd", "hidden"] {
        cases.run(&format!("{actor} {case} {}", cases.target(case)));
    }
    let gone = cases.copy("gone");
    cases.run(&format!("{gone} deleted {}", cases.target("deleted")));
    let place = cases.place("overlay");
    std::fs::create_dir(&place).expect("made");
    cases.run(&format!("{actor} overlay {} {place}", cases.target("overlay")));
    // What another file is for the kernel by now.
    cases.run(&format!("{actor} pretends {} /bin/sh", cases.target("pretends")));
}

fn disguised_is_told(seen: &Seen) {
    let actor = seen.beside("actor");
    let renamed = seen.process("renamed");
    assert_eq!(renamed["comm"], "[kworker/0:1]");
    assert_eq!(renamed["comm_at_exec"], "actor");
    assert_eq!(renamed["exe_path"], actor);

    let thread = seen.process("thread");
    assert_ne!(thread["tid"], thread["pid"], "it is not the leader's");
    assert_eq!(thread["comm"], "actor", "the leader's, not the thread's own");
    assert_eq!(thread["exe_path"], actor);

    let memfd = seen.process("memfd");
    assert_eq!(memfd["exe_path"], "memfd:harmless");
    assert_eq!(
        (&memfd["exe_memfd"], &memfd["exe_deleted"]),
        (&true.into(), &false.into())
    );
    let deleted = seen.process("deleted");
    assert_eq!(deleted["exe_path"], seen.beside("gone"));
    assert_eq!(
        (&deleted["exe_memfd"], &deleted["exe_deleted"]),
        (&false.into(), &true.into())
    );
    for case in ["renamed", "thread", "hidden"] {
        assert_eq!(seen.process(case)["exe_deleted"], false);
    }

    let hidden = seen.process("hidden");
    assert_eq!(hidden["exe_path"], actor, "not that of process 1");
    assert_eq!(hidden["comm_at_exec"], "actor");

    let pretends = seen.process("pretends");
    assert_eq!(pretends["exe_path"], actor, "{pretends:#}");
    assert_eq!(pretends["exe_replaced"], true, "{pretends:#}");
    assert_eq!(pretends["exe_inode"], renamed["exe_inode"], "{pretends:#}");
    assert_eq!(renamed["exe_replaced"], false);

    let in_overlay = seen.all("overlay");
    assert_eq!(in_overlay.len(), 2, "{in_overlay:#?}");
    for (event, (name, is_upper)) in in_overlay.iter().zip([("of-the-image", false), ("added", true)]) {
        let process = &event["actor"]["process"];
        let path = process["exe_path"].as_str().expect("a path");
        assert!(path.ends_with(&format!("overlay/root/{name}")), "{process:#}");
        assert_eq!(process["exe_upper_layer"], is_upper, "{process:#}");
    }
}

fn related(cases: &mut Cases) {
    let actor = cases.actor.display().to_string();
    for case in ["spawn", "vfork", "fork", "orphan"] {
        cases.run(&format!("{actor} {case} {}", cases.target(case)));
    }
    let other = cases.copy("other");
    let (first, second) = (cases.target("then"), cases.target("then-other"));
    cases.run(&format!("{actor} then {first} {other} {second}"));
    let many = if vm() { 100 } else { 1000 };
    cases.run(&format!("{actor} many {} {many}", cases.target("many")));
}

fn related_is_told(seen: &Seen) {
    let actor = seen.beside("actor");
    for case in ["spawn", "vfork", "fork", "orphan"] {
        assert_eq!(seen.process(case)["exe_path"], actor, "{case}");
    }
    for case in ["spawn", "vfork", "fork"] {
        let of = seen.actor(case);
        assert_eq!(of["ancestors"][0]["exe_path"], actor, "{of:#}");
        assert!(of["creators"].as_array().expect("a list").is_empty(), "{of:#}");
    }
    let orphan = seen.actor("orphan");
    assert_ne!(
        orphan["ancestors"][0]["exe_path"], actor,
        "its parent has ended: {orphan:#}"
    );
    let creators = orphan["creators"].as_array().expect("a list");
    assert_eq!(creators[0]["exe_path"], actor, "{orphan:#}");
    assert!(
        creators.iter().any(|creator| creator["comm"] == "sh"),
        "{orphan:#}"
    );

    // Read twice: the repeat too was by the program that ran then.
    let first = seen.all("then");
    assert_eq!(first.len(), 2, "{first:#?}");
    for event in first {
        assert_eq!(event["actor"]["process"]["exe_path"], actor, "{event:#}");
        assert_eq!(event["count"], 1);
    }
    assert_eq!(seen.process("then-other")["exe_path"], seen.beside("other"));

    let many = seen.all("many");
    assert_eq!(many.len(), if vm() { 100 } else { 1000 });
    for event in many {
        let of = &event["actor"];
        assert_eq!(of["process"]["exe_path"], actor, "{event:#}");
        assert_eq!(of["ancestors"][0]["exe_path"], actor, "{event:#}");
        assert_eq!(of["ancestors"][1]["comm"], "sh", "{event:#}");
        assert_ne!(event["workload"]["id"], "", "{event:#}");
        assert_ne!(of["process"]["cgroup_id"], 0, "{event:#}");
        assert_ne!(of["process"]["exe_inode"], 0, "{event:#}");
    }
}
