#![no_main]

use std::{path::Path, sync::LazyLock};

use claviger_proto::catalogue::Catalogue;
use claviger_sensor::credential::{Home, Places};

static PLACES: LazyLock<Places> = LazyLock::new(|| {
    Places::new(
        Catalogue::shipped(),
        Home::new(Path::new("/home/x")).into_iter().collect(),
    )
});

libfuzzer_sys::fuzz_target!(|path: &[u8]| {
    let _ = PLACES.match_path(path);
});
