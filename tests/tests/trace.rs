//! What one use looks like, and which uses are seen, by the hook that this kernel has.

use std::fs;

use claviger_tests::{Decoy, SECRET, can_load, expected_hook, sensor, trace};

/// A shell command with the decoy's home in `$H`.
fn shell(decoy: &Decoy, script: &str) -> Vec<String> {
    let home = decoy.home().display().to_string();
    vec![
        "/bin/sh".into(),
        "-c".into(),
        format!("H={home}; B={}; {script}", decoy.beside("").display()),
    ]
}

#[test]
fn a_read_is_told_with_everything_that_is_known_of_it() {
    if !can_load() {
        return;
    }
    let decoy = Decoy::new();
    let config = decoy.config("", "");
    let traced = trace(&config, &shell(&decoy, "/bin/cat $H/.aws/credentials; exit 7"));
    assert_eq!(
        traced.status,
        Some(7),
        "the command's status is ours: {traced:#?}"
    );

    let event = traced.only();
    assert_eq!(event["kind"], "credential_access");
    assert_eq!(event["outcome"], "succeeded");
    assert_eq!(event["count"], 1);
    let credential = &event["credential"];
    let path = decoy.path(".aws/credentials");
    let metadata = fs::metadata(&path).expect("there");
    assert_eq!(credential["kind"], "aws_access_key");
    assert_eq!(credential["path"], path.to_str().expect("plain"));
    assert_eq!(credential["operation"], "read");
    assert_eq!(credential["matched_by"], "object");
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!(credential["inode"], metadata.ino());
    assert_eq!(credential["device"], metadata.dev());
    let identity = &credential["identities"][0];
    assert_eq!(identity["kind"], "aws_access_key_id");
    assert_eq!(identity["id"], "AKIAIOSFODNN7EXAMPLE");
    assert_eq!(identity["attributes"]["profile"], "default");

    let process = &event["actor"]["process"];
    assert!(
        process["exe_path"].as_str().expect("a path").ends_with("/cat"),
        "{process:#}"
    );
    assert_eq!(process["comm"], "cat");
    assert_eq!(process["uid"], 0);
    assert!(process["start_time_ticks"].as_u64().expect("a number") > 0);
    let ancestors = event["actor"]["ancestors"].as_array().expect("a list");
    assert_eq!(ancestors[0]["comm"], "sh");
    assert_eq!(ancestors[1]["comm"], "claviger-sensor");
    assert_eq!(
        ancestors.last().expect("some")["pid"],
        1,
        "the chain reaches the first process"
    );

    let hook = event["observation"]["hook"].as_str().expect("a hook");
    assert_eq!(event["observation"]["probe"], "file_open");
    if let Some(expected) = expected_hook() {
        assert_eq!(hook, expected);
    }
    assert!(!event["workload"]["id"].as_str().expect("an id").is_empty());
}

#[test]
fn no_secret_is_in_what_is_told() {
    if !can_load() {
        return;
    }
    let decoy = Decoy::new();
    let jwt = format!("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.{}", SECRET.replace('/', "_"));
    decoy.write(
        ".kube/config",
        &format!("apiVersion: v1\nusers:\n- name: u\n  user: {{token: {jwt}}}\n"),
    );
    decoy.write(
        ".ssh/id_ed25519",
        &format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----\n"),
    );
    let config = decoy.config("", "");
    let script = "for f in .aws/credentials .kube/config .ssh/id_ed25519; do /bin/cat $H/$f >/dev/null; done";
    let traced = trace(&config, &shell(&decoy, script));
    assert_eq!(traced.events.len(), 3, "{traced:#?}");
    for secret in [SECRET, &SECRET.replace('/', "_"), "DECOYSECRET"] {
        assert!(
            !traced.stdout.contains(secret) && !traced.stderr.contains(secret),
            "{secret} is in {traced:#?}"
        );
    }
}

