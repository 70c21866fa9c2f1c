#![no_main]

use claviger_sensor::{clock::SystemClock, config::Config, spool};

libfuzzer_sys::fuzz_target!(|segment: &[u8]| {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    std::fs::write(dir.path().join("00000000000000000001.seg"), segment).unwrap();
    let config = Config::default().spool;
    let (mut spool, _) = spool::Spool::open(
        spool::OsFileSystem,
        dir.path(),
        &config,
        std::sync::Arc::new(SystemClock),
    )
    .unwrap();
    let mut mark = None;
    while let Some(waiting) = spool.next_after(mark.as_ref()).unwrap() {
        mark = Some(waiting.mark);
    }
});
