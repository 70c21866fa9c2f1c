#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = claviger_detector::config::Config::parse(text, "fuzz.toml".as_ref());
});
