//! The program as people and other programs call it.

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Stdio};

use common::program::{code, json_lines, program, run, said};
use common::{LONG, enrol, enrolling, read_by_cat, start, status};

/// Ends the process that it holds, whatever happens.
struct Running(Child);

impl Running {
    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("is there");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn reading_creates_nothing_and_says_what_to_do() {
    let root = tempfile::tempdir().expect("a directory");
    let nothing = root.path().join("nothing");
    for arguments in [
        ["sensors"].as_slice(),
        &["events"],
        &["findings"],
        &["watch"],
        &["token", "list"],
    ] {
        let output = run(&nothing, arguments);
        assert_eq!(code(&output), Some(69), "{arguments:?}");
        assert!(
            said(&output).contains("claviger-detector serve"),
            "{}",
            said(&output)
        );
        assert!(!nothing.exists(), "{arguments:?}");
    }
}

#[test]
fn wrong_configuration_and_wrong_usage_have_their_codes() {
    let root = tempfile::tempdir().expect("a directory");
    let config = root.path().join("wrongkey.toml");
    std::fs::write(&config, "listen = \"127.0.0.1:0\"\nlissten = 3\n").expect("writes");
    let output = program()
        .arg("serve")
        .arg("--config")
        .arg(&config)
        .output()
        .expect("runs");
    assert_eq!(code(&output), Some(78));
    assert!(
        said(&output).contains("wrongkey.toml") && said(&output).contains("\n2 | lissten = 3\n"),
        "{}",
        said(&output)
    );
    assert_eq!(
        code(&run(root.path(), &["token", "new", "--ttl", "soon"])),
        Some(2)
    );
    for arguments in [["findings", "--limit", "0"], ["events", "--limit", "0"]] {
        assert_eq!(code(&run(root.path(), &arguments)), Some(2), "{arguments:?}");
    }
    assert_eq!(code(&program().arg("fly").output().expect("runs")), Some(2));
    let help = program().arg("--help").output().expect("runs");
    assert_eq!(code(&help), Some(0));
    assert!(String::from_utf8_lossy(&help.stdout).contains("Exit codes"));
}

#[test]
fn output_that_cannot_be_written_is_said_and_has_its_code() {
    let root = tempfile::tempdir().expect("a directory");
    for arguments in [["--help"].as_slice(), &["token", "new"]] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("there");
        let output = program()
            .args(arguments)
            .arg("--data-dir")
            .arg(root.path().join("data"))
            .stdout(full)
            .output()
            .expect("runs");
        assert_eq!(code(&output), Some(74), "{arguments:?}");
        assert!(said(&output).contains("No space left"), "{}", said(&output));
    }
}

#[test]
fn a_token_is_printed_once_and_listed_without_its_secret() {
    let root = tempfile::tempdir().expect("a directory");
    let data_dir = root.path().join("new/detector");
    let output = run(&data_dir, &["token", "new", "--json"]);
    assert!(
        said(&output).contains("made a new authority"),
        "{}",
        said(&output)
    );
    let made = json_lines(&output.stdout).remove(0);
    let token = made["token"].as_str().expect("is text");
    let secret = token.split('.').nth(2).expect("has one");
    let listed = run(&data_dir, &["token", "list", "--json"]).stdout;
    assert!(!String::from_utf8_lossy(&listed).contains(secret));
    let listed = json_lines(&listed).remove(0);
    assert_eq!(
        (listed["id"].as_str(), listed["state"].as_str()),
        (made["id"].as_str(), Some("waiting"))
    );
    let text = run(&data_dir, &["token", "new"]);
    assert!(!said(&text).contains("made a new authority"), "{}", said(&text));
    assert!(String::from_utf8_lossy(&text.stdout).starts_with("clv1."));
    assert!(!said(&text).contains("clv1."));
}

