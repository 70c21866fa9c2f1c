#![no_main]

use claviger_sensor::network::http::{Messages, Request, Response};

// The first byte says where the network cuts.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((at, bytes)) = bytes.split_first() else {
        return;
    };
    let (one, other) = bytes.split_at(usize::from(*at).min(bytes.len()));
    let mut requests = Messages::default();
    requests.take::<Request>(one);
    requests.take::<Request>(other);
    let mut answers = Messages::default();
    answers.take::<Response>(one);
    answers.miss(other.len() as u64);
    answers.take::<Response>(other);
});
