#![no_main]

use claviger_sensor::credential::recognise;

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    let _ = recognise(content);
});