#[tokio::test]
async fn what_is_stored_is_shown_while_serving_and_after() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let mut sensor = enrol(&detector, root.path(), 1).await;
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    for pid in 0..3 {
        stream
            .receipt(sensor.seal(vec![status(), read_by_cat(pid)]))
            .await;
    }
    let look = || {
        let events = json_lines(&run(root.path(), &["events", "--json", "--limit", "3"]).stdout);
        let sequences: Vec<_> = events
            .iter()
            .map(|line| line["event"]["id"]["sequence"].as_u64())
            .collect();
        assert_eq!(sequences, [Some(4), Some(5), Some(6)], "the newest, oldest first");
        let findings = json_lines(&run(root.path(), &["findings", "--json", "--limit", "2"]).stdout);
        let evidence: Vec<_> = findings
            .iter()
            .map(|line| line["finding"]["evidence"][0]["sequence"].as_u64())
            .collect();
        assert_eq!(evidence, [Some(4), Some(6)]);
        let sensors = json_lines(&run(root.path(), &["sensors", "--json"]).stdout);
        assert_eq!(
            (sensors[0]["sensor_id"].as_str(), sensors[0]["host_name"].as_str()),
            (Some(&*sensor.id), Some("web-1"))
        );
        assert_eq!(
            (sensors[0]["last_sequence"].as_u64(), sensors.len()),
            (Some(6), 1)
        );
    };
    look();
    drop(stream);
    detector.stop().await;
    look();
    let text = run(root.path(), &["findings"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(
        text.contains("MEDIUM  AWS access key read by an unusual program"),
        "{text}"
    );
    assert!(!text.contains('\x1b'), "no colour where there is no terminal");
    for arguments in [["events"].as_slice(), &["sensors"]] {
        assert_eq!(code(&run(root.path(), arguments)), Some(0));
    }
}

#[tokio::test]
async fn evidence_that_was_changed_on_disk_is_not_shown_and_said_so() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let mut sensor = enrol(&detector, root.path(), 1).await;
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    stream.receipt(sensor.seal(vec![status()])).await;
    stream.receipt(sensor.seal(vec![status()])).await;
    drop(stream);
    detector.stop().await;
    let segment = root.path().join("evidence/00000000000000000001.log");
    let mut bytes = std::fs::read(&segment).expect("reads");
    bytes[40] ^= 1;
    std::fs::write(&segment, bytes).expect("writes");
    let output = run(root.path(), &["events", "--json"]);
    assert_eq!(code(&output), Some(1));
    assert_eq!(json_lines(&output.stdout).len(), 1, "the other batch is shown");
    assert!(
        said(&output).contains("00000000000000000001.log") && said(&output).contains("byte 0"),
        "{}",
        said(&output)
    );
}

#[tokio::test]
async fn watch_shows_a_process_tree_and_ends_where_it_is_told() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let mut sensor = enrol(&detector, root.path(), 1).await;
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    let socket = root.path().join("notify");
    let notified = UnixDatagram::bind(&socket).expect("binds");
    notified.set_read_timeout(Some(LONG)).expect("sets");

    let child = program()
        .args([
            "watch",
            "--json",
            "--summary",
            "--until-stdin",
            "--descendants-of",
            "77:1077",
            "--data-dir",
        ])
        .arg(root.path())
        .env("NOTIFY_SOCKET", &socket)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut watch = Running(child);
    let mut ready = [0; 64];
    let length = tokio::task::spawn_blocking(move || notified.recv(&mut ready).map(|length| (ready, length)));
    let (ready, length) = length.await.expect("ends").expect("says that it is ready");
    assert_eq!(ready[..length].trim_ascii_end(), b"READY=1");

    let mut stranger = read_by_cat(8);
    stranger
        .actor
        .as_mut()
        .expect("has one")
        .to_mut()
        .ancestors
        .remove(0);
    stream
        .receipt(sensor.seal(vec![status(), stranger, read_by_cat(9)]))
        .await;
    stream.receipt(sensor.seal(vec![status()])).await;
    let mut stdin = watch.0.stdin.take().expect("is piped");
    writeln!(stdin, "{}/{}/4", sensor.id, sensor.boot_id).expect("writes");
    let output = tokio::task::spawn_blocking(move || {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        use std::io::Read as _;
        watch
            .0
            .stdout
            .take()
            .expect("is piped")
            .read_to_end(&mut out)
            .expect("reads");
        watch
            .0
            .stderr
            .take()
            .expect("is piped")
            .read_to_end(&mut err)
            .expect("reads");
        (
            watch.0.wait().expect("ends"),
            out,
            String::from_utf8_lossy(&err).into_owned(),
        )
    });
    let (status, out, err) = tokio::time::timeout(LONG, output)
        .await
        .expect("ends")
        .expect("ends");
    assert!(status.success(), "{err}");
    let lines = json_lines(&out);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0]["event"]["actor"]["process"]["pid"], 9);
    assert_eq!(lines[1]["finding"]["detection"], "unusual_reader");
    assert!(err.contains("3 other events of this host were stored"), "{err}");
    assert!(err.contains("1 event, 1 finding; from the system call"), "{err}");
    drop(stream);
    detector.stop().await;
    let output = run(root.path(), &["watch"]);
    assert_eq!(code(&output), Some(69));
    assert!(said(&output).contains("no detector serves"), "{}", said(&output));
}

