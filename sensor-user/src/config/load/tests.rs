use std::path::{Path, PathBuf};
use std::time::Duration;

use claviger_proto::catalogue::{Catalogue, Layer};
use proptest::prelude::*;

use super::*;
use crate::config::{FileOpenHook, WhenFull};

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("sensor.toml")).map_err(|why| why.to_string())
}

fn check_refused(text: &str, expected: &str) {
    let why = parse(text).expect_err(text);
    assert!(why.starts_with("sensor.toml:"), "{why}");
    assert!(why.contains(expected), "{text:?} gave {why:?}, not {expected:?}");
}

#[test]
fn an_empty_file_is_the_defaults() {
    assert_eq!(parse("").expect("valid"), Config::default());
}

#[test]
fn the_full_example_is_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/sensor.full.toml");
    assert_eq!(Config::load(Some(&path)).expect("valid"), Config::default());
}

#[test]
fn the_full_example_names_every_option() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/sensor.full.toml");
    let example = fs::read_to_string(path).expect("there");
    let effective = serde_json::to_value(Config::default().effective()).expect("serializes");
    for (key, value) in effective.as_object().expect("a table") {
        assert!(example.contains(key.as_str()), "{key} is not in the example");
        for inner in value.as_object().into_iter().flat_map(serde_json::Map::keys) {
            assert!(
                example.contains(inner.as_str()),
                "{key}.{inner} is not in the example"
            );
        }
    }
}

/// The lines that show what a file of the catalogue's directory holds stand further in than sentences.
#[test]
fn the_example_of_a_catalogue_can_be_loaded() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/sensor.full.toml");
    let example = fs::read_to_string(path).expect("there");
    let lines: Vec<_> = example
        .lines()
        .filter_map(|line| line.strip_prefix("#     "))
        .filter(|line| line.starts_with('[') || line.contains(" = "))
        .collect();
    let text = format!("version = 1\n{}", lines.join("\n"));
    for table in [
        "[[kind]]",
        "[[entry]]",
        "[[endpoint]]",
        "[[provider]]",
        "[[socket]]",
    ] {
        assert!(text.contains(table), "{table} is not in {text}");
    }
    let layer = Layer {
        name: "example.toml",
        text: &text,
    };
    let (_, warnings) = Catalogue::shipped()
        .with(&[layer])
        .unwrap_or_else(|why| panic!("{why}\n{text}"));
    assert_eq!(warnings, []);
    let other = text.replace("globs = [\"/run/payments/agent.sock\"]      # or ", "");
    assert_ne!(other, text);
    let layer = Layer {
        name: "example.toml",
        text: &other,
    };
    Catalogue::shipped()
        .with(&[layer])
        .unwrap_or_else(|why| panic!("{why}\n{other}"));
}

#[test]
fn a_wrong_key_is_named_with_file_and_line() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/testdata/wrongkey.toml");
    let why = Config::load(Some(&path)).expect_err("refused").to_string();
    assert!(
        why.contains("wrongkey.toml:3:1: spool.max_megabytes: unknown field"),
        "{why}"
    );
}

#[test]
fn a_key_that_comes_twice_is_named() {
    check_refused(
        "[spool]\nmax_bytes = 1\nmax_bytes = 2",
        "duplicate key `max_bytes`",
    );
}

#[test]
fn unknown_keys_are_refused_in_every_table() {
    for table in [
        "",
        "[detector]\n",
        "[spool]\n",
        "[batch]\n",
        "[probes]\n",
        "[catalogue]\n",
        "[metrics]\n",
        "[log]\n",
    ] {
        check_refused(&format!("{table}surprise = 1\n"), "unknown field `surprise`");
    }
    check_refused("[surprise]\n", "unknown field `surprise`");
}