#[test]
fn the_object_is_known_by_any_name() {
    if !can_load() {
        return;
    }
    let decoy = Decoy::new();
    let soft = decoy.link("soft", &decoy.path(".aws/credentials"));
    let hard = decoy.beside("hard");
    fs::hard_link(decoy.path(".aws/credentials"), &hard).expect("linked");
    let config = decoy.config("", "");
    let traced = trace(
        &config,
        &shell(&decoy, "for f in soft hard; do /bin/cat $B/$f >/dev/null; done"),
    );
    assert_eq!(traced.events.len(), 2, "{traced:#?}");
    assert_eq!(
        traced.on(&decoy.path(".aws/credentials")).len(),
        1,
        "a symbolic link leads to the file: {soft:?}"
    );
    assert_eq!(traced.on(&hard).len(), 1, "a hard link is the file");
    for event in &traced.events {
        assert_eq!(
            event["credential"]["identities"][0]["id"], "AKIAIOSFODNN7EXAMPLE",
            "{event:#}"
        );
    }
}

#[test]
fn a_file_that_takes_the_place_of_another_is_known_at_once() {
    if !can_load() {
        return;
    }
    let decoy = Decoy::new();
    let config = decoy.config("", "");
    // Written beside it and renamed over it, as every updater does; read in the same breath.
    let script = "printf '[default]\\naws_access_key_id = AKIAI44QH8DHBEXAMPLE\\n' > $H/.aws/new; \
                  /bin/mv $H/.aws/new $H/.aws/credentials; /bin/cat $H/.aws/credentials >/dev/null";
    let traced = trace(&config, &shell(&decoy, script));
    let reads: Vec<_> = traced
        .events
        .iter()
        .filter(|event| event["actor"]["process"]["comm"] == "cat")
        .collect();
    assert_eq!(reads.len(), 1, "{traced:#?}");
    // By its name, unless the agent has found time to label the new object.
    let matched_by = reads[0]["credential"]["matched_by"].as_str().expect("a word");
    assert!(
        ["directory_entry", "object"].contains(&matched_by),
        "{matched_by}"
    );
    assert_eq!(
        reads[0]["credential"]["identities"][0]["id"], "AKIAI44QH8DHBEXAMPLE",
        "{:#}",
        reads[0]
    );
}

#[test]
fn a_name_that_only_a_pattern_knows_is_known_at_once() {
    if !can_load() {
        return;
    }
    let decoy = Decoy::new();
    decoy.write(".ssh/known_hosts", "nothing\n");
    let config = decoy.config("", "");
    let script = "echo x > $H/.ssh/id_new; /bin/cat $H/.ssh/id_new $H/.ssh/known_hosts >/dev/null";
    let traced = trace(&config, &shell(&decoy, script));
    let reads: Vec<_> = traced
        .events
        .iter()
        .filter(|event| event["actor"]["process"]["comm"] == "cat")
        .collect();
    assert_eq!(reads.len(), 1, "known_hosts is none: {traced:#?}");
    assert_eq!(
        reads[0]["credential"]["path"],
        decoy.path(".ssh/id_new").to_str().expect("plain")
    );
    assert_eq!(reads[0]["credential"]["kind"], "ssh_private_key");
}

#[test]
fn a_refused_attempt_is_told_with_its_errno() {
    if !can_load() {
        return;
    }
    use std::os::unix::process::CommandExt as _;
    let decoy = Decoy::new();
    let config = decoy.config("", "");
    // The test runs itself as another user, since a VM has no su.
    let me = std::env::current_exe().expect("known");
    let copy = decoy.beside("reader");
    fs::copy(me, &copy).expect("copied");
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("permissions");
    if std::process::Command::new(&copy)
        .arg("--list")
        .uid(65_534)
        .output()
        .is_err()
    {
        eprintln!("skipped: another user cannot run a program below the temporary directory");
        return;
    }
    let command = [
        "/usr/bin/env".to_owned(),
        format!("READ_AS_NOBODY={}", decoy.path(".aws/credentials").display()),
        copy.display().to_string(),
        "--exact".into(),
        "reads_as_nobody_when_told".into(),
    ];
    let traced = trace(&config, &command);
    let event = traced.only();
    assert_eq!(event["outcome"], "denied", "{event:#}");
    assert_eq!(event["errno"], 13);
    assert_eq!(event["credential"]["matched_by"], "path_as_given");
    assert_eq!(
        event["credential"]["path"],
        decoy.path(".aws/credentials").to_str().expect("plain")
    );
    assert_eq!(event["actor"]["process"]["euid"], 65_534);
    assert_eq!(event["observation"]["probe"], "file_open_denied");
}

