#![no_main]

use claviger_sensor::network::tls::{HelloReader, Progress, Transport, ja4};

// The first byte says where the network cuts.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((at, bytes)) = bytes.split_first() else {
        return;
    };
    let at = usize::from(*at).min(bytes.len());
    let whole = HelloReader::default().take(bytes);
    let mut reader = HelloReader::default();
    let mut in_two = reader.take(&bytes[..at]);
    if in_two == Progress::More {
        in_two = reader.take(&bytes[at..]);
    }
    assert_eq!(in_two, whole);
    for progress in [whole, reader.cut()] {
        if let Progress::Hello(hello) = progress {
            assert_eq!(ja4(&hello, Transport::Tcp).len(), 36);
        }
    }
});
