//! What the program refuses to begin with.

mod common;

use std::path::Path;

use common::program::{code, run, said};
use common::{enrol, start, status};

#[test]
fn serve_refuses_what_is_no_regular_file_instead_of_waiting_for_it() {
    let root = tempfile::tempdir().expect("a directory");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let fifo = |path: &Path| rustix::fs::mkfifoat(rustix::fs::CWD, path, mode).expect("makes");
    let config = root.path().join("fifo.toml");
    fifo(&config);
    let config = config.to_str().expect("is text");
    let output = run(root.path(), &["serve", "--config", config]);
    assert_eq!(code(&output), Some(78), "{}", said(&output));
    assert!(said(&output).contains("no regular file"), "{}", said(&output));

    let data_dir = root.path().join("data");
    assert_eq!(code(&run(&data_dir, &["token", "new"])), Some(0));
    fifo(&data_dir.join("evidence/00000000000000000001.log"));
    let output = run(&data_dir, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(code(&output), Some(78), "{}", said(&output));
    assert!(said(&output).contains("no regular file"), "{}", said(&output));
}

#[test]
fn what_others_can_change_or_read_is_refused() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::tempdir().expect("a directory");
    let data_dir = root.path().join("data");
    assert_eq!(code(&run(&data_dir, &["token", "new"])), Some(0));
    for (path, mode, good, remedy) in [
        (data_dir.clone(), 0o777, 0o700, "chmod go-w"),
        (data_dir.join("ca.key"), 0o644, 0o600, "chmod 600"),
    ] {
        let set = |mode| std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("sets");
        set(mode);
        for arguments in [["serve", "--listen", "127.0.0.1:0"].as_slice(), &["token", "new"]] {
            let output = run(&data_dir, arguments);
            assert_eq!(code(&output), Some(78), "{}", said(&output));
            let remedy = format!("{remedy} {}", path.display());
            assert!(said(&output).contains(&remedy), "{}", said(&output));
        }
        set(good);
    }
    if rustix::process::geteuid().is_root() {
        // Only root can give a file away, and read it then.
        std::os::unix::fs::chown(&data_dir, Some(12_345), None).expect("gives away");
        let output = run(&data_dir, &["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(code(&output), Some(78), "{}", said(&output));
        assert!(said(&output).contains("chown 0"), "{}", said(&output));
    }
    assert_eq!(code(&run(&data_dir, &["token", "new"])), Some(0));
}

#[tokio::test]
async fn evidence_without_its_database_is_not_taken_for_a_beginning() {
    let root = tempfile::tempdir().expect("a directory");
    let detector = start(root.path()).await;
    let mut sensor = enrol(&detector, root.path(), 1).await;
    let mut stream = sensor.stream(root.path(), detector.address()).await;
    stream.receipt(sensor.seal(vec![status()])).await;
    drop(stream);
    detector.stop().await;
    let database = root.path().join("detector.db");
    let serve = ["serve", "--listen", "127.0.0.1:0"];

    std::fs::remove_file(&database).expect("removes");
    let output = run(root.path(), &serve);
    assert_eq!(code(&output), Some(78), "{}", said(&output));
    assert!(
        said(&output).contains("restore it from a backup"),
        "{}",
        said(&output)
    );
    assert!(!database.exists(), "nothing stands in a backup's way");
    assert_eq!(code(&run(root.path(), &["token", "new"])), Some(0));
    let output = run(root.path(), &serve);
    assert_eq!(code(&output), Some(78), "an empty one is none: {}", said(&output));

    std::fs::write(&database, "no database ".repeat(1_000)).expect("writes");
    for arguments in [serve.as_slice(), &["findings"]] {
        let output = run(root.path(), arguments);
        assert_eq!(code(&output), Some(78), "{}", said(&output));
        assert!(
            said(&output).contains("damaged or no database"),
            "{}",
            said(&output)
        );
    }

    std::fs::remove_file(&database).expect("removes");
    std::fs::rename(root.path().join("evidence"), root.path().join("evidence.old")).expect("renames");
    start(root.path()).await.stop().await;
}