/// Not a test by itself: the other end of the test above.
#[test]
fn reads_as_nobody_when_told() {
    let Some(path) = std::env::var_os("READ_AS_NOBODY") else {
        return;
    };
    use std::os::unix::process::CommandExt as _;
    let status = std::process::Command::new("/bin/cat")
        .arg(path)
        .uid(65_534)
        .gid(65_534)
        .status()
        .expect("runs");
    assert!(!status.success());
}

#[test]
fn what_is_no_use_is_not_told() {
    if !can_load() {
        return;
    }
    let decoy = Decoy::new();
    decoy.write("notes.txt", "nothing\n");
    let config = decoy.config("", "");
    let script = "/bin/cat $H/notes.txt >/dev/null; /bin/ls -la $H $H/.aws/credentials >/dev/null; test -r $H/.aws/credentials";
    let traced = trace(&config, &shell(&decoy, script));
    assert_eq!(traced.events.len(), 0, "{traced:#?}");
}

#[test]
fn the_script_that_has_a_program_read_is_named_among_the_ancestors() {
    if !can_load() {
        return;
    }
    let decoy = Decoy::new();
    let config = decoy.config("", "");
    let job = decoy.beside("job.sh");
    fs::write(&job, "/bin/cat \"$1\"\ntrue\n").expect("written");
    let words = ["/bin/sh".into(), job.clone(), decoy.path(".aws/credentials")];
    let traced = trace(&config, &words);
    let ancestors = &traced.only()["actor"]["ancestors"];
    let script = &ancestors[0]["script"];
    assert_eq!(script["path"], job.to_str().expect("plain"), "{ancestors:#}");
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!(script["inode"], fs::metadata(&job).expect("there").ino());
}

#[test]
fn a_write_is_told_as_a_write() {
    if !can_load() {
        return;
    }
    let decoy = Decoy::new();
    decoy.write(".ssh/authorized_keys", "ssh-ed25519 AAAA demo\n");
    let config = decoy.config("", "");
    let traced = trace(
        &config,
        &shell(
            &decoy,
            "echo more >> $H/.ssh/authorized_keys; /bin/cat $H/.ssh/authorized_keys >/dev/null",
        ),
    );
    let event = traced.only();
    assert_eq!(
        event["credential"]["kind"], "ssh_authorized_keys",
        "reading them is no use: {event:#}"
    );
    assert_eq!(event["credential"]["operation"], "write");
}

#[test]
fn a_process_that_is_gone_is_still_named() {
    if !can_load() {
        return;
    }
    let decoy = Decoy::new();
    let config = decoy.config("", "");
    let script =
        "i=0; while [ $i -lt 50 ]; do /bin/cat $H/.aws/credentials >/dev/null & i=$((i+1)); done; wait";
    let traced = trace(&config, &shell(&decoy, script));
    assert_eq!(traced.events.len(), 50, "{}", traced.stderr);
    for event in &traced.events {
        let process = &event["actor"]["process"];
        assert!(
            process["exe_path"].as_str().expect("a path").ends_with("/cat"),
            "{event:#}"
        );
        assert_eq!(
            event["credential"]["identities"][0]["id"], "AKIAIOSFODNN7EXAMPLE",
            "{event:#}"
        );
    }
}