#[tokio::test]
async fn older_ones_that_are_not_shown_are_said_to_be_there() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let mut sensor = enrol(&detector, root.path(), 1).await;
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    for first in [1, 31] {
        let events = (first..first + 30).map(read_by_cat).collect();
        stream.receipt(sensor.seal(events)).await;
    }
    drop(stream);
    detector.stop().await;
    for what in ["events", "findings"] {
        for (arguments, shown, says) in [
            (&[][..], 50, true),
            (&["--limit", "30"], 30, true),
            (&["--limit", "60"], 60, false),
            (&["--limit", "61"], 60, false),
        ] {
            let mut all = vec![what, "--json"];
            all.extend(arguments);
            let output = run(root.path(), &all);
            assert_eq!(code(&output), Some(0));
            assert_eq!(json_lines(&output.stdout).len(), shown, "{all:?}");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(said.contains("there are older ones"), says, "{all:?}: {said}");
        }
    }
}

#[tokio::test]
async fn serve_tells_where_it_is_and_ends_in_order_on_a_signal() {
    let root = tempfile::tempdir().expect("a directory");
    let serve = |data_dir: &Path, listen: &str| {
        let mut command = program();
        command
            .args(["serve", "--listen", listen, "--data-dir"])
            .arg(data_dir)
            .stderr(Stdio::piped());
        command
    };
    let mut child = Running(serve(root.path(), "127.0.0.1:0").spawn().expect("starts"));
    let mut log = BufReader::new(child.0.stderr.take().expect("is piped"));
    let mut lines = String::new();
    while !lines.contains("listening") {
        assert_ne!(log.read_line(&mut lines).expect("reads"), 0, "{lines}");
    }
    let address = std::fs::read_to_string(root.path().join("listening")).expect("is there");
    let address = address.trim().to_owned();

    let token = json_lines(&run(root.path(), &["token", "new", "--json"]).stdout).remove(0);
    let token = token["token"].as_str().expect("is text").to_owned();
    let sensor = enrolling(&token, 1)
        .send(root.path(), address.parse().expect("is one"))
        .await
        .expect("enrols");
    assert!(!sensor.id.is_empty());

    let other = tempfile::tempdir().expect("a directory");
    let taken = serve(other.path(), &address).output().expect("runs");
    assert_eq!(code(&taken), Some(69));
    assert!(said(&taken).contains("--listen"), "{}", said(&taken));
    let twice = serve(root.path(), "127.0.0.1:0").output().expect("runs");
    assert_eq!(code(&twice), Some(69));
    assert!(said(&twice).contains("--data-dir"), "{}", said(&twice));

    child.terminate();
    let ended = tokio::task::spawn_blocking(move || {
        use std::io::Read as _;
        let _ = log.read_to_string(&mut lines);
        (child.0.wait().expect("ends"), lines)
    });
    let (status, lines) = tokio::time::timeout(LONG, ended)
        .await
        .expect("ends")
        .expect("ends");
    assert!(status.success(), "{lines}");
    let secret = token.split('.').nth(2).expect("has one");
    assert!(!lines.contains(secret), "no secret in the log");
    assert!(!root.path().join("listening").exists());
}