#[test]
fn values_that_cannot_be_meant_are_refused() {
    for (text, expected) in [
        ("state_dir = 'relative'", "1:13: state_dir: "),
        ("state_dir = '/a/../b'", "without \"..\""),
        ("host_name = ''", "host_name: \"\" is not a host name"),
        ("host_name = 'a b'", "is not a host name"),
        (
            "[detector]\naddress = 'nowhere'",
            "2:11: detector.address: \"nowhere\" is not an address",
        ),
        ("[spool]\nmax_bytes = 1", "spool.max_bytes: 1 is not in"),
        ("[spool]\nmax_bytes = -1", "spool.max_bytes: "),
        (
            "[spool]\nmax_bytes = 'much'",
            "2:13: spool.max_bytes: invalid type",
        ),
        ("[spool]\nsegment_bytes = 1", "spool.segment_bytes: 1 is not in"),
        (
            "[spool]\nmax_bytes = 1000000",
            "at least twice spool.segment_bytes",
        ),
        ("[spool]\nwhen_full = 'block'", "unknown variant `block`"),
        (
            "[batch]\nmax_events = 0",
            "batch.max_events: 0 is not in 1 to 10000",
        ),
        (
            "[batch]\nmax_delay_ms = 101",
            "batch.max_delay_ms: 101 is not in 1 to 100",
        ),
        (
            "[batch]\nmax_delay_ms = 0",
            "batch.max_delay_ms: 0 is not in 1 to 100",
        ),
        ("[probes]\nfile_open_hooks = []", "the list is empty"),
        ("[probes]\nfile_open_hooks = ['lsm', 'lsm']", "listed twice"),
        (
            "[probes]\nfile_open_hooks = ['kprobe']",
            "unknown variant `kprobe`",
        ),
        (
            "[probes]\nring_bytes = 3000000",
            "2:14: probes.ring_bytes: 3000000 is not a power of two from 65536 to 67108864",
        ),
        ("[probes]\nring_bytes = 32768", "probes.ring_bytes: 32768 is not"),
        (
            "[probes]\nring_bytes = 4294967296",
            "probes.ring_bytes: 4294967296 is not",
        ),
        (
            "[probes]\npriority_boost = 21",
            "probes.priority_boost: 21 is not in 0 to 20",
        ),
        ("[catalogue]\nrescan_interval_ms = 99", "99 is not in 100 to"),
        (
            "[catalogue]\nextra_homes = ['~/x']",
            "catalogue.extra_homes: \"~/x\" must be an absolute path",
        ),
        (
            "[metrics]\nlisten = 'localhost:9477'",
            "2:10: metrics.listen: \"localhost:9477\" is not an address and a port",
        ),
        (
            "[metrics]\nlisten = '127.0.0.1:0'",
            "is not an address and a port",
        ),
        ("[metrics]\nlisten = '127.0.0.1'", "is not an address and a port"),
        ("[log]\nlevel = 'loud'", "log.level: unknown variant `loud`"),
        ("[log]\nformat = 'xml'", "log.format: unknown variant `xml`"),
        ("= 1", "sensor.toml:1:1: "),
    ] {
        check_refused(text, expected);
    }
}

#[test]
fn directories_that_would_destroy_each_other_are_refused() {
    for (text, expected) in [
        (
            "state_dir = '/c'\nruntime_dir = '/c/'",
            "2:15: runtime_dir: /c/ is state_dir too: each needs a directory of its own",
        ),
        (
            "runtime_dir = '/c'\n[catalogue]\ndirectory = '/c'",
            "3:13: catalogue.directory: /c is runtime_dir too",
        ),
        (
            "state_dir = '/run/c/state'\nruntime_dir = '/run/c'",
            "1:13: state_dir: /run/c/state lies in runtime_dir, /run/c, which is emptied",
        ),
        (
            "runtime_dir = '/var/lib'",
            "1:15: runtime_dir: state_dir, /var/lib/claviger/sensor lies in runtime_dir",
        ),
        (
            "state_dir = '/c'\n[catalogue]\ndirectory = '/c/spool/d'",
            "3:13: catalogue.directory: /c/spool/d lies in /c/spool, which the sensor replaces",
        ),
        (
            "state_dir = '/c'\nruntime_dir = '/c/identity'",
            "2:15: runtime_dir: /c/identity lies in /c/identity",
        ),
        ("state_dir = '/'", "1:13: state_dir: / is the root"),
    ] {
        check_refused(text, expected);
    }
    parse("state_dir = '/c'\nruntime_dir = '/c/run'\n[catalogue]\ndirectory = '/c/catalogue.d'")
        .expect("fine");
}

