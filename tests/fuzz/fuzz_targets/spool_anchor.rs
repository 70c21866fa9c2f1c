#![no_main]

use claviger_sensor::{
    clock::SystemClock,
    config::Config,
    sign::{BootId, ChainState},
    spool::{Anchor, OsFileSystem, Spool},
};

libfuzzer_sys::fuzz_target!(|anchor: &[u8]| {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = dir.path().join("anchor");
    std::fs::write(&path, anchor).unwrap();
    let anchor = Anchor {
        path,
        behind_all: ChainState::start(BootId::from_bytes([3; 16])),
        signing_key: [7; 32],
    };
    let config = Config::default().spool;
    let clock = std::sync::Arc::new(SystemClock);
    let spool = dir.path().join("spool");
    let (mut spool, _) = Spool::open_anchored(OsFileSystem, &spool, &config, clock, Some(anchor)).unwrap();
    assert!(
        spool.next_after(None).unwrap().is_none(),
        "nothing was ever appended"
    );
});
