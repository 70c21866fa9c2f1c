#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = claviger_proto::catalogue::Catalogue::parse(text, "fuzz.toml");
});
