#![no_main]

use claviger_detector::store::log::{EvidenceLog, LogReader, OsMedium, Position};

libfuzzer_sys::fuzz_target!(|segment: &[u8]| {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    std::fs::write(dir.path().join("00000000000000000001.log"), segment).unwrap();
    let read = || {
        LogReader::new(dir.path())
            .scan(Position::START)
            .unwrap()
            .filter(Result::is_ok)
            .count()
    };
    let before = read();
    EvidenceLog::open(dir.path(), Box::new(OsMedium), Position::START).unwrap();
    assert_eq!(read(), before, "opening takes no whole record away");
});
