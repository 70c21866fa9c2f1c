#![no_main]

use claviger_sensor::agent::Remembered;

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let _ = Remembered::parse(file);
    // The same behind a checksum that is right.
    let Some((header, body)) = file.split_at_checked(16) else {
        return;
    };
    let checksum = crc32c::crc32c(body);
    let whole = [&header[..12], &checksum.to_le_bytes(), body].concat();
    if let Ok(mut remembered) = Remembered::parse(&whole) {
        let files = remembered.files.len();
        assert_eq!(remembered.encode(), whole, "there is one form of it");
        assert_eq!(remembered.files.len(), files, "what was read has room");
    }
});