#[test]
fn a_catalogue_directory_that_is_not_there_is_named_with_its_place() {
    let dir = tempfile::tempdir().expect("made");
    let file = dir.path().join("sensor.toml");
    fs::write(&file, "# mine\n[catalogue]\ndirectory = '/nowhere/at/all'\n").expect("written");
    let why = Config::load_with_policy(Some(&file))
        .expect_err("refused")
        .to_string();
    assert!(
        why.contains(
            "sensor.toml:3:13: catalogue.directory: /nowhere/at/all is not there: make it, or leave"
        ),
        "{why}"
    );
    fs::write(&file, format!("[catalogue]\ndirectory = {file:?}\n")).expect("written");
    let why = Config::load_with_policy(Some(&file))
        .expect_err("refused")
        .to_string();
    assert!(why.contains("2:13: ") && why.contains("is no directory"), "{why}");
}

#[test]
fn values_are_taken() {
    let config = parse(
        "state_dir = '/s'\nruntime_dir = '/r'\nhost_name = 'web-1'\n[detector]\naddress = 'd.example:1'\n[spool]\n\
         max_bytes = 1048576\nsegment_bytes = 65536\nwhen_full = 'drop_newest'\n[batch]\nmax_events = 1\nmax_delay_ms = 1\n\
         [probes]\nfile_open_hooks = ['tracepoint']\nring_bytes = 65536\npriority_boost = 0\n[catalogue]\nrescan_interval_ms = 100\nextra_homes = ['/srv/x']\n\
         [metrics]\nlisten = '[::1]:9477'\n",
    )
    .expect("valid");
    assert_eq!(config.state_dir, PathBuf::from("/s"));
    assert_eq!(config.effective_host_name(), "web-1");
    assert_eq!(config.detector.address.to_string(), "d.example:1");
    assert_eq!(config.spool.when_full, WhenFull::DropNewest);
    assert_eq!(config.batch.max_delay, Duration::from_millis(1));
    assert_eq!(config.probes.file_open_hooks, [FileOpenHook::Tracepoint]);
    assert_eq!(config.probes.ring_bytes, 65_536);
    assert_eq!(config.probes.priority_boost, 0);
    assert_eq!(config.catalogue.extra_homes, [PathBuf::from("/srv/x")]);
    assert_eq!(config.metrics.listen, "[::1]:9477".parse().ok());
}

#[test]
fn a_named_file_must_be_there_and_be_a_file() {
    let dir = tempfile::tempdir().expect("made");
    let missing = Config::load(Some(&dir.path().join("none.toml"))).expect_err("refused");
    assert!(matches!(missing, ConfigError::Read { .. }), "{missing}");
    let directory = Config::load(Some(dir.path())).expect_err("refused");
    assert!(
        directory.to_string().ends_with("it is not a regular file"),
        "{directory}"
    );
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .expect("made");
    assert!(Config::load(Some(&fifo)).is_err());
    let large = dir.path().join("large");
    fs::write(&large, vec![b'#'; (1 << 20) + 1]).expect("written");
    assert!(
        Config::load(Some(&large))
            .expect_err("refused")
            .to_string()
            .contains("larger than 1 MiB")
    );
    let binary = dir.path().join("binary");
    fs::write(&binary, b"# a\n# caf\xe9\n").expect("written");
    let why = Config::load(Some(&binary)).expect_err("refused").to_string();
    let place = format!("{}:2:6: ", binary.display());
    assert!(why.starts_with(&place) && why.contains("0xe9"), "{why}");
}

#[test]
fn what_is_shown_can_be_read_back() {
    let config = parse("host_name = 'h'\n[catalogue]\nextra_homes = ['/srv/x']\n").expect("valid");
    let shown = toml::to_string(&config.effective()).expect("serializes");
    assert_eq!(parse(&shown).expect("valid"), config);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(?s).{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_toml_makes_it_panic(table in "(|\\[(spool|batch|log|x)\\]\n)", key in "[a-z_]{1,12}", value in "(-?[0-9]{1,20}|'[^'\n]{0,20}'|\\[\\])") {
        let _ = parse(&format!("{table}{key} = {value}\n"));
    }
}
