//! The committed files: `tests/golden/FORMAT/VERSION.bin` and beside it, in words, what it says.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// One format of bytes that are kept or sent.
pub(crate) struct Format {
    /// The folder.
    pub(crate) name: &'static str,
    /// What today's code writes.
    pub(crate) version: &'static str,
    /// Whether versions before it must be read too.
    pub(crate) reads_older: bool,
    /// Today's code, writing the sample.
    pub(crate) encode: fn() -> Vec<u8>,
    /// Today's code, reading any version: what the bytes say.
    pub(crate) decode: fn(&[u8]) -> Value,
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// Holds all versions of a format against today's code.
pub(crate) fn check(format: &Format) {
    let folder = golden().join(format.name);
    let fresh = (format.encode)();
    let today = folder.join(format!("{}.bin", format.version));
    if std::env::var_os("CLAVIGER_UPDATE").is_some() && !today.exists() {
        fs::create_dir_all(&folder).expect("a folder");
        let said = serde_json::to_string_pretty(&(format.decode)(&fresh)).expect("JSON");
        write_new(&today.with_extension("json"), format!("{said}\n").as_bytes());
        write_new(&today, &fresh);
    }
    assert!(
        today.exists(),
        "{} is missing; CLAVIGER_UPDATE=1 writes it",
        today.display()
    );
    assert!(
        fs::read(&today).expect("readable") == fresh,
        "today's code writes other bytes than {}. If the format was to change, give it a new version: this file is \
         never written anew",
        today.display()
    );
    for (version, file) in versions(&folder) {
        let is_today = version == format.version;
        if is_today || format.reads_older {
            let bytes = fs::read(&file).expect("readable");
            check_what_it_says(&file, &(format.decode)(&bytes), is_today);
        }
    }
}

/// A file that is there stays as it is.
fn write_new(path: &Path, bytes: &[u8]) {
    File::create_new(path)
        .and_then(|mut file| file.write_all(bytes))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// Of today's version exactly what the words say; of one before, at least that, for what was added since reads as not set.
fn check_what_it_says(file: &Path, read: &Value, exactly: bool) {
    let words = file.with_extension("json");
    let text = fs::read_to_string(&words).unwrap_or_else(|error| panic!("{}: {error}", words.display()));
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let holds = if exactly {
        *read == expected
    } else {
        says(read, &expected)
    };
    assert!(
        holds,
        "{} reads as\n{read:#}\nand should as {} says",
        file.display(),
        words.display()
    );
}

fn says(read: &Value, expected: &Value) -> bool {
    match (read, expected) {
        (Value::Object(read), Value::Object(expected)) => expected
            .iter()
            .all(|(key, value)| read.get(key).is_some_and(|read| says(read, value))),
        (Value::Array(read), Value::Array(expected)) => {
            read.len() == expected.len() && read.iter().zip(expected).all(|(read, value)| says(read, value))
        }
        _ => read == expected,
    }
}

fn versions(folder: &Path) -> Vec<(String, PathBuf)> {
    names(folder)
        .iter()
        .filter_map(|name| Some((name.strip_suffix(".bin")?.to_owned(), folder.join(name))))
        .collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// No file that nobody reads, and none without its words.
pub(crate) fn check_names(formats: &[&Format]) {
    let golden = golden();
    for folder in names(&golden).iter().filter(|name| *name != "README.md") {
        assert!(
            formats.iter().any(|format| format.name == folder),
            "golden/{folder} is of no format"
        );
        let names = names(&golden.join(folder));
        for name in &names {
            let partner = match name.split_at(name.rfind('.').unwrap_or(name.len())) {
                (version, ".bin") => format!("{version}.json"),
                (version, ".json") => format!("{version}.bin"),
                _ => panic!("golden/{folder}/{name} is neither bytes nor words"),
            };
            assert!(
                names.contains(&partner),
                "golden/{folder}/{name} is without {partner}"
            );
        }
    }
}
