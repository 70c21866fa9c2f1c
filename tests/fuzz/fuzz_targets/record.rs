#![no_main]

libfuzzer_sys::fuzz_target!(|record: &[u8]| {
    let _ = claviger_sensor::decode::decode(record);
});
