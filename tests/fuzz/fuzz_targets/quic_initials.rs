#![no_main]

use claviger_sensor::network::quic::Initials;

// Datagrams, each with its length in two bytes before it.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut initials = Initials::default();
    let mut left = bytes;
    while let Some(([high, low], behind)) = left.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        initials.take(&behind[..length]);
        left = &behind[length..];
    }
});
