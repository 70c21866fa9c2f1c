#![no_main]

use claviger_proto::catalogue::{Catalogue, Layer};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let name = "fuzz.toml";
    if let Ok((catalogue, _)) = Catalogue::shipped().with(&[Layer { name, text }]) {
        assert_eq!(catalogue.digest().len(), 64);
    }
});
