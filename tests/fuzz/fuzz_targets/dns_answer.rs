#![no_main]

use claviger_sensor::network::dns::Answer;

libfuzzer_sys::fuzz_target!(|message: &[u8]| {
    if let Some(answer) = Answer::parse(message) {
        assert!(!answer.name.is_empty() && answer.name.len() <= 253 && !answer.addresses.is_empty());
    }
});