#[test]
fn what_is_no_ordinary_file_neither_blocks_nor_confuses() {
    if !can_load() {
        return;
    }
    let decoy = Decoy::new();
    fs::create_dir_all(decoy.path(".kube/config")).expect("a directory where a file is expected");
    fs::create_dir_all(decoy.path(".docker")).expect("a directory");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        decoy.path(".docker/config.json"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .expect("a FIFO");
    decoy.write(".netrc", "");
    let big = fs::File::options()
        .write(true)
        .open(decoy.path(".netrc"))
        .expect("opens");
    big.set_len(1 << 30).expect("a hole of 1 GiB");
    fs::write(
        decoy.path(".aws/credentials"),
        b"[default]\naws_access_key_id = \xff\xfe\x00\n",
    )
    .expect("written");
    let config = decoy.config("", "");
    let traced = trace(&config, &shell(&decoy, "exec 3<$H/.netrc 4<$H/.aws/credentials"));
    let netrc = traced.on(&decoy.path(".netrc"));
    assert_eq!(netrc.len(), 1, "{traced:#?}");
    assert!(
        !netrc[0]["credential"]["unknown_reason"]
            .as_str()
            .expect("a reason")
            .is_empty()
    );
    let aws = traced.on(&decoy.path(".aws/credentials"));
    assert_eq!(
        aws[0]["credential"]["unknown_reason"], "not UTF-8",
        "{:#}",
        aws[0]
    );
}

#[test]
fn a_name_that_is_not_utf_8_is_kept_and_shown_escaped() {
    if !can_load() {
        return;
    }
    use std::os::unix::ffi::OsStrExt as _;
    let decoy = Decoy::new();
    let name = std::ffi::OsStr::from_bytes(b"id_\xff\n");
    fs::create_dir_all(decoy.path(".ssh")).expect("a directory");
    fs::write(decoy.path(".ssh").join(name), "x").expect("written");
    let config = decoy.config("", "");
    let traced = trace(&config, &shell(&decoy, "/bin/cat $H/.ssh/id_* >/dev/null"));
    let opened: Vec<_> = traced
        .events
        .iter()
        .filter(|event| event["kind"] == "credential_access")
        .collect();
    let [event] = opened[..] else {
        panic!("{traced:#?}")
    };
    let path = event["credential"]["path"].as_str().expect("a path");
    assert!(path.ends_with("/.ssh/id_\\xff\\x0a"), "{path}");
    assert_ne!(event["credential"]["path_bytes"], "", "the bytes are kept");
}

#[test]
fn repeats_are_counted_and_merged_with_nothing() {
    if !can_load() {
        return;
    }
    let decoy = Decoy::new();
    let config = decoy.config("", "");
    // The shell itself reads it fifty times, and writes it once; cat is another process.
    let script = "i=0; while [ $i -lt 50 ]; do read x <$H/.aws/credentials; i=$((i + 1)); done; : >>$H/.aws/credentials; /bin/cat $H/.aws/credentials >/dev/null";
    let traced = trace(&config, &shell(&decoy, script));
    let mut seen: Vec<(bool, &str, u64)> = traced
        .on(&decoy.path(".aws/credentials"))
        .into_iter()
        .map(|event| {
            let by_cat = event["actor"]["process"]["comm"] == "cat";
            let operation = event["credential"]["operation"].as_str().expect("a word");
            (by_cat, operation, event["count"].as_u64().expect("a number"))
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [
            (false, "read", 1),
            (false, "read", 49),
            (false, "write", 1),
            (true, "read", 1)
        ],
        "{traced:#?}"
    );
}

#[test]
fn a_file_that_takes_no_more_is_named() {
    if !can_load() {
        return;
    }
    let decoy = Decoy::new();
    let output = sensor()
        .args(["trace", "--output", "/dev/full", "--config"])
        .arg(decoy.config("", ""))
        .arg("--")
        .args(shell(&decoy, "/bin/cat $H/.aws/credentials"))
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(said.contains("cannot write to /dev/full"), "{said}");
}
